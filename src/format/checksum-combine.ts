/**
 * CRC-32 of two adjacent ranges from the CRC-32 of each, so that a long range can be summed in parts. A CRC is a
 * remainder of polynomials over GF(2). A range of n bytes shifts what precedes it by 8 n zero bits: it multiplies the
 * first CRC by x^(8 n), modulo the polynomial (as zlib 1.2.12's crc32_combine does). Polynomials are 32 bits, with x^0
 * in the highest.
 */

const POLYNOMIAL = 0xedb88320

/** a * b modulo the polynomial. */
function multiply(a: number, b: number): number {
  let product = 0
  for (let bit = 1 << 31; a !== 0; bit >>>= 1) {
    if (a & bit) {
      product ^= b
      a ^= bit
    }
    b = b & 1 ? (b >>> 1) ^ POLYNOMIAL : b >>> 1
  }
  return product
}

/** x^(8 * 2^k) for k from 0 to 52: one for each bit of a length in bytes. */
const powers = new Int32Array(53)
// x^8, the factor of one byte.
powers[0] = 1 << 23
for (let k = 1; k < powers.length; k++) powers[k] = multiply(powers[k - 1]!, powers[k - 1]!)

/** CRC-32 of A followed by B, where B is `length` bytes long. */
export function combineCrc32(crcOfA: number, crcOfB: number, length: number): number {
  let moved = crcOfA
  for (let k = 0, rest = length; rest > 0; k++, rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) moved = multiply(powers[k]!, moved)
  }
  return (moved ^ crcOfB) >>> 0
}
