/** Reads a PyTorch tensor, which lies in a storage with an offset and strides, as dense elements. */

import { elementCount } from '../../format/dtype.js'
import { quote } from '../../printable.js'
import { foreignFault, notConvertible, type TensorReader } from '../training.js'
import type { EntryReader } from '../zip/archive.js'
import type { PyTensor } from './values.js'

/** Reads the bytes of a storage. */
export type Storage = Pick<EntryReader, 'size' | 'read' | 'readsAtOnce' | 'crc32'>

// The most bytes by which a tensor may exceed its storage. A stride of 0 repeats elements, so a small file could stand
// for any number of bytes.
const MAX_REPEATED = 64 * 1024 * 1024

/**
 * A reader of the tensor's elements. Throws CKPT_NOT_CONVERTIBLE for an unknown dtype, and CKPT_FOREIGN_FILE, rule
 * `pytorch.tensor`, for a tensor that reaches outside its storage.
 */
export function tensorReader(name: string, tensor: PyTensor, bytes: Storage): TensorReader {
  const { dtype, pending, storage, offset, strides } = tensor
  if (dtype.dtype === null || pending !== null) {
    const what = dtype.dtype === null ? dtype.name : `a view that is still to be made (${pending})`
    throw notConvertible(
      `${quote(name)} is ${what}, which a checkpoint cannot hold: convert it in Python, and save again`,
      { tensor: name, actual: dtype.name },
    )
  }
  const count = elementCount(tensor.shape)
  const span = count === undefined ? undefined : spanOf(tensor.shape, strides)
  const end = span === undefined ? Number.NaN : (offset + span) * dtype.bytes
  const byteLength = (count ?? Number.NaN) * dtype.bytes
  if (!(end <= storage.byteLength) && count !== 0) {
    throw foreignFault('pytorch.tensor', `${quote(name)} does not lie within its storage`, {
      tensor: name,
      expected: storage.byteLength,
      actual: end,
    })
  }
  if (byteLength > Math.max(storage.byteLength, MAX_REPEATED)) {
    throw notConvertible(
      `${quote(name)} repeats ${storage.byteLength} bytes to ${byteLength}: save it without expand()`,
      { tensor: name, actual: byteLength },
    )
  }
  const start = storage.start + offset * dtype.bytes
  const dense = isDense(tensor.shape, strides)
  const layout: Layout = { shape: tensor.shape, strides, bytes: dtype.bytes, start, span: span! }
  const isWhole = dense && start === 0 && byteLength === bytes.size
  return {
    dtype: dtype.dtype,
    ...(dense ? { readsAtOnce: bytes.readsAtOnce } : {}),
    ...(isWhole ? { crc32: bytes.crc32 } : {}),
    shape: dtype.name === 'float4_e2m1fn_x2' ? twiceAsLong(name, tensor.shape) : tensor.shape,
    read:
      count === 0
        ? nothing
        : dense
          ? (target, position) => bytes.read(target, start + position)
          : gathered(layout, bytes),
  }
}

/** A tensor without elements may begin outside its storage. */
async function nothing(): Promise<void> {}

/** For a dtype with two numbers in an element. */
function twiceAsLong(name: string, shape: readonly number[]): number[] {
  if (shape.length === 0)
    throw notConvertible(`${quote(name)} is a scalar of two numbers`, { tensor: name })
  return [...shape.slice(0, -1), shape.at(-1)! * 2]
}

/** From the start of the first element to the end of the last, in elements. */
function spanOf(shape: readonly number[], strides: readonly number[]): number {
  return shape.reduce((sum, length, i) => sum + (length - 1) * strides[i]!, 1)
}

/** Whether the elements are row-major without gaps. The stride of a dimension of length 1 does not matter. */
function isDense(shape: readonly number[], strides: readonly number[]): boolean {
  let expected = 1
  for (let i = shape.length - 1; i >= 0; i--) {
    if (shape[i] === 0) return true
    if (shape[i] !== 1 && strides[i] !== expected) return false
    expected *= shape[i]!
  }
  return true
}

interface Layout {
  readonly shape: readonly number[]
  /** In elements. */
  readonly strides: readonly number[]
  /** Of an element. */
  readonly bytes: number
  /** In bytes from the start of the storage. */
  readonly start: number
  /** In elements. */
  readonly span: number
}

/**
 * Reads elements in another order. The range that they span is read once and kept until the last element was read,
 * which takes memory for one such tensor.
 */
function gathered({ shape, strides, bytes, start, span }: Layout, storage: Storage) {
  const total = shape.reduce((product, length) => product * length, bytes)
  let kept: Promise<Uint8Array> | undefined
  const load = async (): Promise<Uint8Array> => {
    const memory = new Uint8Array(span * bytes)
    await storage.read(memory, start)
    return memory
  }
  return async (target: Uint8Array, position: number): Promise<void> => {
    kept ??= load()
    try {
      const from = await kept
      // Copies whole words if the caller's memory and the position are aligned.
      const isWhole = (unit: number) =>
        [bytes, position, target.byteOffset, target.byteLength].every((n) => n % unit === 0)
      const ArrayType = isWhole(4) ? Uint32Array : isWhole(2) ? Uint16Array : Uint8Array
      const unit = ArrayType.BYTES_PER_ELEMENT
      const words = new ArrayType(
        target.buffer as ArrayBuffer,
        target.byteOffset,
        target.byteLength / unit,
      )
      gather(
        new ArrayType(from.buffer as ArrayBuffer),
        words,
        position / unit,
        bytes / unit,
        shape,
        strides,
      )
    } catch (error) {
      kept = undefined
      throw error
    }
    if (position + target.byteLength === total) kept = undefined
  }
}

type Words = Uint8Array | Uint16Array | Uint32Array

/** Fills `target` with words from the `start`th on, row-major. An element is `perElement` words. */
function gather(
  from: Words,
  target: Words,
  start: number,
  perElement: number,
  shape: readonly number[],
  strides: readonly number[],
): void {
  // The words of an element are an extra, last dimension.
  const lengths = [...shape, perElement]
  const steps = [...strides.map((stride) => stride * perElement), 1]
  const index = new Array<number>(lengths.length).fill(0)
  let source = 0
  for (let d = lengths.length - 1, rest = start; d >= 0; d--) {
    index[d] = rest % lengths[d]!
    rest = Math.floor(rest / lengths[d]!)
    source += index[d]! * steps[d]!
  }
  for (let i = 0; i < target.length; i++) {
    target[i] = from[source]!
    // Advances to the next word: the last dimension first; finished dimensions start again.
    for (let d = lengths.length - 1; d >= 0; d--) {
      index[d]!++
      source += steps[d]!
      if (index[d]! < lengths[d]!) break
      source -= lengths[d]! * steps[d]!
      index[d] = 0
    }
  }
}
