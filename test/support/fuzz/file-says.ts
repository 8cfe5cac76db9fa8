/**
 * What the bytes of a file say about a tensor, looked up without the parts of the library that read
 * it: what is handed out is what stands there, has the checksum that stands there, and comes behind a
 * gap that hides nothing.
 */

import { crc32 } from 'node:zlib'
import { decode } from '../../../src/format/decode.js'
import { allStates } from '../../../src/format/metadata.js'
import type { TensorRecord } from '../../../src/format/tensor-table.js'
import type { TypedArray } from '../../../src/state.js'
import { demand } from './guards.js'

export class FileSays {
  readonly #file: Uint8Array
  readonly #tensors = new Map<string, ReadonlyMap<string, TensorRecord>>()
  // Where each segment starts, and where what stands before it ends.
  readonly #gaps = new Map<number, number>()

  constructor(file: Uint8Array, metadataLength: number) {
    this.#file = file
    let end = metadataLength
    for (const { name, tensors } of allStates(decode(file.subarray(0, metadataLength)))) {
      this.#tensors.set(name, new Map(Array.from(tensors, (tensor) => [tensor.name, tensor])))
      for (const { offset, byteLength } of tensors) {
        if (this.#gaps.has(offset)) continue
        demand(offset >= end + 4, 'the order of the segments')
        this.#gaps.set(offset, end)
        end = offset + byteLength
      }
    }
    demand(end === file.byteLength, 'the end of the file')
  }

  /** Throws a Violation where `data` is not what the file says; its checksum, if that was checked. */
  check(state: string, tensor: string, data: TypedArray, verified: boolean): void {
    const record = this.#tensors.get(state)?.get(tensor)
    demand(record !== undefined, 'the name of a tensor')
    const { offset, byteLength } = record
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    const segment = this.#file.subarray(offset, offset + byteLength)
    demand(Buffer.compare(bytes, segment) === 0, 'what a tensor holds')
    if (!verified) return
    demand(crc32(segment) === record.crc32, 'the checksum of a tensor')
    const gap = this.#gaps.get(offset)!
    for (let at = gap; at < offset - 4; at++) demand(this.#file[at] === 0, 'a byte of a gap')
    const length = new DataView(this.#file.buffer, this.#file.byteOffset + offset - 4, 4)
    demand(length.getUint32(0, true) === byteLength, 'the length before a segment')
  }
}
