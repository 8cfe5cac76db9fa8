/** Checkpoints that were just saved, as bytes in memory, and ways to damage them. */

import { MemorySink } from '../../src/io/memory-sink.js'
import { type SaveOptions, writeCheckpoint } from '../../src/save/write.js'
import type { Module, Optimizer, TypedArray } from '../../src/state.js'

/** The bytes of a checkpoint's file. */
export async function inMemory(
  model: Module,
  optimizer?: Optimizer | null,
  options: SaveOptions = {},
): Promise<Uint8Array<ArrayBuffer>> {
  const sink = new MemorySink()
  await writeCheckpoint(sink, model, optimizer, options)
  return sink.bytes as Uint8Array<ArrayBuffer>
}

/** Position of an array's elements in a file: the only place with these bytes. */
export function positionOf(file: Uint8Array, data: TypedArray): number {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
  const haystack = Buffer.from(file.buffer, file.byteOffset, file.byteLength)
  const position = haystack.indexOf(bytes)
  if (position === -1 || haystack.indexOf(bytes, position + 1) !== -1) {
    throw new Error('the array has to stand in the file once')
  }
  return position
}

/** Flips one bit of each of the positions. */
export function flipBits(file: Uint8Array, ...positions: readonly number[]): void {
  for (const position of positions) file[position]! ^= 0x10
}
