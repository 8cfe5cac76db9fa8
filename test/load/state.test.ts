import test from 'ava'
import { decode } from '../../src/format/decode.js'
import { type DType, dtypes } from '../../src/format/dtype.js'
import { checkRules } from '../../src/format/rules.js'
import type { Checkpoint } from '../../src/load/checkpoint.js'
import { loadCheckpoint } from '../../src/load/load.js'
import { CheckpointTensor, LazyTensors } from '../../src/load/state.js'
import type { LoadedState, TypedArray } from '../../src/state.js'
import { modelContent, seal } from '../support/format/contents.js'
import { memoryState, type Tensors } from '../support/memory-state.js'
import { flipBits, inMemory, positionOf } from '../support/saved.js'

/** A checkpoint of these tensors, read from memory. */
async function load(tensors: Tensors): Promise<Checkpoint> {
  return loadCheckpoint(await inMemory(memoryState(tensors)))
}

const model = {
  'layers.0.weight': { shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) },
  'layers.0.bias': { shape: [2], data: Float64Array.of(7, 8) },
  'layers.1.scale': { shape: [], data: Int8Array.of(9) },
  empty: { shape: [0, 5], data: new Uint16Array(0) },
}

test('a state has its tensors by name, in the order in which they were saved', async (t) => {
  const state: LoadedState = (await load(model)).model
  t.is(state.size, 4)
  t.deepEqual([...state.keys()], Object.keys(model))
  t.deepEqual(
    Array.from(state, ([name]) => name),
    Object.keys(model),
  )
  for (const [name, tensor] of state) {
    t.true(state.has(name))
    t.is(state.get(name), tensor)
    t.is(tensor.name, name)
  }
  t.like(state.get('layers.0.weight'), { dtype: 'float32', shape: [2, 3], byteLength: 24, size: 6 })
  t.like(state.get('layers.1.scale'), { dtype: 'int8', shape: [], byteLength: 1, size: 1 })
  t.like(state.get('empty'), { dtype: 'uint16', shape: [0, 5], byteLength: 0, size: 0 })
})

test('a missing name is an error that shows some existing ones', async (t) => {
  const { model: state } = await load(model)
  for (const name of ['layers.0', 'constructor', '__proto__', '']) {
    t.false(state.has(name))
    const error = t.throws(() => state.get(name), { code: 'CKPT_NO_SUCH_TENSOR' })
    t.like(error, { state: 'model', tensor: name })
    t.true(error?.message.includes('it has 4: "layers.0.weight", "layers.0.bias"'))
  }
  t.throws(() => state.get('\u001b[2J'), {
    message: /no tensor "\\u\{1b\}\[2J"/,
  })
  const many = await load(
    Object.fromEntries([...'abcdefgh'].map((name) => [name, new Int8Array(1)])),
  )
  t.throws(() => many.model.get('z'), { message: /it has 8: "a", "b", "c", "d", "e", …$/ })
  t.throws(() => many.model.filter(() => false).get('z'), { message: /it has 0$/ })
})

test('a filtered state has the same tensors, but not all of them', async (t) => {
  const checkpoint = await loadCheckpoint(
    await inMemory(memoryState(model, { activation: 'tanh' }, 'MLP')),
  )
  const filtered = checkpoint.model.filter((name) => name.endsWith('bias') || name === 'empty')
  t.deepEqual([...filtered.keys()], ['layers.0.bias', 'empty'])
  t.is(filtered.get('empty'), checkpoint.model.get('empty'))
  t.false(filtered.has('layers.0.weight'))
  t.like(filtered, { name: 'model', kind: 'MLP', attributes: { activation: 'tanh' }, size: 2 })
  t.is(checkpoint.model.size, 4)
})

const arrays: { readonly [dtype in DType]: TypedArray } = {
  float64: Float64Array.of(1, -0, NaN, 5e-324),
  float32: Float32Array.of(1, -0, NaN, 1e-45),
  float16: Uint16Array.of(0x3c00, 0x8000, 0x7e01, 0xffff),
  bfloat16: Uint16Array.of(0x3f80, 0x8000, 0x7fc1, 0xffff),
  float8_e4m3fn: Uint8Array.of(0x38, 0x80, 0x7f, 0xff),
  float8_e5m2: Uint8Array.of(0x3c, 0x80, 0x7d, 0xff),
  float8_e4m3fnuz: Uint8Array.of(0x40, 0x80, 0x7f, 0xff),
  float8_e5m2fnuz: Uint8Array.of(0x40, 0x80, 0x7f, 0xff),
  float8_e8m0fnu: Uint8Array.of(0, 127, 254, 255),
  float6_e2m3fn: Uint8Array.of(1, 2, 3),
  float6_e3m2fn: Uint8Array.of(4, 5, 6),
  float4_e2m1fn: Uint8Array.of(0x21, 0x43),
  int8: Int8Array.of(-128, -1, 0, 127),
  int16: Int16Array.of(-32_768, -1, 0, 32_767),
  int32: Int32Array.of(-(2 ** 31), -1, 0, 2 ** 31 - 1),
  int64: BigInt64Array.of(-(2n ** 63n), -1n, 0n, 2n ** 63n - 1n),
  uint8: Uint8Array.of(0, 1, 128, 255),
  uint16: Uint16Array.of(0, 1, 2 ** 15, 2 ** 16 - 1),
  uint32: Uint32Array.of(0, 1, 2 ** 31, 2 ** 32 - 1),
  uint64: BigUint64Array.of(0n, 1n, 2n ** 63n, 2n ** 64n - 1n),
  bool: Uint8Array.of(0, 1, 1, 0),
  complex64: Float32Array.of(1, -1, 2, -2, 3, -3, NaN, -0),
  complex128: Float64Array.of(1, -1, 2, -2, 3, -3, NaN, -0),
  int4: Uint8Array.of(0x0f, 0x87),
  uint4: Uint8Array.of(0x0f, 0x87),
}

for (const dtype of dtypes) {
  test(`four elements of ${dtype} come back in the array of their dtype`, async (t) => {
    const data = arrays[dtype]
    const checkpoint = await load({ w: { dtype, shape: [2, 2], data } })
    const tensor = checkpoint.model.get('w')
    t.is(tensor.dtype, dtype)
    t.is(tensor.size, 4)
    t.is(tensor.byteLength, data.byteLength)
    for (const array of [tensor.data, await tensor.read()]) {
      t.is(array.constructor, data.constructor)
      t.deepEqual(array, data)
      // Bit for bit: a comparison of numbers takes one NaN for another.
      const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength)
      t.deepEqual(bytes, new Uint8Array(data.buffer.slice(0)))
    }
  })
}

test('elements in memory are read where they are', async (t) => {
  const file = await inMemory(memoryState(model))
  const checkpoint = await loadCheckpoint(file)
  const { data } = checkpoint.model.get('layers.0.weight')
  t.is(data.buffer, file.buffer)
  t.is(data.byteOffset % 64, 0)
  t.is(checkpoint.model.get('layers.0.weight').data, data)
})

test('memory that begins anywhere gives the same arrays, each a copy where it has to be', async (t) => {
  const file = await inMemory(memoryState(model))
  for (let shift = 0; shift <= 8; shift++) {
    const memory = new Uint8Array(file.byteLength + 16)
    memory.set(file, shift)
    const checkpoint = await loadCheckpoint(memory.subarray(shift, shift + file.byteLength))
    for (const [name, { data }] of Object.entries(model)) {
      const tensor = checkpoint.model.get(name)
      t.deepEqual(tensor.data, data)
      t.deepEqual(await tensor.read(), data)
      const inPlace = shift % data.BYTES_PER_ELEMENT === 0
      t.is(tensor.data.buffer === memory.buffer, inPlace, `${name} at ${shift}`)
    }
    await checkpoint.verify()
  }
})

test('readInto fills memory of any kind that is as long', async (t) => {
  const tensor = (await load(model)).model.get('layers.0.weight')
  const expected = model['layers.0.weight'].data
  const array = new Float32Array(6)
  await tensor.readInto(array)
  t.deepEqual(array, expected)
  const buffer = new ArrayBuffer(24)
  await tensor.readInto(buffer)
  t.deepEqual(new Float32Array(buffer), expected)
  const shared = new SharedArrayBuffer(24)
  await tensor.readInto(shared)
  t.deepEqual(new Float32Array(shared.slice(0)), expected)
  const around = new Uint8Array(34).fill(255)
  await tensor.readInto(new DataView(around.buffer, 5, 24))
  t.deepEqual(around.slice(5, 29), new Uint8Array(expected.buffer))
  t.deepEqual([around[4], around[29]], [255, 255])
})

test('readInto refuses memory of another length, and writes nothing', async (t) => {
  const checkpoint = await load(model)
  for (const length of [0, 23, 25]) {
    const target = new Uint8Array(length).fill(255)
    await t.throwsAsync(checkpoint.model.get('layers.0.weight').readInto(target), {
      instanceOf: RangeError,
      message: `expected a target of 24 bytes for "layers.0.weight", found ${length}`,
    })
    t.true(target.every((byte) => byte === 255))
  }
})

test('readInto checks the bytes before it writes the first, also where nothing else is verified', async (t) => {
  const file = await inMemory(memoryState(model))
  flipBits(file, positionOf(file, model['layers.0.weight'].data))
  for (const verify of [true, false]) {
    const checkpoint = await loadCheckpoint(file, { verify })
    const target = new Float32Array(6).fill(-1)
    await t.throwsAsync(checkpoint.model.get('layers.0.weight').readInto(target), {
      code: 'CKPT_TENSOR_CHECKSUM',
    })
    t.deepEqual(target, new Float32Array(6).fill(-1))
  }
})

test('memory that is transferred while it is read into is an error', async (t) => {
  const w = new Float32Array(8 * 2 ** 20)
  const checkpoint = await load({ w })
  const target = new Float32Array(w.length)
  const reading = checkpoint.model.get('w').readInto(target)
  structuredClone(target.buffer, { transfer: [target.buffer] })
  await t.throwsAsync(reading, { code: 'CKPT_TENSOR_CHANGED' })
})

test('a tensor whose bytes are damaged is not handed out, and its neighbours are', async (t) => {
  const file = await inMemory(memoryState(model))
  const position = positionOf(file, model['layers.0.weight'].data)
  flipBits(file, position + 23)
  const checkpoint = await loadCheckpoint(file)
  const damaged = {
    code: 'CKPT_TENSOR_CHECKSUM',
    message: /^the bytes of "layers\.0\.weight" \(model\) are damaged: checksum mismatch/,
  }
  const tensor = checkpoint.model.get('layers.0.weight')
  for (const error of [
    t.throws(() => tensor.data, damaged),
    await t.throwsAsync(tensor.read(), damaged),
    // Also when it is asked for again.
    t.throws(() => tensor.data, damaged),
  ]) {
    t.like(error, { state: 'model', tensor: 'layers.0.weight', offset: position })
  }
  t.deepEqual(checkpoint.model.get('layers.0.bias').data, model['layers.0.bias'].data)
  t.deepEqual(checkpoint.model.get('empty').data, model.empty.data)
})

test('damaged bytes are handed out if the caller turned verification off', async (t) => {
  const file = await inMemory(memoryState(model))
  flipBits(file, positionOf(file, model['layers.0.weight'].data))
  const checkpoint = await loadCheckpoint(file, { verify: false })
  const tensor = checkpoint.model.get('layers.0.weight')
  t.notDeepEqual(tensor.data, model['layers.0.weight'].data)
  t.deepEqual((await tensor.read()).subarray(1), model['layers.0.weight'].data.subarray(1))
})

test('the bytes before a tensor are checked with it', async (t) => {
  const file = await inMemory(memoryState({ a: Float32Array.of(1, 2), b: Float32Array.of(3, 4) }))
  const position = positionOf(file, Float32Array.of(3, 4))
  for (const before of [1, 4, 5, 56]) {
    const damaged = file.slice()
    flipBits(damaged, position - before)
    const checkpoint = await loadCheckpoint(damaged)
    const error = t.throws(() => checkpoint.model.get('b').data, {
      code: 'CKPT_FORMAT',
      message: /the bytes before "b" are damaged/,
    })
    t.like(error, { rule: 'gap', offset: position - before, tensor: 'b' })
    t.deepEqual(checkpoint.model.get('a').data, Float32Array.of(1, 2))
  }
})

test('tied weights are one array’s worth of memory under two names', async (t) => {
  const tied = Float32Array.of(1, 2, 3)
  const bits = new Uint32Array(tied.buffer)
  const checkpoint = await load({ encoder: tied, decoder: tied, bits })
  const { data } = checkpoint.model.get('encoder')
  t.is(checkpoint.model.get('decoder').data.buffer, data.buffer)
  t.is(checkpoint.model.get('decoder').data.byteOffset, data.byteOffset)
  t.deepEqual(checkpoint.model.get('bits').data, bits)
})

function lazyTensors(names: readonly string[]) {
  const content = modelContent(names.map((name) => ({ name, dtype: 'int8', shape: [2] })))
  const metadata = decode(seal(content))
  checkRules(metadata)
  const made: string[] = []
  const tensors = new LazyTensors(metadata.model, (state, tensor) => {
    made.push(`${state} ${tensor.name}`)
    return new CheckpointTensor(tensor, () => {
      throw new Error('not to be read here')
    })
  })
  return { tensors, made }
}

test('no tensor is made before it is asked for', (t) => {
  const { tensors, made } = lazyTensors(['a', 'b', 'c'])
  t.is(tensors.size, 3)
  t.true(tensors.has('b'))
  t.false(tensors.has('d'))
  t.deepEqual([...tensors.keys()], ['a', 'b', 'c'])
  t.is(tensors.get('d'), undefined)
  t.deepEqual(made, [])
})

test('a tensor is the same object however it is obtained', (t) => {
  const { tensors, made } = lazyTensors(['a', 'b', 'c'])
  const b = tensors.get('b')
  t.is(b?.name, 'b')
  t.is(tensors.get('b'), b)
  t.is(new Map(tensors.entries()).get('b'), b)
  t.deepEqual(made, ['model b', 'model a', 'model c'])
  t.deepEqual(
    [...tensors.entries()].map(([name]) => name),
    ['a', 'b', 'c'],
  )
})
