import test from 'ava'
import { checkHealth } from '../../src/diff/diff.js'
import { checkpointOf } from '../support/diff.js'

test('every tensor with NaN or infinities is found, tied ones once', async (t) => {
  const { NaN: nan, POSITIVE_INFINITY: infinity } = Number
  const tied = Float32Array.of(1, nan, infinity, -infinity)
  const checkpoint = await checkpointOf(
    {
      fine: { shape: [2], data: Float64Array.of(1, -0) },
      bad: { shape: [4], data: tied },
      same: { shape: [4], data: tied },
      half: { shape: [3], dtype: 'float16', data: Uint16Array.of(0x7c00, 0x7c01, 0x3c00) },
      bits: { shape: [1], data: Uint16Array.of(0x7c00) },
      empty: { shape: [0], data: new Float32Array(0) },
    },
    { optimizer: { c: { shape: [1], dtype: 'complex128', data: Float64Array.of(0, nan) } } },
  )
  const progress: number[] = []
  const onProgress = ({ done, total }: { done: number; total: number }) =>
    progress.push(done / total)
  t.deepEqual(await checkHealth(checkpoint, { onProgress }), [
    { state: 'model', tensor: 'bad', nan: 1, infinite: 2 },
    { state: 'model', tensor: 'half', nan: 1, infinite: 1 },
    { state: 'optimizer', tensor: 'c', nan: 1, infinite: 0 },
  ])
  t.is(progress.at(-1), 1)
})
