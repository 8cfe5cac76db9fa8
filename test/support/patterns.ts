/** Long arrays, filled by a loop: `from` with a function takes twenty times as long for each element. */

/** Bytes that differ from those of any other place nearby. */
export function scattered(length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length)
  for (let i = 0; i < length; i++) bytes[i] = Math.imul(i, 0x9e3779b1) >>> 24
  return bytes
}

/** The numbers from `from` on. */
export function counted(length: number, from = 0): Float32Array<ArrayBuffer> {
  const numbers = new Float32Array(length)
  for (let i = 0; i < length; i++) numbers[i] = from + i
  return numbers
}

/** Whether all numbers are the one number, bit for bit. A loop over elements takes long. */
export function areAll(numbers: Float32Array | Uint8Array, value: number): boolean {
  const expected = numbers.slice().fill(value)
  return Buffer.from(numbers.buffer, numbers.byteOffset, numbers.byteLength).equals(
    Buffer.from(expected.buffer),
  )
}
