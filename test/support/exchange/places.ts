/** Files in memory, for readers and writers of formats. */

import { type ConvertOptions, planConversion } from '../../../src/exchange/convert.js'
import { inputPlace } from '../../../src/exchange/places.js'
import type { OutputPlace } from '../../../src/exchange/training.js'
import { MemorySink } from '../../../src/io/memory-sink.js'

/** A place in memory for a file of this name. */
export function memoryPlace(name: string): OutputPlace & { readonly sink: MemorySink } {
  const sink = new MemorySink()
  const sibling = (): never => {
    throw new Error('there is one file')
  }
  return { name, sink, sibling }
}

/** Converts a file's bytes to those of a file of that name. */
export async function converted(
  bytes: Uint8Array,
  name: string,
  options: ConvertOptions = {},
): Promise<Uint8Array<ArrayBuffer>> {
  const to = memoryPlace(name)
  const plan = await planConversion(await inputPlace(bytes), to, options)
  try {
    await plan.write()
  } finally {
    plan.training.close()
  }
  return to.sink.bytes as Uint8Array<ArrayBuffer>
}
