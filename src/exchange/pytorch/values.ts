/** The values of a PyTorch pickle: plain values, and tensors described by their position. */

import type { DType } from '../../format/dtype.js'

/** A value of a pickle. Integers of Python are numbers if they are safe, bigints otherwise. */
export type PyValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | PyValue[]
  | PyTuple
  | PyDict
  | PyGlobal
  | PyStorage
  | PyTensor
  | PyRefused

/** A tuple, a torch.Size, a set or a complex number. */
export class PyTuple {
  readonly items: readonly PyValue[]

  constructor(items: readonly PyValue[]) {
    this.items = items
  }
}

/** A dict or an OrderedDict. A key that is neither text nor a number equals only itself. */
export class PyDict {
  readonly entries = new Map<PyValue, PyValue>()

  /** The value of a text key. */
  get(key: string): PyValue | undefined {
    return this.entries.get(key)
  }
}

/** The name of a class or function. It is never looked up. */
export class PyGlobal {
  readonly name: string

  constructor(name: string) {
    this.name = name
  }
}

/** A block of the file with the elements of tensors. */
export class PyStorage {
  readonly key: string
  /** The dtype of its elements; null for bytes, whose tensors each have their own dtype. */
  readonly dtype: TorchDType | null
  /** Its length in bytes. */
  readonly byteLength: number
  /** Its start in the storage of that key, in bytes: old files have views of storages. */
  readonly start: number

  constructor(key: string, dtype: TorchDType | null, byteLength: number, start = 0) {
    this.key = key
    this.dtype = dtype
    this.byteLength = byteLength
    this.start = start
  }
}

/** A tensor: the position of its elements in a storage, in elements. */
export class PyTensor {
  readonly storage: PyStorage
  readonly dtype: TorchDType
  readonly offset: number
  readonly shape: readonly number[]
  readonly strides: readonly number[]
  /** Flags that change the values on reading: `conj`, `neg`. */
  readonly pending: string | null

  constructor(
    storage: PyStorage,
    dtype: TorchDType,
    offset: number,
    shape: readonly number[],
    strides: readonly number[],
    pending: string | null,
  ) {
    this.storage = storage
    this.dtype = dtype
    this.offset = offset
    this.shape = shape
    this.strides = strides
    this.pending = pending
  }
}

/** A value that PyTorch can read and this library cannot. The error names it by its place in the file. */
export class PyRefused {
  /** `a quantized tensor`. */
  readonly what: string
  readonly remedy: string

  constructor(what: string, remedy: string) {
    this.what = what
    this.remedy = remedy
  }
}

/** A dtype of PyTorch: its name, the bytes of an element, and the dtype of a checkpoint; null if there is none. */
export interface TorchDType {
  readonly name: string
  readonly bytes: number
  readonly dtype: DType | null
}

const dtype = (name: string, bytes: number, dtype: DType | null): [string, TorchDType] => [
  name,
  { name, bytes, dtype },
]

/** The dtypes by their names in pickles, without `torch.`. */
export const TORCH_DTYPES: ReadonlyMap<string, TorchDType> = new Map([
  dtype('float64', 8, 'float64'),
  dtype('float32', 4, 'float32'),
  dtype('float16', 2, 'float16'),
  dtype('bfloat16', 2, 'bfloat16'),
  dtype('float8_e4m3fn', 1, 'float8_e4m3fn'),
  dtype('float8_e5m2', 1, 'float8_e5m2'),
  dtype('float8_e4m3fnuz', 1, 'float8_e4m3fnuz'),
  dtype('float8_e5m2fnuz', 1, 'float8_e5m2fnuz'),
  dtype('float8_e8m0fnu', 1, 'float8_e8m0fnu'),
  // Two numbers in an element: in a checkpoint the last dimension is twice as long.
  dtype('float4_e2m1fn_x2', 1, 'float4_e2m1fn'),
  dtype('int64', 8, 'int64'),
  dtype('int32', 4, 'int32'),
  dtype('int16', 2, 'int16'),
  dtype('int8', 1, 'int8'),
  dtype('uint64', 8, 'uint64'),
  dtype('uint32', 4, 'uint32'),
  dtype('uint16', 2, 'uint16'),
  dtype('uint8', 1, 'uint8'),
  dtype('bool', 1, 'bool'),
  dtype('complex128', 16, 'complex128'),
  dtype('complex64', 8, 'complex64'),
  dtype('complex32', 4, null),
  dtype('bcomplex32', 4, null),
  dtype('qint8', 1, null),
  dtype('quint8', 1, null),
  dtype('qint32', 4, null),
  dtype('quint4x2', 1, null),
  dtype('quint2x4', 1, null),
  dtype('bits8', 1, null),
  dtype('bits16', 2, null),
  dtype('bits1x8', 1, null),
  dtype('bits2x4', 1, null),
  dtype('bits4x2', 1, null),
])

/** The dtype of each class of storages. */
export const STORAGE_DTYPES: ReadonlyMap<string, string> = new Map([
  ['DoubleStorage', 'float64'],
  ['FloatStorage', 'float32'],
  ['HalfStorage', 'float16'],
  ['BFloat16Storage', 'bfloat16'],
  ['LongStorage', 'int64'],
  ['IntStorage', 'int32'],
  ['ShortStorage', 'int16'],
  ['CharStorage', 'int8'],
  ['ByteStorage', 'uint8'],
  ['BoolStorage', 'bool'],
  ['ComplexDoubleStorage', 'complex128'],
  ['ComplexFloatStorage', 'complex64'],
  ['QInt8Storage', 'qint8'],
  ['QInt32Storage', 'qint32'],
  ['QUInt8Storage', 'quint8'],
  ['QUInt4x2Storage', 'quint4x2'],
  ['QUInt2x4Storage', 'quint2x4'],
])
