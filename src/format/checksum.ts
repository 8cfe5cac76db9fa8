/**
 * CRC-32/ISO-HDLC, the checksum of zlib, gzip and PNG: polynomial 0x04C11DB7 reflected, initial value and final xor
 * 0xFFFFFFFF. There are four implementations, which return the same numbers: tables on every platform, WebAssembly in
 * browsers, zlib's in Node, and that of an optional native package, `@node-rs/crc32`, for many bytes.
 */

import { type Crc32, kernelCrc32 } from './checksum-kernel.js'

// Slicing by 16 (Kounavis and Berry, 2005): sixteen tables fold sixteen bytes in one step. Table k holds the CRC of a
// byte followed by k zero bytes.
const SLICES = 16
let tables: readonly Uint32Array[] | undefined

function makeTables(): readonly Uint32Array[] {
  const made = Array.from({ length: SLICES }, () => new Uint32Array(256))
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1
    made[0]![byte] = crc
  }
  for (let k = 1; k < SLICES; k++) {
    for (let byte = 0; byte < 256; byte++) {
      const previous = made[k - 1]![byte]!
      made[k]![byte] = (previous >>> 8) ^ made[0]![previous & 0xff]!
    }
  }
  return made
}

/** The portable implementation, with tables. Slower than zlib's. */
export const tableCrc32: Crc32 = (bytes, seed = 0) => {
  tables ??= makeTables()
  const [t0, t1, t2, t3, t4, t5, t6, t7, t8, t9, t10, t11, t12, t13, t14, t15] =
    tables as unknown as { [k: number]: Uint32Array } & Iterable<Uint32Array> as [
      Uint32Array,
      Uint32Array,
      Uint32Array,
      Uint32Array,
      Uint32Array,
      Uint32Array,
      Uint32Array,
      Uint32Array,
      Uint32Array,
      Uint32Array,
      Uint32Array,
      Uint32Array,
      Uint32Array,
      Uint32Array,
      Uint32Array,
      Uint32Array,
    ]
  let crc = ~seed
  let i = 0
  for (const end = bytes.length - 15; i < end; i += 16) {
    crc =
      t15[(crc ^ bytes[i]!) & 0xff]! ^
      t14[((crc >>> 8) ^ bytes[i + 1]!) & 0xff]! ^
      t13[((crc >>> 16) ^ bytes[i + 2]!) & 0xff]! ^
      t12[(crc >>> 24) ^ bytes[i + 3]!]! ^
      t11[bytes[i + 4]!]! ^
      t10[bytes[i + 5]!]! ^
      t9[bytes[i + 6]!]! ^
      t8[bytes[i + 7]!]! ^
      t7[bytes[i + 8]!]! ^
      t6[bytes[i + 9]!]! ^
      t5[bytes[i + 10]!]! ^
      t4[bytes[i + 11]!]! ^
      t3[bytes[i + 12]!]! ^
      t2[bytes[i + 13]!]! ^
      t1[bytes[i + 14]!]! ^
      t0[bytes[i + 15]!]!
  }
  for (; i < bytes.length; i++) crc = (crc >>> 8) ^ t0[(crc ^ bytes[i]!) & 0xff]!
  return ~crc >>> 0
}

// Taken from the process and not imported, so that this file also loads where there is no Node.
const builtin: typeof process.getBuiltinModule | undefined = globalThis.process?.getBuiltinModule

/** The platform's own implementation, zlib's in Node; elsewhere, and in old versions of Node, WebAssembly. */
export const platformCrc32: Crc32 = builtin?.('node:zlib').crc32 ?? kernelCrc32(tableCrc32)

/** The implementation of `@node-rs/crc32`, or undefined if that optional package is not installed. */
export function nativeCrc32(): Crc32 | undefined {
  try {
    const require = builtin?.('node:module').createRequire(import.meta.url)
    const found: Crc32 | undefined = require?.('@node-rs/crc32').crc32
    // All verification depends on this number, and the package has a build for each kind of processor.
    const sample = Uint8Array.from({ length: 4099 }, (_, i) => i * i)
    return found?.(sample, 1) === platformCrc32(sample, 1) ? found : undefined
  } catch {
    return undefined
  }
}

// Bytes after which the native implementation is looked for. Below, loading it takes longer than it saves.
const WORTH_LOADING = 16 * 1024 * 1024

let best = platformCrc32
let seen = 0

/**
 * The fastest implementation available. zlib's reads memory that is in no cache far more slowly than memory allows; the
 * native one comes close to it (docs/performance.md).
 */
export const crc32: Crc32 = (bytes, seed = 0) => {
  // zlib's of Node 22 returns 0 for an ArrayBuffer without a byte, whatever the seed: it has no address.
  if (bytes.length === 0) return seed
  if (seen < WORTH_LOADING) {
    seen += bytes.length
    if (seen >= WORTH_LOADING) best = nativeCrc32() ?? platformCrc32
  }
  return best(bytes, seed)
}
