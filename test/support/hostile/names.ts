/** Names, keys and texts that are none, that are taken, or that are made to mislead. */

import { MemorySink, saveCheckpoint } from '../../../src/index.js'
import { objectOf } from '../format/contents.js'
import { Patch } from '../format/patch.js'
import { memoryState } from '../memory-state.js'
import { type Fixture, refusedWith } from './fixture.js'
import { forge, state, tensor } from './forge.js'
import { type Roomy, roomy } from './roomy.js'

/** What UTF-8 does not have, whatever a lenient decoder makes of it. */
const NO_UTF8: { readonly [what: string]: readonly number[] } = {
  'an overlong zero': [0xc0, 0x80],
  'an overlong slash': [0xe0, 0x80, 0xaf],
  'half of a surrogate pair': [0xed, 0xa0, 0x80],
  'a surrogate pair in two times three bytes': [0xed, 0xa0, 0xbd, 0xed, 0xb8, 0x80],
  'a code point beyond the last': [0xf4, 0x90, 0x80, 0x80],
  'a continuation without a start': [0x80],
  'a start without a continuation': [0x61, 0xc3],
  'a byte that never occurs': [0xff],
  'a text in UTF-16': [0xff, 0xfe, 0x61, 0x00],
}

/** Puts a string of these bytes into the room, and returns where it is. */
function stringOf(patch: Roomy, bytes: readonly number[]) {
  patch.view.setUint32(patch.room, bytes.length, true)
  patch.bytes.set(bytes, patch.room + 4)
  return patch.room
}

const sink = new MemorySink()
await saveCheckpoint(sink, memoryState({}, { aa: 1, bb: 2, map: { cc: 3, dd: 4 } }), null, {
  metrics: { m1: 1, m2: 2 },
  config: { key: 'text' },
  extras: { extra: memoryState({}), other: memoryState({}), optimus: memoryState({}) },
})
const named = sink.bytes

function ofNamed(change: (patch: Patch) => void): () => Uint8Array {
  return () => {
    const patch = new Patch(named)
    change(patch)
    return patch.seal()
  }
}

const attributeOf = (patch: Patch, index: number) =>
  patch.root.table('model').tables('attributes')[index]!
const extraOf = (patch: Patch, index: number) => patch.root.tables('extras')[index]!
const metricOf = (patch: Patch, index: number) => patch.root.tables('metrics')[index]!

const ESCAPE = '\u001b]0;owned\u0007'

/** A file with an extra of this name, whose one tensor is damaged. */
async function damagedExtra(name: string): Promise<() => Uint8Array> {
  const sink = new MemorySink()
  await saveCheckpoint(sink, memoryState({}), null, {
    extras: { [name]: memoryState({ w: Uint8Array.of(1, 2, 3) }) },
  })
  return () => {
    const bytes = sink.bytes.slice()
    bytes[bytes.length - 1]! ^= 1
    return bytes
  }
}

/** A file whose model has two tensors of this name, so that an error has to say it. */
async function twice(name: string): Promise<() => Uint8Array> {
  const data = Uint8Array.of(1)
  const twin = 'x'.repeat(new TextEncoder().encode(name).length)
  const sink = new MemorySink()
  await saveCheckpoint(sink, memoryState({ [name]: data, [twin]: data.slice() }))
  return () => {
    const patch = new Patch(sink.bytes)
    patch.root.table('model').tables('tensors')[1]!.setText('name', name)
    return patch.seal()
  }
}

export const names: readonly Fixture[] = [
  ...Object.entries(NO_UTF8).flatMap(([what, bytes]) =>
    refusedWith('CKPT_FORMAT', 'text.utf8', {
      [`${what} in the name of a tensor`]: roomy((p) =>
        p.lead(p.tensor(), 'name', stringOf(p, bytes)),
      ),
      [`${what} in the name of a state`]: roomy((p) => p.lead(p.model, 'name', stringOf(p, bytes))),
      [`${what} in the kind of a state`]: roomy((p) => p.lead(p.model, 'kind', stringOf(p, bytes))),
      [`${what} in a key`]: roomy((p) =>
        p.lead(p.model.tables('attributes')[0]!, 'key', stringOf(p, bytes)),
      ),
      [`${what} in a text`]: roomy((p) => p.lead(p.attribute('text'), 'text', stringOf(p, bytes))),
    }),
  ),
  ...refusedWith('CKPT_FORMAT', 'text.utf8', {
    'a config in Latin-1': ofNamed((p) => p.root.setText('config', [0x22, 0xe9, 0x22])),
    'the name of a metric in Latin-1': ofNamed((p) => metricOf(p, 0).setText('name', [0xe9, 0x31])),
  }),

  ...refusedWith('CKPT_FORMAT', 'tensor.name', {
    'a tensor without a character in its name': roomy((p) =>
      p.lead(p.tensor(), 'name', stringOf(p, [])),
    ),
    'a zero in the name of a tensor': roomy((p) =>
      p.lead(p.tensor(), 'name', stringOf(p, [0x61, 0, 0x62])),
    ),
    'a tensor whose name is a megabyte': () =>
      forge((b) => ({
        model: state(b, 'model', [
          tensor(b, {
            name: 'x'.repeat(2 ** 20),
            dtype: 20,
            shape: [0],
            offset: 64,
            byteLength: 0,
          }),
        ]),
      })),
  }),
  ...refusedWith('CKPT_FORMAT', 'state.name', {
    'a model that is called otherwise': roomy((p) => p.model.setText('name', 'Model')),
    'an extra that is called model': ofNamed((p) => extraOf(p, 0).setText('name', 'model')),
    'an extra of the name of another one': ofNamed((p) => extraOf(p, 1).setText('name', 'extra')),
    'an extra with a zero in its name': ofNamed((p) => extraOf(p, 1).setText('name', 'a\0b')),
    'an extra without a character in its name': ofNamed((p) => extraOf(p, 0).shorten('name', 0)),
  }),
  ...refusedWith('CKPT_FORMAT', 'metric.unique', {
    'a metric that is there twice': ofNamed((p) => metricOf(p, 0).setText('name', 'm2')),
  }),
  ...refusedWith('CKPT_FORMAT', 'metric.name', {
    'a metric without a character in its name': ofNamed((p) => metricOf(p, 0).shorten('name', 0)),
    'a zero in the name of a metric': ofNamed((p) => metricOf(p, 0).setText('name', 'm\0')),
  }),
  ...refusedWith('CKPT_FORMAT', 'metric.value', {
    'a metric without a value': ofNamed((p) => metricOf(p, 0).drop('value')),
  }),
  ...refusedWith('CKPT_FORMAT', 'attribute.unique', {
    'a key that is there twice': ofNamed((p) => attributeOf(p, 0).setText('key', 'bb')),
    'a key that is there twice in a map': ofNamed((p) =>
      attributeOf(p, 2).table('value').tables('map')[0]!.setText('key', 'dd'),
    ),
    'two entries that are one': ofNamed((p) => {
      const at = p.root.table('model').target('attributes') + 4
      p.view.setUint32(at, attributeOf(p, 1).at - at, true)
    }),
  }),

  // What a message has to say without doing it: it is printed to terminals and logs.
  ...refusedWith('CKPT_FORMAT', 'tensor.unique', {
    'a name that steers a terminal': await twice(ESCAPE),
    'a name that turns the direction of text': await twice('weight\u202etpkc.live'),
    'a name of characters that are not seen': await twice('we\u200bight\u2060\ufeff'),
    'a name that begins a line of its own': await twice('weight"\nERROR: all is well\u2028'),
    'a name with a control character of 8 bits': await twice('\u009b2J'),
    'a name of 65,535 characters': await twice('n'.repeat(65_535)),
  }),

  ...refusedWith(
    'CKPT_TENSOR_CHECKSUM',
    undefined,
    {
      'a damaged tensor of a state whose name steers a terminal': await damagedExtra(ESCAPE),
      'a damaged tensor of a state whose name has 65,535 characters': await damagedExtra(
        'n'.repeat(65_535),
      ),
    },
    'read',
  ),
  ...refusedWith(
    'CKPT_FORMAT',
    'config.json',
    {
      'a config that is no JSON': ofNamed((p) => p.root.setText('config', '{nope')),
      'a config that steers a terminal': ofNamed((p) => p.root.setText('config', ESCAPE)),
      'a config that is cut off': ofNamed((p) => p.root.shorten('config', 3)),
      'a config that is empty': ofNamed((p) => p.root.shorten('config', 0)),
      'a config with a zero in it': ofNamed((p) => p.root.setText('config', '{\0')),
    },
    'config',
  ),
]

/** Names that have misled readers of other formats, each of which is just a name here. */
export const MISLEADING: readonly string[] = [
  '__proto__',
  '__proto__.polluted',
  'constructor',
  'constructor.prototype',
  'prototype',
  'toString',
  'valueOf',
  'hasOwnProperty',
  '__defineGetter__',
  'then',
  'length',
  'size',
  'get',
  '0',
  '-0',
  '01',
  '4294967295',
  '../../../etc/passwd',
  '/etc/passwd',
  'C:\\windows\\system32',
  'a/../../b',
  '.',
  '..',
  '~',
  '-rf',
  '%00',
  '%2e%2e%2f',
  '{{7*7}}',
  '$(touch x)',
  '`touch x`',
  '<script>alert(1)</script>',
  "'; drop table tensors; --",
  'nul',
  ' ',
  '\t',
  'a\nb',
  'a\r\nb',
  ESCAPE,
  '\u009b2J',
  '\u202egnp',
  '\u2066a\u2069',
  '\u200b',
  '\u00ad',
  // A byte order mark, which a decoder drops unless it is told not to.
  'weight',
  '\ufeffweight',
  '\ufeff',
  // The same to the eye, and to whoever normalises.
  '\u00e9',
  'e\u0301',
  '\u212b',
  '\u00c5',
  // One letter each: Latin and Cyrillic.
  'a',
  '\u0430',
  '\ufb01',
  'fi',
  '\u{1f600}',
  '\u{10ffff}',
  '\uffff',
  'n'.repeat(65_535),
]

/** A sound file with all of these as names of tensors, attributes, metrics and extras. */
export async function misleadingFile(): Promise<Uint8Array> {
  const sink = new MemorySink()
  const all = (value: (i: number) => number) =>
    objectOf(MISLEADING.map((name, i) => [name, value(i)] as const))
  const tensors = objectOf(MISLEADING.map((name, i) => [name, Uint8Array.of(i, i + 1)] as const))
  const extras = MISLEADING.map(
    (name, i) => [name, memoryState({ own: Uint16Array.of(i) }, { i })] as const,
  )
  await saveCheckpoint(
    sink,
    memoryState(tensors, { top: all((i) => i), list: [all((i) => -i)], ...all((i) => i / 2) }),
    null,
    { metrics: all((i) => i + 0.5), extras: objectOf(extras), config: all((i) => i) },
  )
  return sink.bytes
}
