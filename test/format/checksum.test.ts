import zlib from 'node:zlib'
import test from 'ava'
import { crc32, nativeCrc32, platformCrc32, tableCrc32 } from '../../src/format/checksum.js'
import { kernelCrc32 } from '../../src/format/checksum-kernel.js'
import fc from '../support/fast-check.js'
import { holds } from '../support/format/property.js'
import { requires } from '../support/requires.js'

const ascii = (text: string) => new TextEncoder().encode(text)
const anyCrc = fc.integer({ min: 0, max: 0xffffffff })
// Around 16, the step of the tables, and beyond.
const anyBytes = fc.uint8Array({ maxLength: 200 })

const native = nativeCrc32()
const kernel = kernelCrc32(tableCrc32)

for (const [name, crc] of [
  ['the one that is used', crc32],
  ['the portable one', tableCrc32],
  ['the one in WebAssembly', kernel],
  // Optional: where it is not installed there is nothing to be said of it.
  ...(native === undefined ? [] : [['the native one', native] as const]),
] as const) {
  test(`${name} is CRC-32/ISO-HDLC: its check value is cbf43926`, (t) => {
    t.is(crc(ascii('123456789')), 0xcbf43926)
  })

  test(`${name} knows the values that others publish`, (t) => {
    t.is(crc(ascii('a')), 0xe8b7be43)
    t.is(crc(ascii('The quick brown fox jumps over the lazy dog')), 0x414fa339)
    t.is(crc(new Uint8Array(32)), 0x190a55ad)
    t.is(crc(new Uint8Array(32).fill(0xff)), 0xff6cab0b)
  })

  test(`${name} is 0 of nothing, and leaves a seed as it is`, (t) => {
    t.is(crc(new Uint8Array(0)), 0)
    t.is(crc(new Uint8Array(0), 0xdeadbeef), 0xdeadbeef)
    // zlib's of Node 22 forgets the seed for such a buffer.
    t.is(crc(new Uint8Array(new ArrayBuffer(0)), 0xdeadbeef), 0xdeadbeef)
    t.is(crc(new Uint8Array(8).subarray(8), 0xdeadbeef), 0xdeadbeef)
  })

  test(`${name} comes to the same over two pieces as over the whole`, (t) => {
    holds(
      t,
      fc.property(anyBytes, fc.nat(), (bytes, n) => {
        const cut = n % (bytes.length + 1)
        return crc(bytes.subarray(cut), crc(bytes.subarray(0, cut))) === crc(bytes)
      }),
    )
  })

  test(`${name} changes with every single bit`, (t) => {
    const bytes = ascii('lightwatch checkpoint')
    const seen = new Set([crc(bytes)])
    for (let bit = 0; bit < 8 * bytes.length; bit++) {
      const flipped = bytes.slice()
      flipped[bit >> 3]! ^= 1 << (bit & 7)
      seen.add(crc(flipped))
    }
    t.is(seen.size, 8 * bytes.length + 1)
  })
}

test('every one gives the same numbers as zlib, for any bytes and any seed', (t) => {
  holds(
    t,
    fc.property(anyBytes, anyCrc, (bytes, seed) => {
      const expected = zlib.crc32(bytes, seed)
      return (
        tableCrc32(bytes, seed) === expected && (native?.(bytes, seed) ?? expected) === expected
      )
    }),
    { numRuns: 2000 },
  )
})

const withNative = requires(test, 'package:@node-rs/crc32')

withNative('the native one gives the same numbers at every length, from every address', (t) => {
  const memory = Uint8Array.from({ length: 5000 }, (_, i) => (i * 2654435761) >>> 11)
  for (let length = 0; length < 600; length++) {
    const view = memory.subarray(length % 67, (length % 67) + length)
    t.is(native!(view, length), zlib.crc32(view, length), `${length} bytes`)
  }
  const shared = new Uint8Array(new SharedArrayBuffer(5000))
  shared.set(memory)
  t.is(native!(shared), zlib.crc32(memory))
})

test('the one in WebAssembly gives the same numbers around every length that it treats differently', (t) => {
  // It begins at 19,200 bytes, moves 64 at once, and takes chunks of 64 KiB.
  const memory = Uint8Array.from({ length: 280_000 }, (_, i) => (i * 2654435761) >>> 11)
  const around = [19_200, 4_800 + 65_536, 4_800 + 2 * 65_536, 4_800 + 4 * 65_536]
  for (const about of around) {
    for (let length = about - 70; length <= about + 70; length++) {
      const view = memory.subarray(length % 67, (length % 67) + length)
      t.is(kernel(view, length), zlib.crc32(view, length), `${length} bytes`)
    }
  }
})

test('the one in WebAssembly leaves the bytes as they are, and needs no WebAssembly', (t) => {
  const bytes = Buffer.from(Uint8Array.from({ length: 30_000 }, (_, i) => i * i))
  const before = Uint8Array.from(bytes)
  const expected = zlib.crc32(bytes)
  t.is(kernel(bytes), expected)
  t.deepEqual(Uint8Array.from(bytes), before)
  const { Module } = WebAssembly
  try {
    // As where a page's policy forbids it.
    WebAssembly.Module = undefined as never
    t.is(kernelCrc32(tableCrc32)(bytes), expected)
  } finally {
    WebAssembly.Module = Module
  }
})

test('the portable one reads a view where it lies, and not the memory around it', (t) => {
  const memory = Uint8Array.from({ length: 100 }, (_, i) => i * 7)
  for (let start = 0; start < 20; start++) {
    for (const length of [0, 1, 15, 16, 17, 31, 32, 33, 47, 64]) {
      const view = memory.subarray(start, start + length)
      t.is(tableCrc32(view), zlib.crc32(view), `${length} bytes from ${start}`)
    }
  }
})

test('where Node is, its own is the one of the platform', (t) => {
  t.is(platformCrc32, zlib.crc32)
})

test('the one that is used gives the same numbers before and after it has seen many bytes', (t) => {
  const bytes = Uint8Array.from({ length: 1 << 20 }, (_, i) => i * i)
  const expected = zlib.crc32(bytes, 7)
  for (let mebibyte = 0; mebibyte < 40; mebibyte++) t.is(crc32(bytes, 7), expected)
})
