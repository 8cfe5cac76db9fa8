/**
 * A mapped file as memory, which lives as long as a view of it is needed. Unmapping memory that is still in use would
 * end the process.
 *
 * The finalizer of a view's ArrayBuffer tells that the view is no longer needed, unless its memory has been transferred
 * to another ArrayBuffer. So `transfer()` is refused. Streams of bytes transfer in another way. Therefore a buffer is
 * held until the array over it is collected, and then examined: if it has been detached, the map stays for good.
 *
 * Marking a buffer as untransferable does not help. On Node 20 and 22 the mark does not hold, and Node 24 aborts when a
 * process exits with such a buffer.
 *
 * One way stays open. A caller drops the array and keeps its buffer, or another array over it (a `subarray`). The
 * array is collected. Then the memory is transferred, by a read of a byte stream into it (`{ mode: 'byob' }`) or by
 * `ArrayBuffer.prototype.transfer.call`, and the checkpoint is closed. The next access to the memory ends the process
 * (SIGSEGV). Nothing reveals that transfer: a finalizer runs after its buffer is gone, and holding the buffer to
 * examine it would keep it from being collected. `structuredClone` and `postMessage` are safe: they copy on Node 20, and
 * refuse from Node 22 on.
 */

import { CheckpointError } from '../../errors.js'
import { type MapCalls, PAGE } from './libc.js'

// Bytes of a view that serves all looks that begin in it, and how far they may reach beyond it. V8 counts each view as
// if it were on its heap, and collects garbage every 64 MiB.
const LONG_VIEW = 1024 * 1024 * 1024
const LONGEST_LOOK = 64 * 1024 * 1024

/** The mapped memory, with a count of its users. */
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
   * Returns bytes for a caller. The map lives as long as the array or its buffer can be reached. Throws CKPT_CLOSED.
   */
  handOut(position: number, length: number): Uint8Array {
    const buffer = this.view(position, length)
    this.#users++
    for (const name of TRANSFERS) {
      /* c8 ignore next -- Node 20 has none of them; the tests run on 22, 24 and 26 as well. */
      if (name in buffer) Object.defineProperty(buffer, name, { value: refuseTransfer })
    }
    const bytes = new Uint8Array(buffer)
    arrays.register(bytes, { mapping: this, buffer })
    return bytes
  }

  /** Returns memory from `position` on, which is valid until `close`. Throws CKPT_CLOSED. */
  view(position: number, length: number): ArrayBuffer {
    this.#check(position, length)
    return this.#calls.view(this.#address + BigInt(position), length)
  }

  /** Like `view`, for many looks at a file in sequence. The array is valid until `close`. */
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
   * Loads bytes into memory. Touching them then neither waits for a device nor ends the process if the device fails.
   * False if the system lacks the call, or if the call failed.
   */
  bringIn(position: number, length: number): boolean {
    this.checkOpen()
    const start = position - (position % PAGE)
    return this.#calls.bringIn(this.#address + BigInt(start), position - start + length)
  }

  /** Throws CKPT_CLOSED if the memory may have been unmapped. */
  checkOpen(): void {
    if (this.#closed) throw new CheckpointError('CKPT_CLOSED', 'the file is closed')
  }

  /** Called when a buffer that was handed out has been collected. */
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
    // Callers have validated positions against the file's length. A wrong one would read other memory.
    if (!(position >= 0 && length >= 0 && position + length <= this.length)) {
      throw new RangeError(`${length} bytes at ${position} reach beyond a map of ${this.length}`)
    }
  }

  #unmapIfUnused(): void {
    if (this.#closed && this.#users === 0) this.#calls.unmap(this.#address, this.length)
  }
}

const TRANSFERS = ['transfer', 'transferToFixedLength', 'transferToImmutable']

/* c8 ignore next 5 -- as above. */
function refuseTransfer(): never {
  throw new TypeError(
    'the memory of a mapped file cannot be transferred: transfer a copy, made by slice()',
  )
}

/** Buffers that this module no longer holds. When one is collected, it no longer needs its map. */
const buffers = new FinalizationRegistry<Mapping>((mapping) => mapping.release())

/** The arrays that were handed out, each with its buffer, which this module holds until then. */
const arrays = new FinalizationRegistry<{
  readonly mapping: Mapping
  readonly buffer: ArrayBuffer
}>(({ mapping, buffer }) => {
  if (buffer.byteLength > 0) buffers.register(buffer, mapping)
})
