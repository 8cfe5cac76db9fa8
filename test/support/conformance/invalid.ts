/**
 * The invalid files: the catalogue of hostile files, those of them that are small, and a few for which
 * one rule has another side. Each breaks one rule, and has lengths and checksums that fit otherwise.
 */

import { crc32 } from 'node:zlib'
import { Patch } from '../format/patch.js'
import { catalogue } from '../hostile/catalogue.js'
import { type Fixture, refusedWith } from '../hostile/fixture.js'
import {
  entry,
  forge,
  forgeAttributes,
  listValue,
  nullValue,
  state,
  tensor,
} from '../hostile/forge.js'
import { extras, tied, training as trainingFile } from '../hostile/goldens.js'
import { roomy } from '../hostile/roomy.js'
import { writeFile } from './second-writer.js'
import { MAX_NULLS, sharedTexts } from './shared-texts.js'
import { HEAD_OF_4096, training } from './valid.js'

export interface InvalidFile {
  /** Of the file, without its extension. */
  readonly name: string
  readonly about: string
  readonly code: string
  /** Null where the code says it all. */
  readonly rule: string | null
  readonly bytes: Uint8Array
}

// Longer ones are the same faults on a larger scale; the corpus is to be small.
const LONGEST = 12_000

// What has to be said of a name that misleads is the library's affair: a file breaks the same rule.
const MESSAGES =
  /^a name (that steers|that turns|of characters|that begins|with a control|of 65,535)|^a damaged tensor of a state whose name/

/** A file with a change, its checksum made to fit. */
function changed(bytes: Uint8Array, change: (patch: Patch) => void): () => Uint8Array {
  return () => {
    const patch = new Patch(bytes)
    change(patch)
    return patch.seal()
  }
}

/** A file with a place in the order of saves, and a time. */
const ordered = writeFile({ ...training, sequence: 7, savedAt: 1_796_000_000_123 }, {})

/** The attribute at an index of the optimizer of `trainingFile`. */
const attribute = (patch: Patch, index: number) =>
  patch.root.table('optimizer').tables('attributes')[index]!.table('value')
const INT64 = 5
const UINT64 = 4

const modelTensors = (patch: Patch) => patch.root.table('model').tables('tensors')

/** Lists in a list, one item each, around a null. */
function chain(depth: number): () => Uint8Array {
  return () =>
    forgeAttributes((b) => {
      let value = nullValue(b)
      for (let i = 0; i < depth; i++) value = listValue(b, [value])
      return [entry(b, 'chain', value)]
    })
}

/** A file of metadata alone whose one tensor is said to be as large as a tensor can be. */
const largestTensor = (): Uint8Array =>
  forge((b) => {
    const length = 2 ** 53 - 1
    const largest = { name: 'w', dtype: 20, shape: [length], byteLength: length }
    return { model: state(b, 'model', [tensor(b, { ...largest, offset: 256 })]) }
  })

/** A file of so many bytes whose root table is said to be far beyond its end. */
const farRoot = (length: number) => (): Uint8Array => {
  const bytes = new Uint8Array(length)
  bytes.set(trainingFile.bytes)
  new DataView(bytes.buffer).setUint32(0, 0x7ffffffc, true)
  return bytes
}

const more: readonly Fixture[] = [
  ...refusedWith('CKPT_FILE_LENGTH', undefined, {
    'a file of 4,095 bytes with its root table beyond its end': farRoot(4095),
  }),
  ...refusedWith('CKPT_FORMAT', 'head', {
    'a file of 4,096 bytes with its root table beyond its end': farRoot(4096),
  }),
  ...refusedWith('CKPT_FORMAT', 'head', {
    'a vtable of the root table that ends behind the first 4 KiB': () =>
      writeFile(training, { ...HEAD_OF_4096, idleBytes: HEAD_OF_4096.idleBytes + 8 }),
  }),
  ...refusedWith('CKPT_FORMAT', 'tensor.range', {
    'a tensor of 2^53 - 1 bytes': largestTensor,
  }),
  ...refusedWith('CKPT_FLATBUFFER', 'flatbuffer.length', {
    'a name of 2^31 - 1 bytes': roomy((p) =>
      p.view.setUint32(p.tensor().target('name'), 2 ** 31 - 1, true),
    ),
  }),
  ...refusedWith('CKPT_FLATBUFFER', 'flatbuffer.range', {
    'a name of 2^31 - 2 bytes': roomy((p) =>
      p.view.setUint32(p.tensor().target('name'), 2 ** 31 - 2, true),
    ),
  }),
  ...refusedWith('CKPT_FORMAT', 'value.kind', {
    'a value whose table and vtable are empty': roomy((p) => {
      // A vtable of its own length and of that of the table, and nothing else.
      p.view.setUint32(p.room, 0x0004_0004, true)
      const { at } = p.attribute('rate')
      p.view.setInt32(at, at - p.room, true)
    }),
  }),
  ...refusedWith('CKPT_FLATBUFFER', 'flatbuffer.depth', {
    'tables nested 65 deep': chain(61),
  }),
  ...refusedWith('CKPT_FLATBUFFER', 'flatbuffer.budget', {
    'one shared null more than the budget allows': () => sharedTexts(MAX_NULLS + 1),
  }),
  ...refusedWith('CKPT_FLATBUFFER', 'flatbuffer.offset', {
    'an offset of 0 to an optional string': changed(extras.bytes, (p) =>
      p.view.setUint32(p.root.position('config'), 0, true),
    ),
    'an offset of 2^31 - 1': roomy((p) =>
      p.view.setUint32(p.root.position('model'), 2 ** 31 - 1, true),
    ),
    'an offset of 0 in the vector of metrics': changed(extras.bytes, (p) =>
      p.view.setUint32(p.root.target('metrics') + 4, 0, true),
    ),
  }),
  ...refusedWith('CKPT_FLATBUFFER', 'flatbuffer.required', {
    'a metric without a name': changed(extras.bytes, (p) =>
      p.root.tables('metrics')[0]!.drop('name'),
    ),
  }),
  ...refusedWith('CKPT_FLATBUFFER', 'flatbuffer.field', {
    'data beyond its table': roomy((p) => p.ownVtable(p.tensor(), { data: 0x7ff0 })),
    'a field over the end of its table by one byte': roomy((p) => {
      const table = p.tensor()
      p.ownVtable(table, { dtype: p.view.getUint16(table.vtable + 2, true) })
    }),
  }),
  ...refusedWith('CKPT_FLATBUFFER', 'flatbuffer.alignment', {
    'data whose offset is not aligned': roomy((p) =>
      p.ownVtable(p.tensor(), { data: p.view.getUint16(p.tensor().entry('crc32'), true) + 2 }),
    ),
  }),
  ...refusedWith('CKPT_FORMAT', 'value.kind', {
    'a uint64 that is said to be a boolean': changed(trainingFile.bytes, (p) =>
      attribute(p, 4).set('kind', 2),
    ),
    'an Integer without an integer': changed(trainingFile.bytes, (p) =>
      attribute(p, 2).set('kind', 3),
    ),
    'an Int64 that holds a uint64': changed(trainingFile.bytes, (p) =>
      attribute(p, UINT64).set('kind', 4),
    ),
    'a Uint64 that holds an int64': changed(trainingFile.bytes, (p) =>
      attribute(p, INT64).set('kind', 5),
    ),
    'a Uint64 of less than 2^63': changed(trainingFile.bytes, (p) =>
      attribute(p, UINT64).set('uinteger', 2n ** 63n - 1n),
    ),
    'a Float64 that holds an integer': changed(trainingFile.bytes, (p) =>
      attribute(p, 6).set('kind', 6),
    ),
    'a null that is said to be a text': changed(trainingFile.bytes, (p) =>
      attribute(p, 7).set('kind', 7),
    ),
    'a value of the kind 255': changed(trainingFile.bytes, (p) => attribute(p, 7).set('kind', 255)),
  }),
  ...refusedWith('CKPT_FORMAT', 'integer.safe', {
    'an Integer of 2^53': changed(trainingFile.bytes, (p) =>
      attribute(p, 6).set('integer', 2n ** 53n),
    ),
    'an Integer of -2^53': changed(trainingFile.bytes, (p) =>
      attribute(p, 6).set('integer', -(2n ** 53n)),
    ),
    'an epoch of -2^53': roomy((p) => p.root.set('epoch', -(2n ** 53n))),
    'a step of 2^53': roomy((p) => p.root.set('step', 2n ** 53n)),
    'a sequence of 2^53': changed(ordered, (p) => p.root.set('sequence', 2n ** 53n)),
    'a time of 2^64 - 1': changed(ordered, (p) => p.root.set('saved_at', 2n ** 64n - 1n)),
    'an offset of 2^53': changed(tied.bytes, (p) => modelTensors(p)[8]!.set('offset', 2n ** 53n)),
  }),
  ...refusedWith('CKPT_FORMAT', 'state.name', {
    'an optimizer that is called otherwise': changed(trainingFile.bytes, (p) =>
      p.root.table('optimizer').setText('name', 'Optimizer'),
    ),
    'an extra that is called optimizer': () =>
      forge((b) => ({ model: state(b, 'model', []), extras: [state(b, 'optimizer', [])] })),
    'an extra whose name has 65,536 bytes': () =>
      forge((b) => ({ model: state(b, 'model', []), extras: [state(b, 'n'.repeat(65_536), [])] })),
    'a model whose name goes on behind a zero': () =>
      forge((b) => ({ model: state(b, 'model\0', []) })),
  }),
  ...refusedWith('CKPT_FORMAT', 'tensor.name', {
    'a tensor whose name has 65,536 bytes': () =>
      forge((b) => {
        const name = 'n'.repeat(65_536)
        const none = { dtype: 20, shape: [0], offset: 64, byteLength: 0 }
        return { model: state(b, 'model', [tensor(b, { name, ...none })]) }
      }),
  }),
  ...refusedWith('CKPT_FORMAT', 'tensor.byte_length', {
    'a product that is safe only without the dimension behind it': () =>
      forge((b) => ({
        model: state(b, 'model', [
          tensor(b, {
            name: 'w',
            dtype: 20,
            shape: [2 ** 30, 2 ** 30, 0],
            offset: 64,
            byteLength: 0,
          }),
        ]),
      })),
    'one element of 4 bits': () =>
      forge((b) => ({
        model: state(b, 'model', [
          tensor(b, { name: 'w', dtype: 12, shape: [1], offset: 64, byteLength: 1 }),
        ]),
      })),
  }),
  ...refusedWith('CKPT_FORMAT', 'tensor.offset', {
    'an empty tensor that takes the end of the one before it': changed(tied.bytes, (p) => {
      const [, , , nothing] = modelTensors(p)
      nothing!.set('offset', p.view.getBigUint64(nothing!.position('offset'), true) - 40n)
    }),
    'a second copy over the first': roomy((p) => {
      const at = p.tensor(1).position('offset')
      p.view.setBigUint64(at, p.view.getBigUint64(at, true) - 32n, true)
    }),
  }),
  ...refusedWith('CKPT_FORMAT', 'tensor.data', {
    'data of a tied tensor that leads to another segment': changed(tied.bytes, (p) => {
      const [, head] = modelTensors(p)
      const at = head!.position('data')
      p.view.setUint32(at, p.view.getUint32(at, true) + 64, true)
    }),
    'data at the elements, and not at their length': changed(tied.bytes, (p) => {
      const at = modelTensors(p)[4]!.position('data')
      p.view.setUint32(at, p.view.getUint32(at, true) + 4, true)
    }),
  }),
  ...refusedWith(
    'CKPT_FORMAT',
    'gap',
    {
      'something hidden between two segments': changed(tied.bytes, (p) => {
        const [embedding] = modelTensors(p)
        const end = p.view.getBigUint64(embedding!.position('offset'), true) + 24n
        p.bytes[Number(end)] = 0x80
      }),
      'a length of 1 in front of an empty tensor': changed(tied.bytes, (p) => {
        const at = modelTensors(p).at(-1)!.position('offset')
        p.view.setUint32(Number(p.view.getBigUint64(at, true)) - 4, 1, true)
      }),
      'a gap of zeros where the length has to be': changed(tied.bytes, (p) => {
        const at = Number(p.view.getBigUint64(modelTensors(p)[4]!.position('offset'), true))
        p.bytes.fill(0, at - 4, at)
      }),
    },
    'read',
  ),
  ...refusedWith(
    'CKPT_TENSOR_CHECKSUM',
    undefined,
    {
      'a bit that has changed in the last tensor': () => {
        const bytes = extras.bytes.slice()
        bytes[bytes.length - 1]! ^= 0x80
        return bytes
      },
      'a checksum with its bytes in the reverse order': changed(tied.bytes, (p) => {
        const scalar = modelTensors(p)[4]!
        const at = scalar.position('crc32')
        p.view.setUint32(at, p.view.getUint32(at, true), false)
      }),
    },
    'read',
  ),
  ...refusedWith('CKPT_METADATA_CHECKSUM', undefined, {
    'a checksum over the metadata with its own bytes': () => {
      const patch = new Patch(trainingFile.bytes)
      patch.seal()
      const sum = crc32(patch.bytes.subarray(0, trainingFile.metadataLength))
      patch.root.set('metadata_crc32', sum)
      return patch.bytes
    },
    'a checksum over the whole file': () => {
      const patch = new Patch(trainingFile.bytes)
      patch.root.set('metadata_crc32', 0)
      patch.root.set('metadata_crc32', crc32(patch.bytes))
      return patch.bytes
    },
  }),
]

export const invalidFiles: readonly InvalidFile[] = [...catalogue, ...more].flatMap((fixture) => {
  const { name: about, code, noticed, make } = fixture
  if (noticed === 'config' || MESSAGES.test(about)) return []
  const bytes = make()
  if (bytes.byteLength > LONGEST && !more.includes(fixture)) return []
  // A head that does not hold together is the same finding as a length that does not fit.
  const rule = code === 'CKPT_FILE_LENGTH' ? null : (fixture.rule ?? null)
  return [{ name: fileName(about), about, code, rule, bytes }]
})

/** A name for a file of what is said of it. */
function fileName(about: string): string {
  return about
    .toLowerCase()
    .replace(/\^-?/g, ' to the ')
    .replace(/ - /g, ' less ')
    .replace(/(?<!\w)-(?=\d)/g, 'minus ')
    .replace(/,(?=\d)/g, '')
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '')
}
