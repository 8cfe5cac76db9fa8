import { runInNewContext } from 'node:vm'
import test from 'ava'
import { loadCheckpoint } from '../../src/load/load.js'
import { type CheckpointProgress, checkExtras, collectContents } from '../../src/save/plan.js'
import type { Stateful } from '../../src/state.js'
import { memoryState } from '../support/memory-state.js'
import { inMemory } from '../support/saved.js'
import { Rng } from '../support/trainer/rng.js'
import { TiedAutoencoder } from '../support/trainer/tied-autoencoder.js'

const NOTHING = memoryState({})

/** Segments by the names of the tensors over them. */
async function segmentsOf(model: Stateful, optimizer?: Stateful): Promise<string[][]> {
  const { content, sources, tensors } = await collectContents(model, optimizer, {})
  const segments: string[][] = content.segmentLengths.map(() => [])
  for (const state of [content.model, content.optimizer]) {
    for (const { name, segment } of state?.tensors ?? []) segments[segment]!.push(name)
  }
  if (sources.length !== segments.length) throw new Error('not one source a segment')
  if (tensors !== segments.flat().length) throw new Error('the tensors are miscounted')
  return segments
}

test('tied weights are two tensors over one segment', async (t) => {
  const segments = await segmentsOf(new TiedAutoencoder(4, 2, new Rng(1)))
  t.deepEqual(segments, [['encoder.weight', 'decoder.weight'], ['encoder.bias'], ['decoder.bias']])
})

test('exactly the same bytes are shared, under any dtype and shape, and across states', async (t) => {
  const { buffer } = new Float32Array(8)
  const tensor = (dtype: 'float32' | 'int32' | 'uint8', offset: number, shape: number[]) => {
    const count = shape.reduce((n, length) => n * length, 1)
    const data = new Uint8Array(buffer, offset, dtype === 'uint8' ? count : count * 4)
    return { dtype, shape, data }
  }
  const model = memoryState({
    all: tensor('float32', 0, [8]),
    matrix: tensor('float32', 0, [2, 4]),
    bits: tensor('int32', 0, [8]),
    // These overlap, and are no more the same than any others.
    start: tensor('float32', 0, [4]),
    end: tensor('float32', 4, [7]),
    bytes: tensor('uint8', 4, [28]),
    other: new Float32Array(8),
  })
  t.deepEqual(await segmentsOf(model, memoryState({ shadow: tensor('float32', 0, [8]) })), [
    ['all', 'matrix', 'bits', 'shadow'],
    ['start'],
    ['end', 'bytes'],
    ['other'],
  ])
})

test('what one function fetches is one tensor, and a method is another for every object', async (t) => {
  class OnDevice {
    readonly dtype = 'float32'
    readonly shape = [2]
    readonly #value: number
    constructor(value: number) {
      this.#value = value
    }
    async data() {
      return new Float32Array(2).fill(this.#value)
    }
  }
  const data = () => new Float32Array(2)
  const lazy = (fetch: () => Float32Array, shape = [2]) => ({
    dtype: 'float32' as const,
    shape,
    data: fetch,
  })
  const tied = new OnDevice(3)
  const model = memoryState({
    a: lazy(data),
    b: lazy(data),
    column: lazy(data, [2, 1]),
    c: lazy(() => data()),
    one: new OnDevice(1),
    two: new OnDevice(2),
    three: tied,
    third: tied,
  })
  t.deepEqual(await segmentsOf(model), [
    ['a', 'b', 'column'],
    ['c'],
    ['one'],
    ['two'],
    ['three', 'third'],
  ])
  const checkpoint = await loadCheckpoint(await inMemory(model))
  const values = ['one', 'two', 'three', 'third'].map((name) => checkpoint.model.get(name).data[0])
  t.deepEqual(values, [1, 2, 3, 3])
})

test('states come as model, optimizer and the extras in their order, each asked once', async (t) => {
  const asked: string[] = []
  const state = (name: string) => ({
    stateDict() {
      asked.push(name)
      return {}
    },
  })
  const extras = { zeta: state('zeta'), alpha: state('alpha') }
  const { content } = await collectContents(state('model'), state('optimizer'), { extras })
  t.deepEqual(asked, ['model', 'optimizer', 'zeta', 'alpha'])
  t.deepEqual(
    [content.model.name, content.optimizer?.name, ...content.extras.map(({ name }) => name)],
    asked,
  )
  for (const none of [null, undefined]) {
    t.is((await collectContents(NOTHING, none, {})).content.optimizer, null)
  }
})

test('progress that is left out is 0, 0, no loss, no metrics, no config, no order and no time', async (t) => {
  const nothing = { loss: null, config: null, sequence: null, savedAt: null }
  const none = { epoch: 0, step: 0, metrics: {}, ...nothing }
  t.deepEqual((await collectContents(NOTHING, null, {})).content.progress, none)
  const undefinedOnes = { epoch: undefined, loss: undefined, config: undefined, extras: undefined }
  const given = undefinedOnes as unknown as CheckpointProgress
  t.deepEqual((await collectContents(NOTHING, null, given)).content.progress, none)
})

test('numbers of progress come back as they were given', async (t) => {
  for (const number of [0, -0, 1, -1, 0.1, NaN, Infinity, -Infinity, 5e-324, 2 ** 1023]) {
    const metrics = { a: number }
    const checkpoint = await loadCheckpoint(
      await inMemory(NOTHING, null, { loss: number, metrics }),
    )
    t.is(checkpoint.loss, number)
    t.is(checkpoint.metrics.a, number)
  }
  for (const number of [0, 1, -1, 2 ** 31, 2 ** 53 - 1, -(2 ** 53 - 1)]) {
    const progress = { epoch: number, step: number }
    const checkpoint = await loadCheckpoint(await inMemory(NOTHING, null, progress))
    t.deepEqual([checkpoint.epoch, checkpoint.step], [number, number])
  }
})

test('the names of metrics and of extras may be those of properties', async (t) => {
  const names = ['__proto__', 'constructor', 'toString', 'hasOwnProperty']
  const metrics = Object.fromEntries(names.map((name, i) => [name, i]))
  const extras = Object.fromEntries(names.map((name) => [name, memoryState({}, {}, name)]))
  const checkpoint = await loadCheckpoint(await inMemory(NOTHING, null, { metrics, extras }))
  t.deepEqual(Object.entries(checkpoint.metrics), Object.entries(metrics))
  t.deepEqual([...checkpoint.extras.keys()], names)
  t.deepEqual(
    Array.from(checkpoint.extras.values(), ({ kind }) => kind),
    names,
  )
  t.is(Object.getPrototypeOf(checkpoint.metrics), Object.prototype)
})

test('the place in the order of saves and the time come back, and are absent where none is given', async (t) => {
  const savedWith = async (options: CheckpointProgress) => {
    const bytes = await inMemory(NOTHING, null, options)
    const { sequence, savedAt } = await loadCheckpoint(bytes)
    return { sequence, savedAt, bytes }
  }
  const absent = await savedWith({})
  t.like(absent, { sequence: null, savedAt: null })
  t.deepEqual(await savedWith({ sequence: null, savedAt: null }), absent)
  t.like(await savedWith({ sequence: 0, savedAt: 0 }), { sequence: 0, savedAt: 0 })
  const most = Number.MAX_SAFE_INTEGER
  t.like(await savedWith({ sequence: most, savedAt: most }), { sequence: most, savedAt: most })
  const date = new Date('2026-11-28T08:30:00.250Z')
  const foreign = runInNewContext(`new Date(${date.getTime()})`)
  for (const savedAt of [date, foreign, date.getTime()]) {
    t.like(await savedWith({ savedAt }), { sequence: null, savedAt: date.getTime() })
  }
})

const refusals: readonly [given: object, kind: typeof TypeError, message: RegExp][] = [
  [{ epoch: '3' }, TypeError, /^epoch must be a number, not a string/],
  [{ epoch: 3n }, TypeError, /^epoch must be a number, not a bigint/],
  [{ epoch: null }, TypeError, /^epoch must be a number, not null/],
  [{ epoch: 1.5 }, RangeError, /^epoch must be an integer .*, not 1.5/],
  [{ step: NaN }, RangeError, /^step must be an integer .*, not NaN/],
  [{ step: 2 ** 53 }, RangeError, /^step must be an integer of at most 2\^53 - 1/],
  [{ step: Infinity }, RangeError, /^step must be an integer/],
  [{ loss: '0.5' }, TypeError, /^loss must be a number or null, not a string/],
  [{ loss: Float32Array.of(1) }, TypeError, /^loss must be .*, not an instance of Float32Array/],
  [{ sequence: -1 }, RangeError, /^sequence must not be negative, but it is -1/],
  [{ sequence: 1.5 }, RangeError, /^sequence must be an integer .*, not 1.5/],
  [{ sequence: '1' }, TypeError, /^sequence must be a number, not a string/],
  [{ savedAt: -1 }, RangeError, /^savedAt must not be negative/],
  [{ savedAt: new Date(Number.NaN) }, RangeError, /^savedAt must be an integer .*, not NaN/],
  [{ savedAt: '2026-11-28' }, TypeError, /^savedAt must be a number, not a string/],
  [{ savedAt: {} }, TypeError, /^savedAt must be a number, not an object/],
  [{ metrics: [1] }, TypeError, /^metrics must be a plain object of numbers, not an array/],
  [{ metrics: null }, TypeError, /^metrics must be a plain object of numbers, not null/],
  [{ metrics: new Map() }, TypeError, /^metrics must be .*, not an instance of Map/],
  [{ metrics: { a: '1' } }, TypeError, /^the metric "a" must be a number, not a string/],
  [{ metrics: { a: undefined } }, TypeError, /^the metric "a" must be a number, not undefined/],
  [{ metrics: { '': 1 } }, TypeError, /^the name of a metric, "", is empty/],
  [{ metrics: { 'a\0': 1 } }, TypeError, /^the name of a metric, "a\\u\{0\}", contains U\+0000/],
  [{ config: { a: [NaN] } }, TypeError, /^config\.a\[0\] is NaN, which JSON cannot hold/],
  [{ config: { a: undefined } }, TypeError, /^config\.a is undefined/],
  [{ config: { at: new Date(0) } }, TypeError, /^config\.at is an instance of Date/],
  [{ config: '{' }, TypeError, /^config is a string, but not JSON text/],
  [{ extras: [NOTHING] }, TypeError, /^extras must be a plain object of names, not an array/],
  [{ extras: new Map([['a', NOTHING]]) }, TypeError, /^extras must be .*, not an instance of Map/],
  [{ extras: { model: NOTHING } }, TypeError, /^the name of an extra, "model", is taken/],
  [{ extras: { optimizer: NOTHING } }, TypeError, /^the name of an extra, "optimizer", is taken/],
  [{ extras: { '': NOTHING } }, TypeError, /^the name of an extra, "", is empty/],
  [{ extras: { '\ud800': NOTHING } }, TypeError, /surrogate pair/],
  [{ extras: { ema: undefined } }, TypeError, /^ema must have a stateDict\(\) method/],
  [{ extras: { ema: {} } }, TypeError, /^ema must have a stateDict\(\) method/],
]

test('progress that cannot be kept is refused by name, before any bytes are read', async (t) => {
  for (const [given, kind, message] of refusals) {
    await t.throwsAsync(
      collectContents(NOTHING, null, given),
      { instanceOf: kind, message },
      String(message),
    )
  }
})

test('the errors of an extra name the extra', async (t) => {
  const extras = { ema: memoryState({ w: { shape: [3], data: new Float32Array(1) } }) }
  await t.throwsAsync(collectContents(NOTHING, null, { extras }), {
    instanceOf: RangeError,
    message: /^the tensor "w" of ema needs 12 bytes/,
  })
})

test('checkExtras lists names in their order and takes none for none', (t) => {
  t.deepEqual(checkExtras(undefined), [])
  t.deepEqual(checkExtras({ b: NOTHING, a: NOTHING }), [
    ['b', NOTHING],
    ['a', NOTHING],
  ])
})
