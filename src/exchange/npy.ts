/**
 * The `.npy` format of NumPy, versions 1 to 3: a header, and the bytes of one array. The header is the text of a
 * Python dict; it is parsed by a grammar of its own that knows strings, integers, True and False, and is never
 * evaluated. Arrays in Fortran order and big-endian ones come out row-major and little-endian.
 *
 * NumPy has no type for bfloat16: `numpy.save` writes that of ml_dtypes as `<V2`, which is read, and written,
 * as bfloat16. It writes every type of 8 bits and less as `<V1`, which says nothing: that is refused. Here they are
 * written under their names, which `numpy.load` takes once ml_dtypes is imported. A type of less than 8 bits has
 * a byte for each element in a `.npy`.
 *
 * Rules that are broken are CKPT_FOREIGN_FILE, `npy.header` and `npy.length`. Object arrays, which are pickles,
 * structured ones, texts and dates are CKPT_NOT_CONVERTIBLE by their type.
 */

import { DTYPES } from '../../generated/dtypes.js'
import { type DType, elementCount, isDType } from '../format/dtype.js'
import { quote } from '../printable.js'
import { ForeignTensor, foreignFault, notConvertible } from './training.js'

// As NumPy's own limit: nothing that is read here needs more.
const MAX_HEADER = 10_000

// NumPy pads headers so that elements begin at a multiple of this, and leaves the first dimension room to grow.
const ALIGNMENT = 64
const GROWTH_DIGITS = 21

const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59]

/** Contents that are read by range. */
export interface NpyContents {
  /** In bytes. */
  readonly size: number
  /** Number of reads that may be under way at once (default: one). */
  readonly readsAtOnce?: number | undefined
  /** Fills `target` from byte `position` on. */
  read(target: Uint8Array, position: number): Promise<void>
}

/** Whether bytes begin as a `.npy` file does. */
export function isNpy(head: Uint8Array): boolean {
  return head.length >= MAGIC.length && MAGIC.every((byte, i) => head[i] === byte)
}

/** What a header says of the elements. */
interface NpyHeader {
  readonly dtype: DType
  readonly shape: readonly number[]
  readonly isBigEndian: boolean
  readonly isFortran: boolean
  /** Of the first element, in bytes. */
  readonly start: number
}

/**
 * Reads a header and checks the length; elements are not touched, and the contents stay the caller's. Throws CKPT_FOREIGN_FILE and CKPT_NOT_CONVERTIBLE with the name of the tensor.
 */
export async function readNpy(name: string, contents: NpyContents): Promise<ForeignTensor> {
  const header = await readHeader(name, contents)
  const { dtype, shape, start } = header
  const count = elementCount(shape)
  const width = fileWidth(dtype)
  if (count === undefined || count * width !== contents.size - start) {
    const found = contents.size - start
    throw foreignFault(
      'npy.length',
      `${quote(name)} has ${found} bytes of elements, which are not ${dtype} [${shape.join(', ')}]`,
      { tensor: name, actual: found },
    )
  }
  const raw = async (target: Uint8Array, position: number): Promise<void> => {
    await contents.read(target, start + position)
    if (header.isBigEndian) swap(target, componentWidth(dtype))
  }
  const rowMajor = header.isFortran && shape.length > 1 ? gathered(raw, shape, width) : raw
  const { bits } = DTYPES[dtype]
  const read = bits < 8 ? packed(rowMajor, bits) : rowMajor
  const readsAtOnce = read === raw ? contents.readsAtOnce : undefined
  return new ForeignTensor(name, { dtype, shape, readsAtOnce, read })
}

async function readHeader(name: string, contents: NpyContents): Promise<NpyHeader> {
  const bad = (what: string, cause?: unknown): Error =>
    foreignFault('npy.header', `the header of ${quote(name)} ${what}`, { tensor: name, cause })
  const head = new Uint8Array(Math.min(12, contents.size))
  await contents.read(head, 0)
  if (head.length < 12 || !isNpy(head)) throw bad('is missing: this is not a .npy file')
  const version = head[6]!
  if (version < 1 || version > 3 || head[7] !== 0) throw bad(`has version ${version}.${head[7]}`)
  const data = new DataView(head.buffer)
  const lengthBytes = version === 1 ? 2 : 4
  const length = version === 1 ? data.getUint16(8, true) : data.getUint32(8, true)
  const start = 8 + lengthBytes + length
  if (length > MAX_HEADER) throw bad(`has ${length} bytes, more than ${MAX_HEADER}`)
  if (start > contents.size) throw bad('reaches beyond the end')
  // One read behind the other, by which the checksum of an archive's entry is made.
  const begun = head.subarray(8 + lengthBytes, 8 + lengthBytes + length)
  const bytes = new Uint8Array(length)
  bytes.set(begun)
  if (start > 12) await contents.read(bytes.subarray(begun.length), 12)
  let text: string
  try {
    text = version === 3 ? new TextDecoder('utf-8', { fatal: true }).decode(bytes) : latin1(bytes)
  } catch (cause) {
    throw bad('is not UTF-8', cause)
  }
  let fields: ReadonlyMap<string, Literal>
  try {
    fields = new DictParser(text).all()
  } catch (cause) {
    throw bad(`is not a dict of strings, integers and booleans: ${(cause as Error).message}`, cause)
  }
  const [descr, order, shape] = ['descr', 'fortran_order', 'shape'].map((key) => fields.get(key))
  if (fields.size !== 3 || descr === undefined || typeof order !== 'boolean') {
    throw bad('does not have descr, fortran_order and shape')
  }
  if (!Array.isArray(shape)) throw bad('has a shape that is not a tuple of integers')
  return { ...elementsOf(name, descr), shape, isFortran: order, start }
}

function latin1(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => String.fromCharCode(byte)).join('')
}

/** A tuple is an array; what is nested in a list stands for a structured type. */
type Literal = string | boolean | readonly number[] | 'structured'

const TOKEN = /\s*(?:'([^'\\\n]*)'|"([^"\\\n]*)"|(\d+)L?|(True|False)|([{}()[\]:,]))/y

class DictParser {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  all(): ReadonlyMap<string, Literal> {
    const fields = new Map<string, Literal>()
    this.#expect('{')
    while (!this.#take('}')) {
      const key = this.#next()
      if (typeof key !== 'object') throw new SyntaxError('a key is not a string')
      this.#expect(':')
      if (fields.has(key.text)) throw new SyntaxError('a key is there twice')
      fields.set(key.text, this.#value())
      if (!this.#take(',')) {
        this.#expect('}')
        break
      }
    }
    if (this.#text.slice(this.#at).trim() !== '')
      throw new SyntaxError('something follows the dict')
    return fields
  }

  #value(): Literal {
    const token = this.#next()
    if (typeof token === 'object') return token.text
    if (token === 'True' || token === 'False') return token === 'True'
    if (token === '(') return this.#tuple()
    if (token === '[') return this.#list()
    throw new SyntaxError(`unexpected ${token}`)
  }

  #tuple(): readonly number[] {
    const lengths: number[] = []
    while (!this.#take(')')) {
      const token = this.#next()
      const length = typeof token === 'string' && /^\d+$/.test(token) ? Number(token) : Number.NaN
      if (!Number.isSafeInteger(length))
        throw new SyntaxError('a tuple has something else than lengths')
      lengths.push(length)
      if (!this.#take(',')) {
        this.#expect(')')
        break
      }
    }
    return lengths
  }

  /** A structured type: looked through for its end, and refused by its kind. */
  #list(): Literal {
    for (let depth = 1; depth > 0; ) {
      const token = this.#next()
      if (token === '[') depth++
      if (token === ']') depth--
    }
    return 'structured'
  }

  /** A sign, a word or a number as it stands; a string as an object. */
  #next(): string | { readonly text: string } {
    TOKEN.lastIndex = this.#at
    const found = TOKEN.exec(this.#text)
    if (found === null) throw new SyntaxError(`unexpected text at character ${this.#at}`)
    this.#at = TOKEN.lastIndex
    const [, single, double, number, word, sign] = found
    const text = single ?? double
    return text === undefined ? (number ?? word ?? sign)! : { text }
  }

  #take(sign: string): boolean {
    const before = this.#at
    if (this.#next() === sign) return true
    this.#at = before
    return false
  }

  #expect(sign: string): void {
    if (!this.#take(sign)) throw new SyntaxError(`expected ${sign} at character ${this.#at}`)
  }
}

// What NumPy writes for each dtype of its own, without the byte order.
const BY_KIND: { readonly [kind: string]: DType } = {
  '?': 'bool',
  b1: 'bool',
  i1: 'int8',
  i2: 'int16',
  i4: 'int32',
  i8: 'int64',
  u1: 'uint8',
  u2: 'uint16',
  u4: 'uint32',
  u8: 'uint64',
  f1: 'float8_e5m2',
  f2: 'float16',
  f4: 'float32',
  f8: 'float64',
  c8: 'complex64',
  c16: 'complex128',
  V2: 'bfloat16',
}

// Why the others have no place in a checkpoint, by their first letter.
const REFUSED: { readonly [kind: string]: string } = {
  O: 'an object array, which is a pickle: make it an array of numbers in Python',
  U: 'an array of texts',
  S: 'an array of bytes',
  a: 'an array of bytes',
  M: 'an array of dates: save it as int64 (array.view("int64"))',
  m: 'an array of durations: save it as int64 (array.view("int64"))',
  V: 'of a type that NumPy has no name for: save array.view(numpy.uint8), or astype(numpy.float32)',
  f: 'of a float that is wider than 64 bits: save it as float64',
  c: 'of a complex number that is wider than 128 bits: save it as complex128',
}

function elementsOf(name: string, descr: Literal): Pick<NpyHeader, 'dtype' | 'isBigEndian'> {
  const found = typeof descr === 'string' ? descr : 'structured'
  if (found === 'structured') {
    throw notConvertible(
      `${quote(name)} is a structured array: save each of its fields by itself`,
      {
        tensor: name,
        actual: found,
      },
    )
  }
  // A type of ml_dtypes by its name, which is ours.
  if (isDType(found) && BY_KIND[found] === undefined) return { dtype: found, isBigEndian: false }
  const [, order, kind] = /^([<>|=]?)(.*)$/s.exec(found)!
  const dtype = Object.hasOwn(BY_KIND, kind!) ? BY_KIND[kind!] : undefined
  if (dtype === undefined) {
    const why = REFUSED[kind![0] ?? ''] ?? 'of an unknown type'
    throw notConvertible(`${quote(name)} is ${quote(found)}, ${why}`, {
      tensor: name,
      actual: found,
    })
  }
  return { dtype, isBigEndian: order === '>' && componentWidth(dtype) > 1 }
}

/** Bytes of an element in a `.npy`. */
function fileWidth(dtype: DType): number {
  return Math.max(1, DTYPES[dtype].bits / 8)
}

/** Bytes of what has a byte order: of a complex number, either part. */
function componentWidth(dtype: DType): number {
  return fileWidth(dtype) / (dtype === 'complex64' || dtype === 'complex128' ? 2 : 1)
}

function swap(bytes: Uint8Array, width: number): void {
  for (let at = 0; at < bytes.length; at += width) {
    for (let [i, j] = [at, at + width - 1]; i < j; i++, j--) {
      const byte = bytes[i]!
      bytes[i] = bytes[j]!
      bytes[j] = byte
    }
  }
}

type Read = (target: Uint8Array, position: number) => Promise<void>

/** Row-major out of column-major: the array is in memory from the first byte that is read to the last. */
function gathered(read: Read, shape: readonly number[], width: number): Read {
  let all: Uint8Array | undefined
  return async (target, position) => {
    const length = elementCount(shape)! * width
    if (all === undefined) {
      all = new Uint8Array(length)
      await read(all, 0)
    }
    gather(all, shape, width, target, position / width)
    if (position + target.byteLength === length) all = undefined
  }
}

/** Fills `target` with elements from the row-major index `start` on. Lengths of elements in bytes. */
function gather(
  source: Uint8Array,
  shape: readonly number[],
  width: number,
  target: Uint8Array,
  start: number,
): void {
  const strides = shape.map((_, axis) => shape.slice(0, axis).reduce((a, b) => a * b, width))
  const index = new Array<number>(shape.length).fill(0)
  let rest = start
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    index[axis] = rest % shape[axis]!
    rest = Math.floor(rest / shape[axis]!)
  }
  let from = index.reduce((sum, i, axis) => sum + i * strides[axis]!, 0)
  for (let to = 0; to < target.byteLength; to += width) {
    for (let i = 0; i < width; i++) target[to + i] = source[from + i]!
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      from += strides[axis]!
      if (++index[axis]! < shape[axis]!) break
      from -= strides[axis]! * shape[axis]!
      index[axis] = 0
    }
  }
}

/** Elements of so many bits, packed from the least significant bit on, out of bytes with one each. */
function packed(read: Read, bits: number): Read {
  const mask = (1 << bits) - 1
  return async (target, position) => {
    const bytes = new Uint8Array((target.byteLength * 8) / bits)
    await read(bytes, (position * 8) / bits)
    target.fill(0)
    for (const [i, byte] of bytes.entries()) {
      const at = i * bits
      const value = (byte & mask) << (at % 8)
      target[at >>> 3]! |= value
      if (value > 0xff) target[(at >>> 3) + 1]! |= value >>> 8
    }
  }
}

/** Bytes with one element each, as ml_dtypes has them: the bits above the element are zero. */
function unpacked(tensor: ForeignTensor): ForeignTensor {
  const { bits } = DTYPES[tensor.dtype]
  const mask = (1 << bits) - 1
  return new ForeignTensor(tensor.name, {
    dtype: 'uint8',
    shape: [tensor.size],
    read: async (target, position) => {
      const bytes = new Uint8Array((target.byteLength * bits) / 8)
      await tensor.readBytes(bytes, (position * bits) / 8)
      for (let i = 0; i < target.length; i++) {
        const at = i * bits
        const word = bytes[at >>> 3]! | ((bytes[(at >>> 3) + 1] ?? 0) << 8)
        target[i] = (word >>> (at % 8)) & mask
      }
    },
  })
}

/** A tensor's bytes as a `.npy` has them behind its header. */
export function npyElements(tensor: ForeignTensor): ForeignTensor {
  return DTYPES[tensor.dtype].bits < 8 ? unpacked(tensor) : tensor
}

const KINDS = new Map(
  Object.entries(BY_KIND)
    .filter(([kind]) => kind !== '?' && kind !== 'f1')
    .map(([kind, dtype]) => [dtype, kind]),
)

/** The header of a `.npy` of version 1, as `numpy.save` writes it, byte for byte. */
export function npyHeader({ dtype, shape }: ForeignTensor): Uint8Array {
  const kind = KINDS.get(dtype)
  const order = fileWidth(dtype) === 1 ? '|' : '<'
  const descr = kind === undefined ? dtype : `${order}${kind}`
  const [first] = shape
  const lengths = shape.length === 1 ? `${first},` : shape.join(', ')
  const dict = `{'descr': '${descr}', 'fortran_order': False, 'shape': (${lengths}), }`
  const growth = first === undefined ? 0 : Math.max(0, GROWTH_DIGITS - String(first).length)
  const text = `${dict}${' '.repeat(growth)}`
  const padding = ALIGNMENT - ((10 + text.length + 1) % ALIGNMENT)
  const body = `${text}${' '.repeat(padding)}\n`
  const header = new Uint8Array(10 + body.length)
  header.set([...MAGIC, 1, 0])
  new DataView(header.buffer).setUint16(8, body.length, true)
  for (let i = 0; i < body.length; i++) header[10 + i] = body.charCodeAt(i)
  return header
}
