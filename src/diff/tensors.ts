/** Reads two tensors side by side, a piece at a time, and compares their numbers. */

import { DTYPES } from '../../generated/dtypes.js'
import { crc32 } from '../format/checksum.js'
import { numbersOf } from '../format/numbers.js'
import { nextTurn } from '../io/concurrency.js'
import { piecesOf } from '../io/pieces.js'
import type { Tick } from '../load/segment.js'
import type { CheckpointTensor } from '../load/state.js'
import { type Difference, DifferenceSums } from './difference.js'
import { KERNEL_START, type Kernel, makeKernel } from './kernel.js'

// Bytes of a piece of one tensor. Three quarters of a MiB stay in a processor's cache and are whole elements of every
// dtype (four of six bits are three bytes).
const PIECE = 3 * 256 * 1024

// Pieces are multiples of four elements, so that packed elements fill whole bytes.
const UNIT = 4

// Bytes after which the comparison yields to the event loop.
const TURN = 8 * 1024 * 1024

/** The memory of a comparison: two pieces of each side, one being compared and one being read. */
export class Workspace {
  readonly kernel: Kernel | undefined
  readonly #memory: ArrayBuffer
  readonly #start: number

  constructor() {
    this.kernel = makeKernel(4 * PIECE)
    this.#memory = this.kernel?.memory ?? new ArrayBuffer(4 * PIECE)
    this.#start = this.kernel === undefined ? 0 : KERNEL_START
  }

  /** Memory for a piece of the first or the second tensor, alternately. */
  piece(side: 0 | 1, turn: number, length: number): Uint8Array {
    return new Uint8Array(this.#memory, this.#start + (2 * side + (turn % 2)) * PIECE, length)
  }
}

/**
 * Measures the differences between the numbers of two tensors of the same shape. Every byte of both is read once and
 * verified. Calls `tick` with the bytes of both that were processed.
 */
export async function differenceOf(
  a: CheckpointTensor,
  b: CheckpointTensor,
  workspace: Workspace,
  tick: Tick,
): Promise<Difference> {
  const sums = new DifferenceSums(workspace.kernel)
  const complex = a.dtype.startsWith('complex') || b.dtype.startsWith('complex')
  const widest = Math.max(DTYPES[a.dtype].bits, DTYPES[b.dtype].bits) / 8
  const elements = Math.floor(PIECE / widest / UNIT) * UNIT
  const sides = [new Side(a, 0, elements, workspace), new Side(b, 1, elements, workspace)] as const
  const count = Math.ceil(a.size / elements)
  const read = (turn: number) => Promise.all([sides[0].read(turn), sides[1].read(turn)])
  let coming = count > 0 ? read(0) : undefined
  let since = 0
  try {
    for (let turn = 0; turn < count; turn++) {
      const [left, right] = await coming!
      coming = turn + 1 < count ? read(turn + 1) : undefined
      // Handled when this piece is awaited.
      coming?.catch(() => {})
      sides[0].check(left)
      sides[1].check(right)
      addPiece(sums, a, b, left, right, complex)
      const bytes = left.byteLength + right.byteLength
      tick(bytes)
      since += bytes
      if (since >= TURN) {
        since = 0
        await nextTurn()
      }
    }
  } finally {
    // The memory is reused.
    await coming?.catch(() => {})
  }
  for (const side of sides) side.end()
  return sums.total
}

function addPiece(
  sums: DifferenceSums,
  a: CheckpointTensor,
  b: CheckpointTensor,
  left: Uint8Array,
  right: Uint8Array,
  complex: boolean,
): void {
  const x = numbersOf(a.dtype, left)
  const y = numbersOf(b.dtype, right)
  if (!complex || x.length === y.length) sums.add(x, y, complex)
  else if (x.length < y.length) sums.add(withImaginary(x), y, complex)
  else sums.add(x, withImaginary(y), complex)
}

/** One of two tensors, read in pieces of a given number of elements. */
class Side {
  readonly #tensor: CheckpointTensor
  readonly #side: 0 | 1
  readonly #length: number
  readonly #workspace: Workspace
  #crc = 0

  constructor(tensor: CheckpointTensor, side: 0 | 1, elements: number, workspace: Workspace) {
    this.#tensor = tensor
    this.#side = side
    this.#length = (elements * DTYPES[tensor.dtype].bits) / 8
    this.#workspace = workspace
  }

  /** Reads a piece. It is valid until the piece after the next one is read. */
  async read(turn: number): Promise<Uint8Array> {
    const { source, offset } = this.#tensor.segment()
    const start = turn * this.#length
    const length = Math.min(this.#length, this.#tensor.byteLength - start)
    const target = this.#workspace.piece(this.#side, turn, length)
    await source.read(target, offset + start)
    return target
  }

  /** Adds the next piece to the checksum. */
  check(bytes: Uint8Array): void {
    this.#crc = crc32(bytes, this.#crc)
  }

  /** Throws CKPT_TENSOR_CHECKSUM if the pieces are damaged. Call it after the last piece. */
  end(): void {
    const fault = this.#tensor.segment().checksumFault(this.#crc)
    if (fault !== undefined) throw fault
  }
}

/** The pieces of a tensor. Throws CKPT_TENSOR_CHECKSUM after the last one if they are damaged. */
export async function* verifiedPieces(tensor: CheckpointTensor): AsyncGenerator<Uint8Array> {
  const segment = tensor.segment()
  const { source, offset: start, end } = segment
  let crc = 0
  for await (const { bytes } of piecesOf(source, [{ start, end }], { length: PIECE })) {
    crc = crc32(bytes, crc)
    yield bytes
  }
  const fault = segment.checksumFault(crc)
  if (fault !== undefined) throw fault
}

/** Converts real numbers to complex ones. */
function withImaginary(real: ArrayLike<number | bigint>): Float64Array {
  const complex = new Float64Array(real.length * 2)
  for (let i = 0; i < real.length; i++) complex[2 * i] = Number(real[i])
  return complex
}
