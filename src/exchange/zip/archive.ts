/**
 * A ZIP archive, read in place. NumPy's `.npz` and PyTorch's `.pt` are archives with stored entries, so that a tensor's
 * bytes lie in the file unchanged. The directory at the end is read and validated; an entry is not accessed before it
 * is read. A deflated entry is inflated piece by piece, from its start.
 *
 * A hostile archive costs at most its own length. The directory's length bounds the number of entries. Entries may not
 * overlap, as in bombs of petabytes. Deflate's ratio bounds the inflated length, and inflation stops at the declared
 * length.
 *
 * Broken rules are CKPT_FOREIGN_FILE, `zip.*`. Encrypted entries, methods other than stored and deflated, and archives
 * in several volumes are refused.
 */

import type { Source } from '../../io/source.js'
import { quote } from '../../printable.js'
import { foreignFault } from '../training.js'
import {
  END,
  LOCAL,
  locate,
  openDirectory,
  view,
  type ZipDirectory,
  type ZipEntry,
} from './directory.js'
import { type EntryReader, entryReader } from './entry-reader.js'

export type { ZipEntry } from './directory.js'
export type { EntryReader } from './entry-reader.js'

/** Options of reading an entry. */
export interface EntryOptions {
  /** Whether to verify the CRC-32 (default true). PyTorch can leave it out. */
  readonly checksum?: boolean
}

/** A ZIP archive over a source, which the caller still owns. */
export class ZipArchive {
  /** By name, in the order of the directory. */
  readonly entries: ReadonlyMap<string, ZipEntry>
  readonly #source: Source
  /** For each entry, the start of the next one, or of the directory. */
  readonly #limits: ReadonlyMap<ZipEntry, number>

  private constructor(source: Source, { entries, limits }: ZipDirectory) {
    this.#source = source
    this.entries = entries
    this.#limits = limits
  }

  /** Whether the bytes begin like an archive with an entry. */
  static isZip(head: Uint8Array): boolean {
    return head.length >= 4 && view(head).getUint32(0, true) === LOCAL
  }

  /** Whether bytes begin as an archive does that has no entry. */
  static isEmpty(head: Uint8Array): boolean {
    return head.length >= 4 && view(head).getUint32(0, true) === END
  }

  /** Reads the directory and validates it. Throws CKPT_FOREIGN_FILE, `zip.*`. */
  static async open(source: Source): Promise<ZipArchive> {
    return new ZipArchive(source, await openDirectory(source))
  }

  /** A reader of an entry. Its local header is read and validated with the first byte. */
  entry(entry: ZipEntry, { checksum = true }: EntryOptions = {}): EntryReader {
    const limit = this.#limits.get(entry)!
    const place = once(() => locate(this.#source, entry, limit))
    return entryReader(this.#source, entry, place, checksum ? entry.crc32 : undefined)
  }

  /** The contents of a short entry, with the CRC-32 verified. `zip.size` if they exceed `most` bytes. */
  async bytes(entry: ZipEntry, most: number, options?: EntryOptions): Promise<Uint8Array> {
    if (entry.size > most) {
      throw foreignFault(
        'zip.size',
        `${quote(entry.name)} has ${entry.size} bytes, more than ${most}`,
        {
          expected: most,
          actual: entry.size,
        },
      )
    }
    const bytes = new Uint8Array(entry.size)
    await this.entry(entry, options).read(bytes, 0)
    return bytes
  }

  /** The position of a stored entry's bytes in the file; undefined for a deflated entry. */
  async offset(entry: ZipEntry): Promise<number | undefined> {
    if (!entry.isStored) return undefined
    return locate(this.#source, entry, this.#limits.get(entry)!)
  }
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined
  return () => (made ??= make())
}
