import test, { type ExecutionContext } from 'ava'
import { MemorySink, saveCheckpoint, type TensorLike } from '../../../src/browser.js'
import { Compute } from '../../../viewer/src/compute/compute.js'
import type { FileFacts, TensorFacts, ViewedFile } from '../../../viewer/src/compute/facts.js'
import type { Verification } from '../../../viewer/src/compute/jobs.js'
import { Results } from '../../../viewer/src/compute/results.js'
import { poolHere } from '../../support/viewer/workers.js'

type Tensors = Record<string, TensorLike>

const vector = (data: Float32Array | BigInt64Array): TensorLike => ({ shape: [data.length], data })

async function opened(
  t: ExecutionContext,
  tensors: Tensors,
  damage: (bytes: Uint8Array) => void = () => {},
) {
  const sink = new MemorySink()
  await saveCheckpoint(sink, { stateDict: () => tensors })
  const bytes = sink.bytes.slice()
  damage(bytes)
  const file: ViewedFile = { id: 'a', name: 'a.ckpt', from: new Blob([bytes]) }
  const pool = poolHere(1)
  // Its ports would keep the process alive.
  t.teardown(() => pool.close())
  const compute = new Compute(pool, new Results())
  let facts: FileFacts | undefined
  await compute.facts([file], (_, { value }) => {
    facts = value
  })
  const tensor = (name: string): TensorFacts =>
    facts!.states[0]!.tensors.find((each) => each.name === name)!
  return { compute, file, tensor }
}

const whole = (rows: number, columns: number) => ({
  plane: { start: 0, rows, columns, rowStep: columns, columnStep: 1 },
  region: { row: 0, column: 0, rows, columns },
})

test('a picture has the element of the largest size of each cell, and NaN before all', async (t) => {
  const data = new Float32Array(64)
  data[9] = -5
  data[10] = 4
  data[63] = Number.NaN
  data[62] = 9
  const { compute, file, tensor } = await opened(t, { w: { shape: [8, 8], data } })
  const request = { ...whole(8, 8), width: 2, height: 4 }
  const { values, width, height } = await compute.picture(file, tensor('w'), request)
  t.deepEqual([width, height], [2, 4])
  t.deepEqual([...values], [-5, 0, 0, 0, 0, 0, 0, Number.NaN])
})

test('a plane has any two axes as rows and columns', async (t) => {
  const data = Float64Array.from({ length: 24 }, (_, i) => i)
  const { compute, file, tensor } = await opened(t, { w: { shape: [2, 3, 4], data } })
  // Rows along the last axis, columns along the first one, in the middle of the second one.
  const { values } = await compute.picture(file, tensor('w'), {
    plane: { start: 4, rows: 4, columns: 2, rowStep: 1, columnStep: 12 },
    region: { row: 1, column: 0, rows: 2, columns: 2 },
    width: 10,
    height: 10,
  })
  t.deepEqual([...values], [5, 17, 6, 18])
})

test('the last row of a wrapped vector ends with cells that are not set', async (t) => {
  const { compute, file, tensor } = await opened(t, { b: vector(Float32Array.of(1, 2, 3, 4, 5)) })
  const request = { ...whole(2, 3), width: 8, height: 8 }
  const { values, isSet } = await compute.picture(file, tensor('b'), request)
  t.deepEqual([...isSet], [1, 1, 1, 1, 1, 0])
  t.deepEqual([...values].slice(0, 5), [1, 2, 3, 4, 5])
})

test('packed elements are read across bytes', async (t) => {
  const { compute, file, tensor } = await opened(t, {
    q: { dtype: 'int4', shape: [2, 4], data: Uint8Array.of(0x21, 0x43, 0x65, 0x87) },
  })
  const { values } = await compute.picture(file, tensor('q'), {
    ...whole(2, 4),
    region: { row: 0, column: 1, rows: 2, columns: 2 },
    width: 4,
    height: 4,
  })
  t.deepEqual([...values], [2, 3, 6, 7])
})

test('the first elements are there as they are, and the largest with their places', async (t) => {
  const data = BigInt64Array.of(3n, -(2n ** 63n), 9_007_199_254_740_993n)
  const { compute, file, tensor } = await opened(t, {
    data: vector(data),
    f: vector(Float32Array.of(1, Number.NaN, -0)),
  })
  const { first, largest } = await compute.extremes(file, tensor('data'))
  t.deepEqual(first, ['3', '-9223372036854775808', '9007199254740993'])
  t.deepEqual(
    largest.map(({ index }) => index),
    [1, 2, 0],
  )
  const floats = await compute.extremes(file, tensor('f'))
  t.deepEqual(floats.first, ['1', 'NaN', '-0'])
  t.is(floats.largest[0]!.value, 'NaN')
})

test('damage is found where it is, and a valid file has none', async (t) => {
  const parts: Verification[] = []
  const bad = await opened(
    t,
    { a: vector(new Float32Array(100)), b: vector(new Float32Array(90)) },
    (bytes) => {
      bytes[bytes.length - 1]! ^= 1
    },
  )
  await bad.compute.faults(bad.file, (part) => parts.push(part))
  const faults = parts.flatMap(({ fault }) => fault ?? [])
  t.is(faults.length, 1)
  t.like(faults[0], { code: 'CKPT_TENSOR_CHECKSUM', tensor: 'b', state: 'model' })
  t.is(faults[0]!.offset, bad.tensor('b').segment!.offset)

  const good = await opened(t, { a: vector(new Float32Array(100)) })
  const found: Verification[] = []
  await good.compute.faults(good.file, (part) => found.push(part))
  t.deepEqual(found.at(-1), { done: 400, total: 400 })
})
