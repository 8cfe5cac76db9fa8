/**
 * Bytes that detect reads outside of them. The FlatBuffers runtime silently reads zeros outside of its buffer; with
 * these bytes such a read throws.
 */

/** A read outside of the bytes; no error that the library itself could throw. */
export class OutOfRange extends Error {
  override readonly name = 'OutOfRange'
}

/**
 * The same bytes for a reader that takes single bytes and subarrays, as the runtime does, or a DataView
 * of them: their memory is theirs alone, so that a DataView throws by itself.
 */
export function watchedBytes(given: Uint8Array): Uint8Array {
  const bytes = given.slice()
  const { length } = bytes
  const check = (start: number, end: number): void => {
    if (!(Number.isInteger(start) && start >= 0 && start <= end && end <= length)) {
      throw new OutOfRange(`a read of ${start} to ${end}, in ${length} bytes`)
    }
  }
  return new Proxy(bytes, {
    get(target, property) {
      if (property === 'subarray') {
        return (start: number, end: number): Uint8Array => {
          check(start, end)
          return target.subarray(start, end)
        }
      }
      if (property === 'buffer') return target.buffer
      if (property === 'byteOffset') return 0
      if (property === 'length' || property === 'byteLength') return length
      if (typeof property === 'string') {
        const at = Number(property)
        if (property === 'NaN' || !Number.isNaN(at)) {
          check(at, at + 1)
          return target[at]
        }
      }
      throw new OutOfRange(`a use of ${String(property)}, which is not watched`)
    },
  })
}
