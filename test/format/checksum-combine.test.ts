import test from 'ava'
import { crc32 } from '../../src/format/checksum.js'
import { combineCrc32 } from '../../src/format/checksum-combine.js'
import fc from '../support/fast-check.js'

test('the CRC of two stretches together follows from that of each', (t) => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 3000 }),
      fc.uint8Array({ maxLength: 3000 }),
      (a, b) => combineCrc32(crc32(a), crc32(b), b.length) === crc32(b, crc32(a)),
    ),
  )
  t.pass()
})

test('stretches may be as long as any file, and it does not matter in which order they are joined', (t) => {
  const crc = fc.nat(2 ** 32 - 1)
  const length = fc.oneof(
    fc.nat(100),
    fc.maxSafeNat().map((n) => Math.floor(n / 2)),
    fc.constant(2 ** 33 + 5),
  )
  fc.assert(
    fc.property(crc, crc, crc, length, length, (a, b, c, ofB, ofC) => {
      const first = combineCrc32(combineCrc32(a, b, ofB), c, ofC)
      return first === combineCrc32(a, combineCrc32(b, c, ofC), ofB + ofC)
    }),
  )
  // Zeros, doubled: of 2^k bytes each.
  let zeros = crc32(new Uint8Array(1))
  for (let k = 0; k < 24; k++) zeros = combineCrc32(zeros, zeros, 2 ** k)
  t.is(zeros, crc32(new Uint8Array(2 ** 24)))
})
