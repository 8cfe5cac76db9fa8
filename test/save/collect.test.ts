import test from 'ava'
import { dtypes } from '../../src/format/dtype.js'
import { loadCheckpoint } from '../../src/load/load.js'
import {
  type CollectedTensor,
  checkStateful,
  collectState,
  tensorBytes,
} from '../../src/save/collect.js'
import type { StateDict, Stateful, TensorLike } from '../../src/state.js'
import { memoryState } from '../support/memory-state.js'
import { inMemory } from '../support/saved.js'

const W: TensorLike = { shape: [2], data: Float32Array.of(1, 2) }
const B: TensorLike = { shape: [], data: Int8Array.of(3) }

/** Collects what a `stateDict()` returns, which may be anything. */
const collect = (dict: unknown) => collectState({ stateDict: () => dict as StateDict }, 'model')

const collectOne = async (tensor: unknown): Promise<CollectedTensor> =>
  (await collect([['w', tensor]])).tensors.get('w')!

async function* later<T>(items: Iterable<T>): AsyncGenerator<T> {
  for (const item of items) yield item
}

function* now<T>(items: Iterable<T>): Generator<T> {
  yield* items
}

const PAIRS: readonly [string, TensorLike][] = [
  ['w', W],
  ['b', B],
]

const forms: { readonly [form: string]: unknown } = {
  'an object': { w: W, b: B },
  'an object without a prototype': Object.assign(Object.create(null), { w: W, b: B }),
  'a Map': new Map(PAIRS),
  'a list of pairs': PAIRS,
  'a generator': now(PAIRS),
  'an asynchronous generator': later(PAIRS),
  'a promise of an object': Promise.resolve({ w: W, b: B }),
  'a promise of an asynchronous generator': Promise.resolve(later(PAIRS)),
}

for (const [form, dict] of Object.entries(forms)) {
  test(`a state dict may be ${form}`, async (t) => {
    const state = await collect(dict)
    t.deepEqual([...state.tensors.keys()], ['w', 'b'])
    const [w, b] = [...state.tensors.values()]
    t.like(w, { name: 'w', dtype: 'float32', shape: [2], byteLength: 8, fetch: undefined })
    t.like(b, { name: 'b', dtype: 'int8', shape: [], byteLength: 1, fetch: undefined })
    t.is(w!.bytes!.buffer, (W.data as Float32Array).buffer)
    t.like(state, { name: 'model', kind: null, attributes: {} })
  })
}

for (const [form, tensors] of Object.entries({
  'an object': { w: W, b: B },
  'a Map': new Map(PAIRS),
  'an asynchronous generator': later(PAIRS),
})) {
  test(`a state dict with attributes and a kind may have ${form} of tensors`, async (t) => {
    const state = await collect({ tensors, attributes: { lr: 0.1 }, kind: 'SGD' })
    t.deepEqual([...state.tensors.keys()], ['w', 'b'])
    t.like(state, { kind: 'SGD', attributes: { lr: 0.1 } })
  })
}

test('tensors may be called tensors, attributes, kind, shape and data', async (t) => {
  const names = ['tensors', 'attributes', 'kind', 'shape', 'data']
  const dict = Object.fromEntries(names.map((name) => [name, W]))
  for (const form of [dict, { tensors: dict }, new Map(Object.entries(dict))]) {
    t.deepEqual([...(await collect(form)).tensors.keys()], names)
  }
  t.deepEqual(
    [...(await collect({ kind: W, attributes: B })).tensors.keys()],
    ['kind', 'attributes'],
  )
})

test('a state without tensors is one', async (t) => {
  for (const dict of [{}, [], new Map(), { tensors: {} }, { tensors: [], attributes: {} }]) {
    t.is((await collect(dict)).tensors.size, 0)
  }
})

test('stateDict is called as a method', async (t) => {
  class Model implements Stateful {
    readonly #tensors = { w: W }
    stateDict() {
      return this.#tensors
    }
  }
  t.true((await collectState(new Model(), 'model')).tensors.has('w'))
})

test('data may be a typed array of any kind, a DataView, a buffer or a shared one', async (t) => {
  const shared = new SharedArrayBuffer(8)
  for (const [dtype, data] of [
    ['float64', new Float64Array(1)],
    ['float32', new Float32Array(2)],
    ['int64', new BigInt64Array(1)],
    ['uint8', new Uint8ClampedArray(8)],
    ['bfloat16', new Uint16Array(4)],
    ['float16', new Uint8Array(8)],
    ['complex64', new Float32Array(2)],
    ['complex128', new Uint8Array(16)],
    ['bool', new Uint8Array(8)],
    ['float4_e2m1fn', new Uint8Array(8)],
    ['float6_e2m3fn', new Uint8Array(6)],
    ['float32', new DataView(new ArrayBuffer(16), 4, 8)],
    ['float32', new ArrayBuffer(8)],
    ['float32', shared],
    ['float32', new Float32Array(shared)],
    ['int16', Buffer.alloc(6)],
  ] as const) {
    const bits: { [dtype: string]: number } = {
      ...{ float64: 64, float32: 32, int64: 64, uint8: 8, bfloat16: 16, float16: 16, int16: 16 },
      ...{ complex64: 64, complex128: 128, bool: 8, float4_e2m1fn: 4, float6_e2m3fn: 6 },
    }
    const shape = [(data.byteLength * 8) / bits[dtype]!]
    const { bytes } = await collectOne({ dtype, shape, data })
    t.is(bytes!.byteLength, data.byteLength)
    t.is(bytes!.buffer, ArrayBuffer.isView(data) ? data.buffer : data)
    t.is(bytes!.byteOffset, ArrayBuffer.isView(data) ? data.byteOffset : 0)
  }
})

test('the array says the dtype where it is left out', async (t) => {
  for (const [dtype, data] of [
    ['float64', new Float64Array(2)],
    ['float32', new Float32Array(2)],
    ['int8', new Int8Array(2)],
    ['int16', new Int16Array(2)],
    ['int32', new Int32Array(2)],
    ['int64', new BigInt64Array(2)],
    ['uint8', new Uint8Array(2)],
    ['uint8', new Uint8ClampedArray(2)],
    ['uint16', new Uint16Array(2)],
    ['uint32', new Uint32Array(2)],
    ['uint64', new BigUint64Array(2)],
  ] as const) {
    t.is((await collectOne({ shape: [2], data })).dtype, dtype)
  }
})

test('a function is kept for later, and called as a method of its tensor', async (t) => {
  let calls = 0
  class DeviceTensor implements TensorLike {
    readonly dtype = 'float32'
    readonly shape = [1]
    readonly #value: number
    constructor(value: number) {
      this.#value = value
    }
    data() {
      calls++
      return Float32Array.of(this.#value)
    }
  }
  const collected = await collectOne(new DeviceTensor(7))
  t.is(calls, 0)
  t.like(collected, { dtype: 'float32', byteLength: 4, bytes: undefined })
  t.deepEqual(await collected.fetch!(), Float32Array.of(7))
})

test('a getter of data is asked once', async (t) => {
  let asked = 0
  await collectOne({
    shape: [1],
    get data() {
      asked++
      return new Float32Array(1)
    },
  })
  t.is(asked, 1)
})

test('a shape is copied, and attributes are: what the trainer does to them later changes nothing', async (t) => {
  const shape = [1, 2]
  const attributes = { groups: [{ lr: 0.1 }] }
  const state = await collect({ tensors: { w: { shape, data: W.data } }, attributes })
  shape[0] = 9
  attributes.groups[0]!.lr = 9
  t.deepEqual(state.tensors.get('w')!.shape, [1, 2])
  t.deepEqual(state.attributes, { groups: [{ lr: 0.1 }] })
})

test('the state of a checkpoint is a state dict, with or without a kind, and read when its turn comes', async (t) => {
  for (const kind of [undefined, 'MLP']) {
    const bytes = await inMemory(memoryState({ w: Float32Array.of(1, 2) }, { lr: 1 }, kind))
    await using checkpoint = await loadCheckpoint(new Blob([bytes]))
    const state = await collect(checkpoint.model)
    t.like(state, { kind: kind ?? null, attributes: { lr: 1 } })
    const { bytes: inPlace, fetch } = state.tensors.get('w')!
    t.is(inPlace, undefined)
    t.deepEqual(await fetch!(), Float32Array.of(1, 2))
  }
})

test('an object without a stateDict is refused by name', async (t) => {
  for (const [source, found] of [
    [undefined, /found undefined/],
    [null, /found null/],
    [{}, /found an object/],
    [new Map(), /found an instance of Map/],
    [{ stateDict: {} }, /found an object/],
    ['model', /found a string/],
  ] as const) {
    t.throws(() => checkStateful(source, 'optimizer'), {
      instanceOf: TypeError,
      message: /^optimizer must have a stateDict\(\) method/,
    })
    await t.throwsAsync(collectState(source as unknown as Stateful, 'optimizer'), {
      instanceOf: TypeError,
      message: found,
    })
  }
})

test('a value that is not a state dict is refused by the name of the state', async (t) => {
  for (const [dict, message] of [
    [undefined, /model\.stateDict\(\) must return .*; it returned undefined/],
    [null, /it returned null/],
    [3, /it returned a number/],
    ['w', /it returned a string/],
    [() => ({}), /it returned a function/],
    [{ tensors: null }, /the tensors of model must be named tensors, not null/],
    [{ tensors: 'w' }, /the tensors of model must be named tensors, not a string/],
    [[W], /the tensors of model must be pairs/],
    [[['w', W, 'more']], /the tensors of model must be pairs/],
    [new Set(['w']), /the tensors of model must be pairs/],
    [{ tensors: {}, kind: 3 }, /the kind of model must be a string, not a number/],
    [{ tensors: {}, kind: '\ud800' }, /the kind of model contains half of a surrogate pair/],
    [{ tensors: {}, attributes: [] }, /model\.attributes must be a plain object, not an array/],
    [{ tensors: {}, attributes: { a: [0, { b: new Date() }] } }, /model\.attributes\.a\[1\]\.b is/],
    [{ tensors: {}, attributes: { a: undefined } }, /model\.attributes\.a is undefined/],
  ] as const) {
    await t.throwsAsync(collect(dict), { instanceOf: TypeError, message }, String(message))
  }
})

test('a name that a file cannot hold is refused', async (t) => {
  for (const [name, message] of [
    ['', /the name of a tensor of model, "", is empty/],
    ['a\0b', /"a\\u\{0\}b", contains U\+0000/],
    ['\udc00', /half of a surrogate pair/],
    ['n'.repeat(65_536), /is longer than 65535 bytes/],
    ['チ'.repeat(21_846), /is longer than 65535 bytes/],
    [7, /"7", is not a string/],
    [Symbol('w'), /"Symbol\(w\)", is not a string/],
  ] as const) {
    await t.throwsAsync(collect([[name, W]]), { instanceOf: TypeError, message }, String(message))
  }
  const longest = ['n'.repeat(65_535), 'チ'.repeat(21_845)]
  t.deepEqual([...(await collect(longest.map((name) => [name, W]))).tensors.keys()], longest)
})

test('a name that comes twice is refused', async (t) => {
  await t.throwsAsync(collect([...PAIRS, ['w', B]]), {
    instanceOf: TypeError,
    message: 'model has two tensors named "w"',
  })
  // The same letters, composed in two ways, are two names.
  t.is(
    (
      await collect([
        ['é', W],
        ['é'.normalize('NFD'), W],
      ])
    ).tensors.size,
    2,
  )
})

const data = new Float32Array(6)

const refusals: readonly [tensor: unknown, message: RegExp][] = [
  [undefined, /must be an object with shape and data, not undefined/],
  [null, /not null/],
  [3, /not a number/],
  [() => data, /not a function/],
  [new Float32Array(6), /shape: \[6\], data/],
  [{ shape: [6] }, /without data/],
  [{ shape: [6], data: [1, 2, 3, 4, 5, 6] }, /found an array: pass new Float32Array/],
  [{ shape: [6], data: new ArrayBuffer(24) }, /needs a dtype/],
  [{ shape: [6], data: new DataView(new ArrayBuffer(24)) }, /needs a dtype/],
  [{ shape: [6], data: () => data }, /needs a dtype/],
  [{ shape: [6], dtype: 'float', data }, /unknown dtype "float": expected one of float64, float32/],
  [{ shape: [6], dtype: 'toString', data }, /unknown dtype "toString"/],
  [{ shape: [6], dtype: 3, data }, /unknown dtype "3"/],
  [{ data }, /needs a shape/],
  [{ shape: null, data }, /needs a shape/],
  [{ shape: 6, data }, /needs a shape/],
  [{ shape: [6], dtype: 'float32', data: undefined }, /must be a typed array, .* found undefined/],
  [{ shape: [6], dtype: 'float32', data: null }, /found null/],
  [{ shape: [6], dtype: 'float32', data: [...data] }, /found an array/],
  [{ shape: [6], dtype: 'float32', data: 'data' }, /found a string/],
  [{ shape: [6], dtype: 'int32', data }, /has the dtype int32, but its data is float32/],
  [{ shape: [6], dtype: 'float16', data: new Float32Array(3) }, /float16, but its data is float32/],
  [{ shape: [24], dtype: 'bool', data: new Int8Array(24) }, /bool, but its data is int8/],
  [{ shape: [3], dtype: 'complex64', data: new Float64Array(3) }, /complex64, but .* float64/],
]

const misfits: readonly [tensor: unknown, message: RegExp][] = [
  [{ shape: [5], data }, /expected 20 bytes by its dtype and shape, found 24/],
  [{ shape: [7], data }, /expected 28 bytes/],
  [{ shape: [], data }, /expected 4 bytes/],
  [{ shape: [0], data }, /expected 0 bytes/],
  [{ shape: [2, 3, 2], data }, /expected 48 bytes/],
  [{ shape: [-6], data }, /has a dimension of -6/],
  [{ shape: [-2, -3], data }, /has a dimension of -2/],
  [{ shape: [1.5], data }, /has a dimension of 1.5/],
  [{ shape: [NaN], data }, /has a dimension of NaN/],
  [{ shape: ['6'], data }, /has a dimension of the string "6"/],
  [{ shape: [6n], data }, /has a dimension of 6/],
  [{ shape: [undefined, 6], data }, /has a dimension of undefined/],
  [{ shape: [2 ** 53], data }, /has a dimension of 9007199254740992/],
  [{ shape: [2 ** 30, 2 ** 30], data }, /does not fill whole bytes or exceeds/],
  // A huge dimension cannot hide behind an empty one.
  [{ shape: [0, 2 ** 30, 2 ** 30], data }, /does not fill whole bytes or exceeds/],
  [{ shape: [2 ** 52], data }, /does not fill whole bytes or exceeds/],
  [{ shape: [3], dtype: 'float4_e2m1fn', data: new Uint8Array(2) }, /does not fill whole bytes/],
  [{ shape: [3], dtype: 'float6_e3m2fn', data: new Uint8Array(3) }, /does not fill whole bytes/],
  [
    { shape: new Array(65).fill(1), data: new Float32Array(1) },
    /has 65 dimensions: expected at most 64/,
  ],
]

for (const [kind, cases] of [
  [TypeError, refusals],
  [RangeError, misfits],
] as const) {
  test(`an invalid tensor is a ${kind.name} with its name and the fault`, async (t) => {
    for (const [tensor, message] of cases) {
      const error = await t.throwsAsync(collectOne(tensor), { instanceOf: kind }, String(message))
      t.regex(error!.message, message)
      t.regex(error!.message, /^(the data of )?the tensor "w" of model\b/)
    }
  })
}

test('memory that was detached before the save is refused', async (t) => {
  const gone = new Float32Array(2)
  structuredClone(gone.buffer, { transfer: [gone.buffer] })
  await t.throwsAsync(collectOne({ shape: [2], data: gone }), {
    instanceOf: RangeError,
    message: /expected 8 bytes by its dtype and shape, found 0/,
  })
})

test('64 dimensions are allowed, and every dtype is', async (t) => {
  const scalar = { shape: new Array(64).fill(1), data: new Float32Array(1) }
  t.is((await collectOne(scalar)).shape.length, 64)
  for (const dtype of dtypes) {
    // The smallest number of elements that fills whole bytes in any of them.
    const { byteLength } = await collectOne({ dtype, shape: [4], data: () => data })
    t.is((await collectOne({ dtype, shape: [4], data: new Uint8Array(byteLength) })).dtype, dtype)
  }
})

test('an error of a state dict, or in the middle of its generator, comes through as it is', async (t) => {
  const own = new Error('out of memory')
  const rejects = async (source: Stateful) =>
    t.is(await t.throwsAsync(collectState(source, 'model')), own)
  await rejects({
    stateDict() {
      throw own
    },
  })
  await rejects({ stateDict: () => Promise.reject(own) })
  await rejects({
    async *stateDict() {
      yield ['w', W] as const
      throw own
    },
  })
})

test('a generator is told to clean up when one of its tensors is refused', async (t) => {
  let cleanedUp = false
  await t.throwsAsync(
    collectState(
      {
        *stateDict() {
          try {
            yield ['w', { shape: [3], data: new Float32Array(1) }] as const
          } finally {
            cleanedUp = true
          }
        },
      },
      'model',
    ),
    { instanceOf: RangeError },
  )
  t.true(cleanedUp)
})

test('fetched tensors are validated like tensors in memory', (t) => {
  const what = 'the tensor "w" of model'
  t.is(tensorBytes(data, 'float32', 24, what).buffer, data.buffer)
  t.throws(() => tensorBytes(data, 'int32', 24, what), { instanceOf: TypeError })
  t.throws(() => tensorBytes(data, 'float32', 20, what), { instanceOf: RangeError })
  for (const wrong of [undefined, null, [1, 2], 'data', {}]) {
    t.throws(() => tensorBytes(wrong as unknown as Float32Array, 'float32', 24, what), {
      instanceOf: TypeError,
      message: /^the data of the tensor "w" of model must be a typed array/,
    })
  }
})

test('a tensor of an older copy of this library, which does not tell its segment, is its own origin', async (t) => {
  const read = async () => Float32Array.of(1, 2)
  const older = { dtype: 'float32', shape: [2], data: null, read, readInto: () => {} }
  const collected = await collectOne(older)
  t.is(collected.origin, older)
  t.deepEqual(await collected.fetch!(), Float32Array.of(1, 2))
})

test('a tensor that has a function called read, and is none of a checkpoint, has its data', async (t) => {
  const tensor = { ...W, read: () => t.fail() }
  t.is((await collectOne(tensor)).bytes!.buffer, (W.data as Float32Array).buffer)
})

test('an iterator that is left need not have an end of its own, and may fail at it', async (t) => {
  const wrong = ['w', { shape: [3], data: Float32Array.of(1) }]
  const iterators: Iterator<unknown>[] = [
    { next: () => ({ done: false, value: wrong }) },
    {
      next: () => ({ done: false, value: wrong }),
      return: () => ({ done: true, value: undefined }),
    },
    {
      next: () => ({ done: false, value: wrong }),
      // As a rejection that nobody handles it would end the process.
      return: () => Promise.reject(new Error('the end')) as never,
    },
  ]
  for (const iterator of iterators) {
    const tensors = { [Symbol.iterator]: () => iterator }
    await t.throwsAsync(collect({ tensors }), {
      instanceOf: RangeError,
      message: /expected 12 bytes/,
    })
  }
})
