import { runInNewContext } from 'node:vm'
import test from 'ava'
import { crc32 } from '../../src/format/checksum.js'
import { loadCheckpoint } from '../../src/load/load.js'
import {
  type CheckpointProgress,
  checkExtras,
  checkMoment,
  checksumOf,
  holdMoment,
  planSave,
  resumeMoment,
} from '../../src/save/plan.js'
import type { Stateful, TensorLike } from '../../src/state.js'
import { memoryState } from '../support/memory-state.js'
import { scattered } from '../support/patterns.js'
import { inMemory } from '../support/saved.js'
import { Rng } from '../support/trainer/rng.js'
import { TiedAutoencoder } from '../support/trainer/tied-autoencoder.js'

const NOTHING = memoryState({})

/** Segments by the names of the tensors over them. */
async function segmentsOf(model: Stateful, optimizer?: Stateful): Promise<string[][]> {
  const { content, sources, tensors } = await planSave(model, optimizer, {})
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

test('bytes of the same length at two places of one buffer are two segments', async (t) => {
  const all = new Float32Array(8)
  const model = memoryState({ start: all.subarray(0, 4), end: all.subarray(4) })
  t.deepEqual(await segmentsOf(model), [['start'], ['end']])
})

test('a generator that uses one array for several tensors is an error, and no tie', async (t) => {
  const array = new Float32Array(4)
  const model: Stateful = {
    async *stateDict() {
      for (const name of ['a', 'b'])
        yield [name, { shape: [4], data: array.fill(name === 'a' ? 1 : 2) }] as const
    },
  }
  await t.throwsAsync(async () => planSave(model, null, {}), {
    code: 'CKPT_TENSOR_CHANGED',
    message: /"a"/,
  })
})

test('a moment that is held twice is the first of the two', async (t) => {
  const w = Float32Array.of(1)
  const plan = await planSave(memoryState({ w }), null, {})
  holdMoment(plan)
  w[0] = 2
  holdMoment(plan)
  t.throws(() => resumeMoment(plan), { code: 'CKPT_TENSOR_CHANGED' })
})

test('tensors that one function fetches are different ones; one tensor under two names is one', async (t) => {
  const values = new Map<string, number>()
  async function fetch(this: { readonly name: string }) {
    return new Float32Array(2).fill(values.get(this.name)!)
  }
  const lazy = (name: string, value: number) => {
    values.set(name, value)
    return { dtype: 'float32' as const, shape: [2], data: fetch, name } as TensorLike
  }
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
  const [tied, device] = [lazy('tied', 3), new OnDevice(5)]
  const model = memoryState({
    a: lazy('a', 1),
    b: lazy('b', 2),
    spread: { ...lazy('c', 9), shape: [2, 1] },
    tied,
    again: tied,
    one: new OnDevice(4),
    two: device,
    second: device,
  })
  t.deepEqual(await segmentsOf(model), [
    ['a'],
    ['b'],
    ['spread'],
    ['tied', 'again'],
    ['one'],
    ['two', 'second'],
  ])
  const checkpoint = await loadCheckpoint(await inMemory(model))
  const found = Array.from(checkpoint.model, ([, tensor]) => tensor.data[0])
  t.deepEqual(found, [1, 2, 9, 3, 3, 4, 5, 5])
})

test('a checkpoint’s tied tensors are tied when it is saved again', async (t) => {
  const w = new Float32Array(4)
  const bytes = await inMemory(memoryState({ a: w, b: w, c: new Float32Array(4) }))
  const { model } = await loadCheckpoint(bytes)
  t.deepEqual(await segmentsOf({ stateDict: () => model }), [['a', 'b'], ['c']])
})

test('a state that is at hand is planned within the call, and no other one is', async (t) => {
  const state = memoryState({ w: new Float32Array(1) })
  t.false(planSave(state, state, { extras: { ema: state } }) instanceof Promise)
  const late = { stateDict: async () => state.stateDict() }
  t.true(planSave(state, late, {}) instanceof Promise)
  t.is((await planSave(state, late, {})).tensors, 2)
})

test('tensors that were collected before a wait are summed before it', async (t) => {
  const w = new Uint8Array(3).fill(1)
  const ema = memoryState({ w: w.slice() })
  const late = { stateDict: async () => ({}) }
  const before = await planSave(memoryState({ w }), null, { extras: { late, ema } })
  t.deepEqual(
    before.sources.map(({ tensor }) => tensor.checksum),
    [crc32(w), undefined],
  )
})

test('a plan that was held can be taken up again where nothing has changed since', async (t) => {
  const w = new Uint8Array(100).fill(1)
  const lazy = { dtype: 'uint8' as const, shape: [1], data: () => new Uint8Array(1) }
  const plan = await planSave(memoryState({ w, lazy }), null, {})
  const checksums = () => plan.sources.map(({ tensor }) => tensor.checksum)
  holdMoment(plan, 1)
  t.deepEqual(checksums(), [undefined, undefined])
  holdMoment(plan)
  t.deepEqual(checksums(), [crc32(w), undefined])
  resumeMoment(plan)
  t.deepEqual(checksums(), [undefined, undefined])
  holdMoment(plan)
  w[99] = 2
  t.throws(() => resumeMoment(plan), { code: 'CKPT_TENSOR_CHANGED', message: /"w" \(model\)/ })
})

test('memory that is gone cannot be held', async (t) => {
  const w = new Uint8Array(100)
  const plan = await planSave(memoryState({ w }), null, {})
  structuredClone(w.buffer, { transfer: [w.buffer] })
  t.throws(() => holdMoment(plan), { code: 'CKPT_TENSOR_CHANGED' })
})

test('written segments must have the checksums of the moment, if these are known', async (t) => {
  const plan = await planSave(
    memoryState({ w: new Uint8Array(3), none: new Uint8Array(0) }),
    null,
    {},
  )
  t.notThrows(() => checkMoment(plan, [7]))
  holdMoment(plan)
  t.notThrows(() => checkMoment(plan, [crc32(new Uint8Array(3))]))
  t.throws(() => checkMoment(plan, [7]), { code: 'CKPT_TENSOR_CHANGED' })
})

test('bytes of any length have one checksum', (t) => {
  const bytes = scattered(64 * 2 ** 20 + 5)
  t.is(checksumOf(bytes), crc32(bytes))
  t.is(checksumOf(new Uint8Array(0)), 0)
})

/** A state whose generator yields these tensors over one array, filled anew for each. */
const reusing = (array: Uint8Array, count: number, asynchronous: boolean): Stateful => ({
  stateDict() {
    const tensorOf = (i: number) =>
      [`w${i}`, { shape: [array.length], data: array.fill(i) }] as const
    if (!asynchronous) {
      return (function* () {
        for (let i = 0; i < count; i++) yield tensorOf(i)
      })()
    }
    return (async function* () {
      for (let i = 0; i < count; i++) yield tensorOf(i)
    })()
  },
})

for (const asynchronous of [false, true]) {
  const kind = asynchronous ? 'an asynchronous generator' : 'a generator'
  test(`${kind} that uses one array for several tensors is noticed`, async (t) => {
    const error = await t.throwsAsync(inMemory(reusing(new Uint8Array(100), 3, asynchronous)), {
      code: 'CKPT_TENSOR_CHANGED',
    })
    t.like(error, { state: 'model', tensor: 'w0' })
    // Of parts of one array as well.
    const array = new Uint8Array(100)
    const parts = {
      *stateDict() {
        for (const length of [10, 20]) {
          yield [`w${length}`, { shape: [length], data: array.fill(length).subarray(0, length) }]
        }
      },
    } as unknown as Stateful
    await t.throwsAsync(inMemory(parts), { code: 'CKPT_TENSOR_CHANGED' })
    // Tied ones are not filled anew.
    t.is((await planSave(reusing(new Uint8Array(0), 3, asynchronous), null, {})).tensors, 3)
  })
}

test('a state dict that never answers ends with an abort, wherever it hangs', async (t) => {
  const never = () => new Promise<never>(() => {})
  let ended = 0
  const hanging: Stateful[] = [
    { stateDict: never },
    {
      stateDict: () =>
        (async function* () {
          yield ['w', { shape: [1], data: new Float32Array(1) }] as const
          await never()
        })(),
    },
    {
      stateDict: () => ({
        [Symbol.asyncIterator]: () => ({ next: never, return: async () => ended++ as never }),
      }),
    },
    {
      stateDict: () => ({
        [Symbol.asyncIterator]: () => ({
          next: never,
          return() {
            throw new Error('not that one')
          },
        }),
      }),
    },
  ]
  for (const state of hanging) {
    const controller = new AbortController()
    const planning = Promise.resolve(planSave(NOTHING, state, {}, controller.signal))
    const reason = new Error('enough')
    controller.abort(reason)
    t.is(await t.throwsAsync(planning), reason)
  }
  t.is(ended, 1, 'an iterator is told that it is over')
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
  const { content } = await planSave(state('model'), state('optimizer'), { extras })
  t.deepEqual(asked, ['model', 'optimizer', 'zeta', 'alpha'])
  t.deepEqual(
    [content.model.name, content.optimizer?.name, ...content.extras.map(({ name }) => name)],
    asked,
  )
  for (const none of [null, undefined]) {
    t.is((await planSave(NOTHING, none, {})).content.optimizer, null)
  }
})

test('progress that is left out is 0, 0, no loss, no metrics, no config, no order and no time', async (t) => {
  const nothing = { loss: null, config: null, sequence: null, savedAt: null }
  const none = { epoch: 0, step: 0, metrics: {}, ...nothing }
  t.deepEqual((await planSave(NOTHING, null, {})).content.progress, none)
  const undefinedOnes = { epoch: undefined, loss: undefined, config: undefined, extras: undefined }
  const given = undefinedOnes as unknown as CheckpointProgress
  t.deepEqual((await planSave(NOTHING, null, given)).content.progress, none)
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
  [{ sequence: -1 }, RangeError, /^sequence must not be negative, found -1/],
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
  [{ config: '{' }, TypeError, /^a config that is a string must be JSON text/],
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
      async () => planSave(NOTHING, null, given),
      { instanceOf: kind, message },
      String(message),
    )
  }
})

test('the errors of an extra name the extra', async (t) => {
  const extras = { ema: memoryState({ w: { shape: [3], data: new Float32Array(1) } }) }
  await t.throwsAsync(async () => planSave(NOTHING, null, { extras }), {
    instanceOf: RangeError,
    message: /^the tensor "w" of "ema": expected 12 bytes/,
  })
})

test('checkExtras lists names in their order and takes none for none', (t) => {
  t.deepEqual(checkExtras(undefined), [])
  t.deepEqual(checkExtras({ b: NOTHING, a: NOTHING }), [
    ['b', NOTHING],
    ['a', NOTHING],
  ])
})
