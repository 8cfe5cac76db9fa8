import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import type { Attributes } from '../../src/format/attributes.js'
import { type CheckpointError, loadCheckpoint, restoreCheckpoint } from '../../src/index.js'
import { objectOf } from '../support/format/contents.js'
import { checkMessage } from '../support/fuzz/examine.js'
import { plainModel } from '../support/hostile/goldens.js'
import { MISLEADING, misleadingFile } from '../support/hostile/names.js'
import { memoryState } from '../support/memory-state.js'
import { scratchFolder } from '../support/scratch.js'
import { loadBy, ways } from '../support/ways-to-load.js'

const file = await misleadingFile()

/** Every property of every prototype that plain objects, arrays and Maps have. */
function prototypes(): unknown[] {
  return [Object, Array, Map, Function, Error, Promise].map(({ prototype }) => [
    Reflect.ownKeys(prototype),
    Object.getPrototypeOf(prototype),
  ])
}

/** A map's own entries, whatever its keys are called. */
function entriesOf(map: Attributes | object): [string, unknown][] {
  return Reflect.ownKeys(map).map((key) => [
    String(key),
    Object.getOwnPropertyDescriptor(map, key)?.value,
  ])
}

// Keys that are numbers come first in a JavaScript object; nothing else is said of their order here.
const sorted = (entries: [string, unknown][]) => entries.sort(([a], [b]) => (a < b ? -1 : 1))
const expected = (value: (i: number) => unknown) =>
  sorted(MISLEADING.map((name, i) => [name, value(i)]))

for (const way of ways) {
  test(`${way}: any name is only a name, for tensors, attributes, metrics and extras`, async (t) => {
    const before = prototypes()
    const path = join(await scratchFolder(t), 'names.ckpt')
    await writeFile(path, file)
    await using checkpoint = await loadBy(way, path)
    await checkpoint.verify()

    const { model } = checkpoint
    t.deepEqual([...model.keys()].sort(), [...MISLEADING].sort())
    for (const [i, name] of MISLEADING.entries()) {
      t.true(model.has(name))
      t.is(model.get(name).name, name)
      t.deepEqual([...(await model.get(name).read())], [i, i + 1])
    }
    t.false(model.has('__lookupGetter__'))

    const { top, list, ...rest } = model.attributes as {
      top: Attributes
      list: [Attributes]
    } & Attributes
    // Rest properties are set by definition: `__proto__` is among them.
    t.deepEqual(
      sorted(entriesOf(rest)),
      expected((i) => i / 2),
    )
    t.deepEqual(
      sorted(entriesOf(top)),
      expected((i) => i),
    )
    t.deepEqual(
      sorted(entriesOf(list[0])),
      expected((i) => (i === 0 ? -0 : -i)),
    )
    t.deepEqual(
      sorted(entriesOf(checkpoint.metrics)),
      expected((i) => i + 0.5),
    )
    t.deepEqual(
      sorted(entriesOf(checkpoint.config as object)),
      expected((i) => i),
    )
    for (const map of [model.attributes, top, list[0], checkpoint.metrics]) {
      t.is(Object.getPrototypeOf(map), Object.prototype)
    }

    t.deepEqual([...checkpoint.extras.keys()].sort(), [...MISLEADING].sort())
    for (const [i, name] of MISLEADING.entries()) {
      const extra = checkpoint.extras.get(name)!
      t.is(extra.name, name)
      t.deepEqual(extra.attributes, { i })
      t.deepEqual([...(await extra.get('own').read())], [i])
    }
    t.deepEqual(prototypes(), before)
  })

  test(`${way}: such names are restored into the same names, and nowhere else`, async (t) => {
    const before = prototypes()
    const path = join(await scratchFolder(t), 'names.ckpt')
    await writeFile(path, file)
    await using checkpoint = await loadBy(way, path)
    const arrays = MISLEADING.map((name) => [name, new Uint8Array(2)] as const)
    const model = memoryState(objectOf(arrays), {})
    const extras = MISLEADING.map(
      (name) => [name, memoryState({ own: new Uint16Array(1) }, {})] as const,
    )
    await restoreCheckpoint(checkpoint, model, null, { extras: objectOf(extras) })
    for (const [i, [, data]] of arrays.entries()) t.deepEqual([...data], [i, i + 1])
    for (const [i, [, extra]] of extras.entries()) {
      t.deepEqual(extra.tensors.own?.data, Uint16Array.of(i))
      t.deepEqual(extra.attributes, { i })
    }
    t.deepEqual(prototypes(), before)
    t.is(({} as Record<string, unknown>).polluted, undefined)
  })
}

test('a missing name is not found among the properties of every object', async (t) => {
  const path = join(await scratchFolder(t), 'plain.ckpt')
  await writeFile(path, plainModel.bytes)
  await using checkpoint = await loadBy('memory', path)
  for (const name of ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'valueOf']) {
    t.false(checkpoint.model.has(name))
    t.throws(() => checkpoint.model.get(name), { code: 'CKPT_NO_SUCH_TENSOR' })
    t.false(checkpoint.extras.has(name))
  }
})

test('an error about a state with any name can be printed', async (t) => {
  const checkpoint = await loadCheckpoint(file)
  for (const state of checkpoint.states) {
    const error = t.throws<CheckpointError>(() => state.get('\u001b[2J'), {
      code: 'CKPT_NO_SUCH_TENSOR',
    })
    if (state.name.length < 1_000) t.notThrows(() => checkMessage(error!), state.name)
  }
})

// Of a mismatch the names of tensors are escaped, and those of states not yet.
test('a list of differences of a state with any name can be printed', async (t) => {
  const checkpoint = await loadCheckpoint(file)
  // Somebody who restores whatever there is.
  const all = checkpoint.states.map(({ name }) => name)
  const extras = objectOf(all.slice(1).map((name) => [name, memoryState({ z: new Uint8Array(1) })]))
  const error = await t.throwsAsync<CheckpointError>(
    restoreCheckpoint(checkpoint, memoryState({}), null, { extras }),
    { code: 'CKPT_STATE_MISMATCH' },
  )
  t.notThrows(() => checkMessage(error!))
})
