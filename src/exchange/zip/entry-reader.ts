/** The contents of an entry of a ZIP archive, by range: stored bytes in place, deflated ones piece by piece. */

import { crc32 } from '../../format/checksum.js'
import type { Source } from '../../io/source.js'
import { quote } from '../../printable.js'
import { foreignFault } from '../training.js'
import type { ZipEntry } from './directory.js'

// Bytes of an entry given to the inflater at a time: they become 16 MiB at most.
const INFLATE_PIECE = 16 * 1024

/** The contents of an entry, by range. */
export interface EntryReader {
  readonly size: number
  /** Number of reads that may be under way at once (default: one). */
  readonly readsAtOnce?: number | undefined
  /** The CRC-32 of the contents, if `read` verifies it. */
  readonly crc32: number | undefined
  /**
   * Fills `target` from byte `position` of the contents on. If an entry is read from start to end,
   * its CRC-32 is verified with the last byte, unless that is turned off: `zip.crc`.
   */
  read(target: Uint8Array, position: number): Promise<void>
  /** Ends an inflation that is under way. The entry may be read again, from its start. */
  close(): Promise<void>
}

/** A reader of an entry, whose bytes begin at `start()`. If `expected` is given, it is the CRC-32 of the contents. */
export function entryReader(
  source: Source,
  entry: ZipEntry,
  start: () => Promise<number>,
  expected: number | undefined,
): EntryReader {
  return entry.isStored
    ? new StoredReader(source, entry, start, expected)
    : new DeflatedReader(source, entry, start, expected)
}

/** The CRC-32 of bytes read from start to end; a jump ends it. */
class RunningCrc {
  readonly #entry: ZipEntry
  readonly #expected: number | undefined
  #crc = 0
  #next = 0

  constructor(entry: ZipEntry, expected: number | undefined) {
    this.#entry = entry
    this.#expected = expected
  }

  take(bytes: Uint8Array, position: number): void {
    if (this.#expected === undefined) return
    if (position === 0) {
      this.#crc = 0
      this.#next = 0
    }
    if (position !== this.#next) return
    this.#crc = crc32(bytes, this.#crc)
    this.#next += bytes.byteLength
    if (this.#next === this.#entry.size && this.#crc !== this.#expected) {
      throw foreignFault(
        'zip.crc',
        `${quote(this.#entry.name)} is damaged: its CRC-32 does not match`,
        {
          expected: this.#expected,
          actual: this.#crc,
        },
      )
    }
  }
}

class StoredReader implements EntryReader {
  readonly size: number
  readonly readsAtOnce: number | undefined
  readonly crc32: number | undefined
  readonly #source: Source
  readonly #start: () => Promise<number>
  readonly #crc: RunningCrc
  /** Settles when the reads before the next one have been summed. */
  #summed: Promise<void> = Promise.resolve()

  constructor(
    source: Source,
    entry: ZipEntry,
    start: () => Promise<number>,
    expected: number | undefined,
  ) {
    this.size = entry.size
    this.readsAtOnce = source.readsAtOnce
    this.crc32 = expected
    this.#source = source
    this.#start = start
    this.#crc = new RunningCrc(entry, expected)
  }

  async read(target: Uint8Array, position: number): Promise<void> {
    checkRange(this.size, target, position)
    const done = this.#read(target, position, this.#summed)
    // A read that failed leaves a jump, which ends the sum.
    this.#summed = done.catch(() => {})
    return done
  }

  async #read(target: Uint8Array, position: number, summed: Promise<void>): Promise<void> {
    const reading = this.#start().then((start) => this.#source.read(target, start + position))
    await Promise.all([reading, summed])
    this.#crc.take(target, position)
  }

  async close(): Promise<void> {}
}

/** Inflates from the start. A position before the current one starts again. */
class DeflatedReader implements EntryReader {
  readonly size: number
  readonly crc32: number | undefined
  readonly #source: Source
  readonly #entry: ZipEntry
  readonly #start: () => Promise<number>
  readonly #crc: RunningCrc
  #inflated: AsyncGenerator<Uint8Array> | undefined
  #rest: Uint8Array = new Uint8Array(0)
  #position = 0

  constructor(
    source: Source,
    entry: ZipEntry,
    start: () => Promise<number>,
    expected: number | undefined,
  ) {
    this.size = entry.size
    this.crc32 = expected
    this.#source = source
    this.#entry = entry
    this.#start = start
    this.#crc = new RunningCrc(entry, expected)
  }

  async read(target: Uint8Array, position: number): Promise<void> {
    checkRange(this.size, target, position)
    if (this.#inflated === undefined || position < this.#position) await this.#restart()
    try {
      while (this.#position < position)
        await this.#take(Math.min(INFLATE_PIECE, position - this.#position))
      for (let done = 0; done < target.byteLength; ) {
        const part = await this.#take(target.byteLength - done)
        target.set(part, done)
        done += part.byteLength
      }
      if (this.#position === this.size) await this.#end()
    } catch (error) {
      await this.close()
      throw error
    }
    this.#crc.take(target, position)
  }

  async close(): Promise<void> {
    await this.#inflated?.return(undefined).catch(() => {})
    this.#inflated = undefined
    this.#rest = new Uint8Array(0)
    this.#position = 0
  }

  async #restart(): Promise<void> {
    await this.close()
    this.#inflated = inflate(this.#source, await this.#start(), this.#entry)
  }

  /** Returns up to `most` of the next bytes. */
  async #take(most: number): Promise<Uint8Array> {
    while (this.#rest.byteLength === 0) {
      const { done, value } = await this.#inflated!.next()
      if (done) throw badDeflate(this.#entry)
      this.#rest = value
    }
    const part = this.#rest.subarray(0, most)
    this.#rest = this.#rest.subarray(part.byteLength)
    this.#position += part.byteLength
    return part
  }

  /** Verifies that nothing follows the declared length. */
  async #end(): Promise<void> {
    if (this.#rest.byteLength > 0 || !(await this.#inflated!.next()).done)
      throw badDeflate(this.#entry)
    this.#inflated = undefined
  }
}

function checkRange(size: number, target: Uint8Array, position: number): void {
  if (position < 0 || position + target.byteLength > size) {
    throw new RangeError(
      `an entry of ${size} bytes has none from ${position} to ${position + target.byteLength}`,
    )
  }
}

function badDeflate({ name, size }: ZipEntry, cause?: unknown): Error {
  return foreignFault(
    'zip.deflate',
    `${quote(name)} does not inflate to its ${size} bytes: it is damaged`,
    {
      expected: size,
      cause,
    },
  )
}

/** The inflated bytes of an entry, in pieces; each piece is made on request. */
async function* inflate(
  source: Source,
  start: number,
  entry: ZipEntry,
): AsyncGenerator<Uint8Array> {
  const stream = new DecompressionStream('deflate-raw')
  const writer = stream.writable.getWriter()
  const reader = stream.readable.getReader()
  const feed = async (): Promise<void> => {
    for (let done = 0; done < entry.compressedSize; done += INFLATE_PIECE) {
      const piece = new Uint8Array(Math.min(INFLATE_PIECE, entry.compressedSize - done))
      await source.read(piece, start + done)
      await writer.write(piece)
    }
    await writer.close()
  }
  let failure: unknown
  const feeding = feed().catch((error) => {
    failure ??= error
    return writer.abort(error).catch(() => {})
  })
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      yield value
    }
  } catch (cause) {
    const code = (failure as { code?: unknown } | undefined)?.code
    throw typeof code === 'string' && code.startsWith('CKPT_') ? failure : badDeflate(entry, cause)
  } finally {
    await reader.cancel().catch(() => {})
    await feeding
  }
}
