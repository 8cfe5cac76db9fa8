/**
 * The containers of PyTorch. Since 1.6, torch.save() writes a ZIP archive, whose storages are read in place. Before, it
 * wrote a file of pickles, followed by the storages.
 */

import type { Source } from '../../io/source.js'
import { quote } from '../../printable.js'
import { foreignFault, notConvertible } from '../training.js'
import { type EntryReader, ZipArchive, type ZipEntry } from '../zip/archive.js'
import { storageDtype } from './globals.js'
import type { Storage } from './tensor.js'
import { MAX_PICKLE, type PersistentLoad, PickleEnds, unpickle } from './unpickler.js'
import { PyDict, PyStorage, PyTuple, type PyValue } from './values.js'

/** A file of PyTorch: the saved object, and the bytes of its storages. */
export interface PytorchFile {
  readonly root: PyValue
  /** Length of the object's pickle, in bytes. */
  readonly pickleLength: number
  /** Reads a storage of the file by its key. */
  readonly storage: (key: string) => Storage
}

// 0x1950a86a20f9469cfc6c, as the first pickle of an old file stores it: protocol 2, LONG1 of ten bytes, STOP.
const MAGIC = [
  0x80, 0x02, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, 0x2e,
]
const PROTOCOL_VERSION = 1001

// Bytes of an old file that are first read for its pickles. If they are too few, four times as many are read.
const FIRST_READ = 1024 * 1024

// PyTorch does not compress, but another program may have repacked the archive. Limits of the inflated pickle, in bytes
// and per compressed byte: real ones shrink to a tenth, and a bomb to a thousandth.
const LEAST_INFLATED = 256 * 1024
const MOST_INFLATED = 50

/** Whether the bytes begin like an old file. */
export function isLegacy(head: Uint8Array): boolean {
  return head.length >= MAGIC.length && MAGIC.every((byte, i) => head[i] === byte)
}

/** The pickle of an archive, if it is where PyTorch puts it. */
export function pickleEntry(archive: ZipArchive): ZipEntry | undefined {
  for (const entry of archive.entries.values()) {
    if (/^[^/]+\/data\.pkl$/.test(entry.name)) return entry
  }
  return undefined
}

/** Opens an archive. Throws CKPT_FOREIGN_FILE, `zip.*` and `pytorch.*`. */
export async function openArchive(source: Source): Promise<PytorchFile> {
  const archive = await ZipArchive.open(source)
  const pickle = pickleEntry(archive)
  if (pickle === undefined) {
    throw foreignFault(
      'pytorch.archive',
      'the ZIP archive has no data.pkl: torch.save() did not write it',
    )
  }
  const folder = pickle.name.slice(0, -'data.pkl'.length)
  if (archive.entries.has(`${folder}constants.pkl`)) {
    throw notConvertible(
      'the file is a TorchScript program: load it in Python (torch.jit.load), and save its state_dict()',
    )
  }
  // Zero if PyTorch was told to write no CRC-32.
  const checked = (entry: ZipEntry) => ({ checksum: entry.crc32 !== 0 })
  const order = archive.entries.get(`${folder}byteorder`)
  if (order !== undefined) checkByteOrder(await archive.bytes(order, 16, checked(order)))
  const most = pickle.isStored
    ? MAX_PICKLE
    : Math.min(MAX_PICKLE, LEAST_INFLATED + MOST_INFLATED * pickle.compressedSize)
  const bytes = await archive.bytes(pickle, most, checked(pickle))
  const storages = new Map<string, PyStorage>()
  const load: PersistentLoad = (id) => {
    const { key, dtype, byteLength } = storageId(id)
    const entry = archive.entries.get(`${folder}data/${key}`)
    if (entry === undefined || entry.size < byteLength) {
      throw foreignFault(
        'pytorch.storage',
        `the archive lacks bytes of the storage ${quote(key)}`,
        {
          expected: byteLength,
          actual: entry?.size ?? 0,
        },
      )
    }
    return once(storages, key, dtype, byteLength)
  }
  const { root } = whole(bytes, load)
  const readers = new Map<string, EntryReader>()
  return {
    root,
    pickleLength: bytes.length,
    storage: (key) => {
      const entry = archive.entries.get(`${folder}data/${key}`)!
      let reader = readers.get(key)
      if (reader === undefined) {
        reader = archive.entry(entry, checked(entry))
        readers.set(key, reader)
      }
      return reader
    },
  }
}

function whole(bytes: Uint8Array, load: PersistentLoad): { root: PyValue } {
  try {
    return { root: unpickle(bytes, 0, load).value }
  } catch (error) {
    throw error instanceof PickleEnds ? cutShort() : error
  }
}

function cutShort(): Error {
  return foreignFault(
    'pytorch.pickle',
    'the pickle ends before it is complete: the file was cut off',
  )
}

function checkByteOrder(bytes: Uint8Array): void {
  const order = String.fromCharCode(...bytes)
  if (order === 'little') return
  throw notConvertible(
    `the file's byte order is ${quote(order)}: expected "little"; load it in Python, and save it again on a ` +
      'little-endian machine',
    { actual: order },
  )
}

/** The content of a storage's persistent id: ('storage', type, key, device, number of elements, view). */
function storageId({ items }: PyTuple) {
  const [kind, type, key, , count, view = null] = items
  const dtype = storageDtype(type)
  const byteLength = typeof count === 'number' ? count * (dtype?.bytes ?? 1) : Number.NaN
  if (kind !== 'storage' || typeof key !== 'string' || !isLength(count) || !isLength(byteLength)) {
    throw foreignFault(
      'pytorch.storage',
      'the pickle describes a storage in another way than PyTorch',
    )
  }
  return { key, dtype, byteLength, count, view }
}

function isLength(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

/** Equal keys give one storage object, so that tied tensors are recognised. */
function once(
  storages: Map<string, PyStorage>,
  key: string,
  dtype: PyStorage['dtype'],
  byteLength: number,
): PyStorage {
  const known = storages.get(key)
  if (known?.dtype === dtype && known.byteLength === byteLength) return known
  const storage = new PyStorage(key, dtype, byteLength)
  storages.set(key, storage)
  return storage
}

/** Opens an old file. Throws CKPT_FOREIGN_FILE, `pytorch.*`. */
export async function openLegacy(source: Source): Promise<PytorchFile> {
  for (let length = FIRST_READ; ; length *= 4) {
    const bytes = new Uint8Array(Math.min(length, source.size, MAX_PICKLE))
    await source.read(bytes, 0)
    try {
      return await readLegacy(source, bytes)
    } catch (error) {
      if (!(error instanceof PickleEnds)) throw error
      if (bytes.length < Math.min(length, source.size)) throw tooLong()
      if (bytes.length === source.size) throw cutShort()
    }
  }
}

function tooLong(): Error {
  return foreignFault('pytorch.pickle.budget', `the pickles have more than ${MAX_PICKLE} bytes`, {
    expected: MAX_PICKLE,
  })
}

async function readLegacy(source: Source, bytes: Uint8Array): Promise<PytorchFile> {
  const storages = new Map<string, PyStorage>()
  const counts = new Map<string, number>()
  const load: PersistentLoad = (id) => {
    const { key, dtype, byteLength, count, view } = storageId(id)
    counts.set(key, count)
    const root = once(storages, key, dtype, byteLength)
    return view === null ? root : viewOf(root, view)
  }
  let { value: version, end } = unpickle(bytes, MAGIC.length, noStorage)
  if (version !== PROTOCOL_VERSION) {
    throw foreignFault('pytorch.version', 'the file is of another version than PyTorch writes', {
      expected: PROTOCOL_VERSION,
      actual: version,
    })
  }
  const info = unpickle(bytes, end, noStorage)
  if (info.value instanceof PyDict && info.value.get('little_endian') !== true) {
    checkByteOrder(new TextEncoder().encode('big'))
  }
  const object = unpickle(bytes, info.end, load)
  const keys = unpickle(bytes, object.end, noStorage)
  end = keys.end
  if (!Array.isArray(keys.value)) throw badKeys()
  const starts = new Map<string, number>()
  for (const key of keys.value) {
    const storage = typeof key === 'string' ? storages.get(key) : undefined
    if (storage === undefined || starts.has(storage.key)) throw badKeys()
    // Preceded by the number of elements.
    const head = new Uint8Array(8)
    if (end + 8 + storage.byteLength > source.size) throw outside(storage.key)
    await source.read(head, end)
    const count = new DataView(head.buffer).getBigInt64(0, true)
    if (count !== BigInt(counts.get(storage.key)!)) throw outside(storage.key)
    starts.set(storage.key, end + 8)
    end += 8 + storage.byteLength
  }
  for (const key of storages.keys()) if (!starts.has(key)) throw outside(key)
  return {
    root: object.value,
    pickleLength: object.end - info.end,
    storage: (key) => ({
      size: storages.get(key)!.byteLength,
      readsAtOnce: source.readsAtOnce,
      crc32: undefined,
      read: (target, position) => source.read(target, starts.get(key)! + position),
    }),
  }
}

function noStorage(): never {
  throw foreignFault('pytorch.storage', 'the pickle has a storage where PyTorch puts none')
}

function badKeys(): Error {
  return foreignFault('pytorch.storage', 'the list of storages does not match those of the object')
}

function outside(key: string): Error {
  return foreignFault('pytorch.storage', `the file lacks bytes of the storage ${quote(key)}`)
}

/** A view of a storage, as in files before 0.4: (key, offset, number of elements) */
function viewOf(root: PyStorage, view: PyValue): PyStorage {
  const [, offset, count] = view instanceof PyTuple ? view.items : []
  const bytes = root.dtype?.bytes ?? 1
  if (!isLength(offset) || !isLength(count) || (offset + count) * bytes > root.byteLength) {
    throw foreignFault(
      'pytorch.storage',
      `a view of the storage ${quote(root.key)} lies outside of it`,
    )
  }
  return new PyStorage(root.key, root.dtype, count * bytes, offset * bytes)
}
