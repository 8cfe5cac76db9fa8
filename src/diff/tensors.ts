/** Reads two tensors side by side, a piece at a time, and compares their numbers. */

import { DTYPES } from '../../generated/dtypes.js'
import { crc32 } from '../format/checksum.js'
import { numbersOf } from '../format/numbers.js'
import { piecesOf } from '../io/pieces.js'
import type { Tick } from '../load/segment.js'
import type { CheckpointTensor } from '../load/state.js'
import { type Difference, DifferenceSums } from './difference.js'

// Elements that are compared at once: whole bytes of every dtype (four elements of six bits are three), and
// few enough for both sides to stay in a processor's cache.
const ELEMENTS = 3 * 64 * 1024

// Pieces that are read ahead of each of the two.
const AT_ONCE = 2

/**
 * How far the numbers of two tensors of the same shape are apart. Every byte of both is read once, and verified.
 * `tick` is called with the bytes of both that were dealt with.
 */
export async function differenceOf(
  a: CheckpointTensor,
  b: CheckpointTensor,
  tick: Tick,
): Promise<Difference> {
  const sums = new DifferenceSums()
  const complex = a.dtype.startsWith('complex') || b.dtype.startsWith('complex')
  const others = verifiedPieces(b)
  try {
    for await (const bytes of verifiedPieces(a)) {
      const { value } = (await others.next()) as { value: Uint8Array }
      let left = numbersOf(a.dtype, bytes)
      let right = numbersOf(b.dtype, value)
      if (complex && left.length !== right.length) {
        if (left.length < right.length) left = withImaginary(left)
        else right = withImaginary(right)
      }
      sums.add(left, right, complex)
      tick(bytes.byteLength + value.byteLength)
    }
    // Past its last piece its checksum is compared.
    await others.next()
  } finally {
    await others.return(undefined)
  }
  return sums.total
}

/** The pieces of a tensor, of `ELEMENTS` each. Throws CKPT_TENSOR_CHECKSUM behind the last one. */
export async function* verifiedPieces(tensor: CheckpointTensor): AsyncGenerator<Uint8Array> {
  const segment = tensor.segment()
  const { source, offset: start, end } = segment
  const length = (ELEMENTS * DTYPES[tensor.dtype].bits) / 8
  let crc = 0
  for await (const { bytes } of piecesOf(source, [{ start, end }], { length, atOnce: AT_ONCE })) {
    crc = crc32(bytes, crc)
    yield bytes
  }
  const fault = segment.checksumFault(crc)
  if (fault !== undefined) throw fault
}

/** Real numbers as complex ones. */
function withImaginary(real: ArrayLike<number | bigint>): Float64Array {
  const complex = new Float64Array(real.length * 2)
  for (let i = 0; i < real.length; i++) complex[2 * i] = Number(real[i])
  return complex
}
