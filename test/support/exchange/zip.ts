/** ZIP archives as others write them, and as nobody should. */

import { deflateRawSync } from 'node:zlib'
import { crc32 } from '../../../src/format/checksum.js'

export interface ZipTestEntry {
  readonly name: string
  readonly contents: Uint8Array
  readonly deflate?: boolean
  /** What the directory says instead of the truth. */
  readonly says?: {
    readonly size?: number
    readonly compressedSize?: number
    readonly offset?: number
    readonly method?: number
    readonly flags?: number
    readonly crc?: number
  }
}

/** An archive of these entries, with `comment` bytes behind its end. */
export function zip(entries: readonly ZipTestEntry[], comment = 0): Uint8Array {
  const locals: Buffer[] = []
  const directory: Buffer[] = []
  let offset = 0
  for (const { name, contents, deflate = false, says = {} } of entries) {
    const key = Buffer.from(name)
    const data = deflate ? deflateRawSync(contents) : Buffer.from(contents)
    const method = says.method ?? (deflate ? 8 : 0)
    const crc = says.crc ?? crc32(contents)
    const local = Buffer.alloc(30)
    local.writeUInt32LE(0x04034b50, 0)
    local.writeUInt16LE(method, 8)
    local.writeUInt32LE(crc, 14)
    local.writeUInt32LE(data.length, 18)
    local.writeUInt32LE(contents.length, 22)
    local.writeUInt16LE(key.length, 26)
    locals.push(local, key, data)
    const entry = Buffer.alloc(46)
    entry.writeUInt32LE(0x02014b50, 0)
    entry.writeUInt16LE(says.flags ?? 0, 8)
    entry.writeUInt16LE(method, 10)
    entry.writeUInt32LE(crc, 16)
    entry.writeUInt32LE(says.compressedSize ?? data.length, 20)
    entry.writeUInt32LE(says.size ?? contents.length, 24)
    entry.writeUInt16LE(key.length, 28)
    entry.writeUInt32LE(says.offset ?? offset, 42)
    directory.push(entry, key)
    offset += 30 + key.length + data.length
  }
  const length = directory.reduce((sum, part) => sum + part.length, 0)
  const end = Buffer.alloc(22 + comment)
  end.writeUInt32LE(0x06054b50, 0)
  end.writeUInt16LE(entries.length, 8)
  end.writeUInt16LE(entries.length, 10)
  end.writeUInt32LE(length, 12)
  end.writeUInt32LE(offset, 16)
  end.writeUInt16LE(comment, 20)
  return new Uint8Array(Buffer.concat([...locals, ...directory, end]))
}
