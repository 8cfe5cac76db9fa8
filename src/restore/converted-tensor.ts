/** A tensor of a checkpoint whose elements are converted to another dtype when they are read. */

import { type ConvertibleDType, convertElements } from '../format/convert.js'
import { arrayType, type DType, tensorByteLength } from '../format/dtype.js'
import { CheckpointTensor } from '../load/state.js'
import { quote } from '../printable.js'
import { bytesOf, type TensorData, type TypedArray } from '../state.js'

/** Reads like the tensor that it wraps, with elements of `dtype`. Its segment is that of the file. */
export class ConvertedTensor extends CheckpointTensor {
  /** The tensor of the checkpoint. */
  readonly saved: CheckpointTensor

  constructor(saved: CheckpointTensor, dtype: DType) {
    const { name, shape } = saved
    const byteLength = tensorByteLength(dtype, shape)!
    super({ name, dtype, shape, byteLength }, () => saved.segment())
    this.saved = saved
  }

  /** Returns a new array at each call. Throws the errors of the tensor's own read. */
  override get data(): TypedArray {
    return this.#converted(this.saved.data)
  }

  override async read(): Promise<TypedArray> {
    return this.#converted(await this.saved.read())
  }

  override async readInto(target: TensorData): Promise<void> {
    if (target.byteLength !== this.byteLength) {
      throw new RangeError(
        `${quote(this.name)} has ${this.byteLength} bytes as ${this.dtype}, and the target ${target.byteLength}`,
      )
    }
    const saved = bytesOf(await this.saved.read())
    const { dtype } = this.saved
    convertElements(
      saved,
      dtype as ConvertibleDType,
      bytesOf(target),
      this.dtype as ConvertibleDType,
    )
  }

  override unwritten(): CheckpointTensor {
    return new ConvertedTensor(this.saved.unwritten(), this.dtype)
  }

  #converted(saved: TypedArray): TypedArray {
    const ArrayType = arrayType(this.dtype)
    const elements = new ArrayType(this.byteLength / ArrayType.BYTES_PER_ELEMENT)
    const from = this.saved.dtype as ConvertibleDType
    convertElements(bytesOf(saved), from, bytesOf(elements), this.dtype as ConvertibleDType)
    return elements
  }
}
