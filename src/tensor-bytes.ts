/** A tensor's memory, whatever it is typed as, as its bytes. */

import type { TensorData } from './state.js'

/** The same memory, as bytes; no copy. */
export function bytesOf(data: TensorData): Uint8Array {
  return ArrayBuffer.isView(data)
    ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    : new Uint8Array(data)
}
