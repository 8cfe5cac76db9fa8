/**
 * A restricted unpickler: it accepts only the opcodes and names that PyTorch's own reader of weights accepts. It runs
 * no code: a class or a function is only a name, and the few that may be called make plain values here.
 *
 * A hostile pickle costs at most a small multiple of its length. Lengths are compared with the available bytes before
 * memory is allocated, the memo is a map, and containers and memo entries are counted.
 */

import { foreignFault } from '../training.js'
import { callGlobal, checkGlobal, newObject } from './globals.js'
import { PyDict, PyGlobal, type PyStorage, PyTuple, type PyValue } from './values.js'

/** Longest pickle, in bytes: 200 bytes for each of three hundred thousand tensors. */
export const MAX_PICKLE = 64 * 1024 * 1024

// The most containers, marks and memo entries, which take about 100 bytes each: ten for each tensor.
const MAX_OBJECTS = 4_000_000

// Longest name of a module or a member, in bytes.
const MAX_NAME = 1024

/** Makes a storage from a persistent id, a tuple. */
export type PersistentLoad = (id: PyTuple) => PyStorage

/** The bytes end before the pickle does; the file may have more. */
export class PickleEnds extends Error {}

/** Runs one pickle from `start` on. `end` is the position after it. Throws CKPT_FOREIGN_FILE, `pytorch.pickle*`. */
export function unpickle(
  bytes: Uint8Array,
  start: number,
  persistentLoad: PersistentLoad,
): { readonly value: PyValue; readonly end: number } {
  const machine = new Machine(bytes, start, persistentLoad)
  return { value: machine.run(), end: machine.position }
}

const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

class Machine {
  position: number
  readonly #bytes: Uint8Array
  readonly #data: DataView
  readonly #persistentLoad: PersistentLoad
  readonly #memo = new Map<number, PyValue>()
  readonly #marks: PyValue[][] = []
  #stack: PyValue[] = []
  #objects = 0

  constructor(bytes: Uint8Array, start: number, persistentLoad: PersistentLoad) {
    this.#bytes = bytes
    this.#data = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.position = start
    this.#persistentLoad = persistentLoad
  }

  run(): PyValue {
    for (;;) {
      const at = this.position
      const opcode = this.#byte()
      if (opcode === 0x2e /* STOP */) {
        const value = this.#pop()
        if (this.#stack.length > 0 || this.#marks.length > 0) throw this.#corrupt('leaves values')
        return value
      }
      this.#step(opcode, at)
    }
  }

  #step(opcode: number, at: number): void {
    switch (opcode) {
      case 0x80: // PROTO
        this.#byte()
        return
      case 0x4e: // NONE
        this.#push(null)
        return
      case 0x88: // NEWTRUE
        this.#push(true)
        return
      case 0x89: // NEWFALSE
        this.#push(false)
        return
      case 0x4a: // BININT
        this.#push(this.#data.getInt32(this.#skip(4), true))
        return
      case 0x4b: // BININT1
        this.#push(this.#byte())
        return
      case 0x4d: // BININT2
        this.#push(this.#data.getUint16(this.#skip(2), true))
        return
      case 0x8a: // LONG1
        this.#push(this.#long(this.#byte()))
        return
      case 0x47: // BINFLOAT
        this.#push(this.#data.getFloat64(this.#skip(8), false))
        return
      case 0x58: // BINUNICODE
        this.#push(this.#text(this.#data.getUint32(this.#skip(4), true)))
        return
      case 0x55: // SHORT_BINSTRING
        this.#push(this.#text(this.#byte()))
        return
      case 0x28: // MARK
        this.#count()
        this.#marks.push(this.#stack)
        this.#stack = []
        return
      case 0x5d: // EMPTY_LIST
      case 0x8f: // EMPTY_SET
        this.#make([])
        return
      case 0x7d: // EMPTY_DICT
        this.#make(new PyDict())
        return
      case 0x29: // EMPTY_TUPLE
        this.#make(new PyTuple([]))
        return
      case 0x74: // TUPLE
        this.#make(new PyTuple(this.#popMark()))
        return
      case 0x85: // TUPLE1
      case 0x86: // TUPLE2
      case 0x87: // TUPLE3
        this.#make(new PyTuple(this.#popMany(opcode - 0x84)))
        return
      case 0x61: // APPEND
        this.#append([this.#pop()])
        return
      case 0x65: // APPENDS
        this.#append(this.#popMark())
        return
      case 0x73: // SETITEM
        this.#setItems(this.#popMany(2))
        return
      case 0x75: // SETITEMS
        this.#setItems(this.#popMark())
        return
      case 0x71: // BINPUT
        this.#remember(this.#byte())
        return
      case 0x72: // LONG_BINPUT
        this.#remember(this.#data.getUint32(this.#skip(4), true))
        return
      case 0x68: // BINGET
        this.#recall(this.#byte())
        return
      case 0x6a: // LONG_BINGET
        this.#recall(this.#data.getUint32(this.#skip(4), true))
        return
      case 0x63: // GLOBAL
        this.#make(checkGlobal(this.#line(), this.#line()))
        return
      case 0x52: // REDUCE
        this.#call(callGlobal)
        return
      case 0x81: // NEWOBJ
        this.#call(newObject)
        return
      case 0x62: // BUILD
        this.#build()
        return
      case 0x51: {
        // BINPERSID
        const id = this.#pop()
        if (!(id instanceof PyTuple)) throw this.#corrupt('has a persistent id that is not a tuple')
        this.#make(this.#persistentLoad(id))
        return
      }
    }
    throw foreignFault(
      'pytorch.pickle.opcode',
      `the pickle has the opcode 0x${opcode.toString(16)}, which no file of PyTorch's default protocol has: ` +
        'save it again with torch.save()',
      { offset: at, actual: opcode },
    )
  }

  /** The number of bytes that follow, and their position. */
  #skip(length: number): number {
    const start = this.position
    if (start + length > this.#bytes.length) throw new PickleEnds('the pickle ends too early')
    this.position = start + length
    return start
  }

  #byte(): number {
    return this.#bytes[this.#skip(1)]!
  }

  #text(length: number): string {
    const start = this.#skip(length)
    try {
      return text.decode(this.#bytes.subarray(start, start + length))
    } catch (cause) {
      throw foreignFault('pytorch.pickle.text', 'the pickle has text that is not UTF-8', {
        offset: start,
        cause,
      })
    }
  }

  #line(): string {
    const start = this.position
    const end = this.#bytes.subarray(start, start + MAX_NAME).indexOf(0x0a)
    if (end === -1) {
      if (start + MAX_NAME > this.#bytes.length) throw new PickleEnds('the pickle ends too early')
      throw this.#corrupt('has a name without an end')
    }
    const name = this.#text(end)
    this.position++
    return name
  }

  #long(length: number): number | bigint {
    const start = this.#skip(length)
    let digits = ''
    for (let i = start + length - 1; i >= start; i--) {
      digits += this.#bytes[i]!.toString(16).padStart(2, '0')
    }
    const value = digits === '' ? 0n : BigInt.asIntN(length * 8, BigInt(`0x${digits}`))
    const number = Number(value)
    return Number.isSafeInteger(number) ? number : value
  }

  #push(value: PyValue): void {
    this.#stack.push(value)
  }

  #make(value: PyValue): void {
    this.#count()
    this.#stack.push(value)
  }

  #count(): void {
    this.#objects++
    if (this.#objects > MAX_OBJECTS) {
      throw foreignFault(
        'pytorch.pickle.budget',
        `the pickle has more than ${MAX_OBJECTS} lists, tuples, dicts and names`,
        { offset: this.position, expected: MAX_OBJECTS },
      )
    }
  }

  #pop(): PyValue {
    const value = this.#stack.pop()
    if (value === undefined) throw this.#corrupt('takes a value that there is not')
    return value
  }

  #popMany(count: number): PyValue[] {
    if (this.#stack.length < count) throw this.#corrupt('takes a value that there is not')
    return this.#stack.splice(this.#stack.length - count)
  }

  #popMark(): PyValue[] {
    const items = this.#stack
    const before = this.#marks.pop()
    if (before === undefined) throw this.#corrupt('ends a list that it did not begin')
    this.#stack = before
    return items
  }

  #top(): PyValue {
    const value = this.#stack.at(-1)
    if (value === undefined) throw this.#corrupt('takes a value that there is not')
    return value
  }

  #append(items: readonly PyValue[]): void {
    const list = this.#top()
    if (!Array.isArray(list)) throw this.#corrupt('appends to a value that is not a list')
    for (const item of items) list.push(item)
  }

  #setItems(items: readonly PyValue[]): void {
    const dict = this.#top()
    if (!(dict instanceof PyDict)) throw this.#corrupt('sets a key of a value that is not a dict')
    if (items.length % 2 !== 0) throw this.#corrupt('has a key without a value')
    for (let i = 0; i < items.length; i += 2) dict.entries.set(items[i]!, items[i + 1]!)
  }

  #remember(index: number): void {
    if (!this.#memo.has(index)) this.#count()
    this.#memo.set(index, this.#top())
  }

  #recall(index: number): void {
    const value = this.#memo.get(index)
    if (value === undefined) throw this.#corrupt(`takes entry ${index} of the memo, which is empty`)
    this.#push(value)
  }

  #call(make: (name: string, args: readonly PyValue[]) => PyValue): void {
    const args = this.#pop()
    const callee = this.#pop()
    if (!(callee instanceof PyGlobal) || !(args instanceof PyTuple)) {
      throw this.#corrupt('calls a value that is not a name')
    }
    this.#make(make(callee.name, args.items))
  }

  /** Attributes of an OrderedDict (`_metadata` of a state dict) are useless without its module. */
  #build(): void {
    this.#pop()
    const built = this.#top()
    if (built instanceof PyDict) return
    throw foreignFault(
      'pytorch.pickle.build',
      'the pickle sets the attributes of an object: expected tensors, dicts and plain values',
      { offset: this.position },
    )
  }

  #corrupt(what: string): Error {
    return foreignFault('pytorch.pickle', `the pickle is damaged: it ${what}`, {
      offset: this.position,
    })
  }
}
