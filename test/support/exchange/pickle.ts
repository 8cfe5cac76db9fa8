/** Pickles and files of PyTorch made by hand, for what PyTorch would not write. */

import { deflateRawSync } from 'node:zlib'
import { crc32 } from '../../../src/format/checksum.js'

type Part = string | number | readonly number[] | Uint8Array

/** Bytes of parts: text as UTF-8, a number as one byte. */
export function bytesOf(...parts: readonly Part[]): Uint8Array {
  return Buffer.concat(
    parts.map((part) => {
      if (typeof part === 'string') return Buffer.from(part)
      return typeof part === 'number' ? Buffer.of(part) : Buffer.from(part)
    }),
  )
}

const uint32 = (value: number): number[] => [0, 8, 16, 24].map((shift) => (value >>> shift) & 255)

/** Opcodes, and what follows them. */
export const op = {
  proto: [0x80, 2],
  text: (value: string) => bytesOf('X', uint32(Buffer.byteLength(value)), value),
  int: (value: number) => bytesOf('J', uint32(value)),
  global: (module: string, name: string) => bytesOf(`c${module}\n${name}\n`),
  tuple: (...items: readonly Part[]) => bytesOf('(', ...items, 't'),
  dict: (...items: readonly Part[]) => bytesOf('}(', ...items, 'u'),
  stop: '.',
} as const

/** A storage of the archive, of `count` elements. */
export const storage = (type: string, key: string, count: number) =>
  bytesOf(
    op.tuple(
      op.text('storage'),
      op.global('torch', type),
      op.text(key),
      op.text('cpu'),
      op.int(count),
    ),
    'Q',
  )

/** A tensor over a storage; offset, shape and strides in elements. */
export function tensor(
  over: Uint8Array,
  offset: number,
  shape: readonly number[],
  strides: readonly number[],
): Uint8Array {
  const ints = (values: readonly number[]) => op.tuple(...values.map(op.int))
  const hooks = bytesOf(op.global('collections', 'OrderedDict'), ')R')
  return bytesOf(
    op.global('torch._utils', '_rebuild_tensor_v2'),
    op.tuple(over, op.int(offset), ints(shape), ints(strides), 0x89, hooks),
    'R',
  )
}

/**
 * A ZIP archive, of stored entries unless they are to be deflated. `overlap`: every entry of the directory leads to the
 * first one's bytes.
 */
export function storedZip(
  entries: { readonly [name: string]: Uint8Array },
  { overlap = false, deflate = false } = {},
): Uint8Array {
  const parts: Buffer[] = []
  const directory: Buffer[] = []
  let offset = 0
  for (const [name, bytes] of Object.entries(entries)) {
    const common = Buffer.alloc(26)
    common.writeUInt16LE(20, 0)
    common.writeUInt32LE(crc32(bytes), 10)
    const packed = deflate ? deflateRawSync(bytes) : Buffer.from(bytes)
    common.writeUInt16LE(deflate ? 8 : 0, 4)
    common.writeUInt32LE(packed.length, 14)
    common.writeUInt32LE(bytes.length, 18)
    common.writeUInt16LE(name.length, 22)
    const at = overlap ? 0 : offset
    parts.push(Buffer.from('PK\x03\x04'), common, Buffer.from(name), packed)
    const tail = Buffer.alloc(14)
    tail.writeUInt32LE(at, 10)
    directory.push(Buffer.from('PK\x01\x02\x14\x00'), common, tail, Buffer.from(name))
    offset += 30 + name.length + packed.length
  }
  const listed = Buffer.concat(directory)
  const end = Buffer.alloc(22)
  end.write('PK\x05\x06', 'latin1')
  end.writeUInt16LE(Object.keys(entries).length, 8)
  end.writeUInt16LE(Object.keys(entries).length, 10)
  end.writeUInt32LE(listed.length, 12)
  end.writeUInt32LE(offset, 16)
  return Buffer.concat([...parts, listed, end])
}

/** An archive as torch.save() makes it, of this pickle and these storages. */
export function archive(
  pickle: Uint8Array,
  storages: { readonly [key: string]: Uint8Array } = {},
  more: { readonly [name: string]: Uint8Array } = {},
): Uint8Array {
  const data = Object.entries(storages).map(([key, bytes]) => [`a/data/${key}`, bytes])
  return storedZip({
    'a/data.pkl': pickle,
    'a/byteorder': Buffer.from('little'),
    ...Object.fromEntries(data),
    ...more,
  })
}

/** The pickle of `{name: tensor}`. */
export const pickleOf = (...items: readonly Part[]) => bytesOf(op.proto, op.dict(...items), op.stop)
