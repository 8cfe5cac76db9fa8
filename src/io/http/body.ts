/** The body of an answer, read into memory that is used again where the platform can do that. */

import type { Arriving } from '../attempts.js'

// Bytes of a chunk: what a browser passes on at once. Chunks that wait for the next answer.
const CHUNK = 512 * 1024
const SPARE = 8

const spare: ArrayBuffer[] = []

// Node's streams copy into such memory what they have in memory of their own.
const REUSES = globalThis.process?.versions?.node === undefined

/**
 * Reads a body. A chunk is valid until the next one is read. A browser takes new memory for each chunk by itself: half a
 * mebibyte, which costs more than its bytes.
 */
export function bodyReader(body: ReadableStream<Uint8Array>, reuses = REUSES): Arriving {
  let reader: ReadableStreamBYOBReader
  try {
    if (!reuses) return body.getReader()
    reader = body.getReader({ mode: 'byob' })
  } catch {
    // A stream that does not fill memory of others: Safari's.
    return body.getReader()
  }
  let memory: ArrayBuffer | undefined
  return {
    async read() {
      const target = memory ?? spare.pop() ?? new ArrayBuffer(CHUNK)
      // It is the stream's until it is read.
      memory = undefined
      const { done, value } = await reader.read(new Uint8Array(target))
      memory = value?.buffer as ArrayBuffer | undefined
      return { done, value: done ? undefined : value }
    },
    async cancel() {
      if (memory !== undefined && spare.length < SPARE) spare.push(memory)
      memory = undefined
      await reader.cancel()
    },
  }
}
