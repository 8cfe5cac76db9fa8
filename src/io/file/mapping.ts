/**
 * A mapped file as memory, which lives for as long as a view of it is needed: unmapping memory that is
 * still in use is the end of the process.
 *
 * The finalizer of a view's ArrayBuffer tells that it is no longer needed, unless its memory has been
 * transferred to another ArrayBuffer by then. So `transfer()` is refused; and a buffer is held until the
 * array that was handed out over it is collected, to look then whether it has its memory: streams of bytes
 * take that from what they are given. If it is gone the map stays for good. (To mark a buffer as
 * untransferable is no help: on Node 20 and 22 the mark does not hold, and Node 24 ends a process that
 * exits with such a buffer by an abort.)
 */

import { CheckpointError } from '../../errors.js'
import { type MapCalls, PAGE } from './libc.js'

// Bytes of a view that serves all looks that begin in it, and how far they may reach beyond. V8 counts
// what is viewed as if it were on its heap, each time anew, and collects garbage for every 64 MiB.
const LONG_VIEW = 1024 * 1024 * 1024
const LONGEST_LOOK = 64 * 1024 * 1024

/** The mapped memory, and who still needs it. */
export class Mapping {
  readonly length: number
  readonly #calls: MapCalls
  readonly #address: bigint
  #users = 0
  #closed = false
  #looked = new Uint8Array(0)
  #lookedStart = 0

  constructor(mapCalls: MapCalls, address: bigint, length: number) {
    this.#calls = mapCalls
    this.#address = address
    this.length = length
  }

  /**
   * Bytes for a caller: they keep the map for as long as the array can be reached, or its buffer. Throws
   * CKPT_CLOSED.
   */
  handOut(position: number, length: number): Uint8Array {
    const buffer = this.view(position, length)
    this.#users++
    for (const name of TRANSFERS) {
      if (name in buffer) Object.defineProperty(buffer, name, { value: refuseTransfer })
    }
    const bytes = new Uint8Array(buffer)
    arrays.register(bytes, { mapping: this, buffer })
    return bytes
  }

  /** Memory, from `position` on, that is good until `close`. Throws CKPT_CLOSED. */
  view(position: number, length: number): ArrayBuffer {
    this.#check(position, length)
    return this.#calls.view(this.#address + BigInt(position), length)
  }

  /** Like `view`, for many looks at a file from one end to the other. */
  look(position: number, length: number): Uint8Array {
    this.#check(position, length)
    if (length > LONGEST_LOOK) return new Uint8Array(this.view(position, length))
    let start = position - this.#lookedStart
    if (start < 0 || start + length > this.#looked.byteLength) {
      start = position % LONG_VIEW
      this.#lookedStart = position - start
      const end = Math.min(this.#lookedStart + LONG_VIEW + LONGEST_LOOK, this.length)
      this.#looked = new Uint8Array(this.view(this.#lookedStart, end - this.#lookedStart))
    }
    return this.#looked.subarray(start, start + length)
  }

  /**
   * Brings bytes into memory, so that touching them neither waits for a device nor is fatal where it
   * fails. False where the system does not know how, and where it could not.
   */
  bringIn(position: number, length: number): boolean {
    this.checkOpen()
    const start = position - (position % PAGE)
    return this.#calls.bringIn(this.#address + BigInt(start), position - start + length)
  }

  /** Throws CKPT_CLOSED where the memory may be gone. */
  checkOpen(): void {
    if (this.#closed) throw new CheckpointError('CKPT_CLOSED', 'the file is closed')
  }

  /** A buffer that was handed out is gone. */
  release(): void {
    this.#users--
    this.#unmapIfUnused()
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#looked = new Uint8Array(0)
    this.#unmapIfUnused()
  }

  #check(position: number, length: number): void {
    this.checkOpen()
    // What is asked for has been checked against the file's length; here it would be other memory.
    if (!(position >= 0 && length >= 0 && position + length <= this.length)) {
      throw new RangeError(`${length} bytes at ${position} reach beyond a map of ${this.length}`)
    }
  }

  #unmapIfUnused(): void {
    if (this.#closed && this.#users === 0) this.#calls.unmap(this.#address, this.length)
  }
}

const TRANSFERS = ['transfer', 'transferToFixedLength', 'transferToImmutable']

function refuseTransfer(): never {
  throw new TypeError(
    'the memory of a mapped file cannot be transferred: transfer a copy, made by slice()',
  )
}

/** Buffers that are no longer held here: one that is collected needs its map no more. */
const buffers = new FinalizationRegistry<Mapping>((mapping) => mapping.release())

/** The arrays that were handed out, each with its buffer, which is held until then. */
const arrays = new FinalizationRegistry<{
  readonly mapping: Mapping
  readonly buffer: ArrayBuffer
}>(({ mapping, buffer }) => {
  if (buffer.byteLength > 0) buffers.register(buffer, mapping)
})
