/**
 * What is fuzzed: loading from memory, from files and from sources of any length, and restoring. An
 * input is made from a seed and an index, and from nothing else.
 */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { decode } from '../../../src/format/decode.js'
import { verifyFlatBuffer } from '../../../src/format/flatbuffer-verifier.js'
import { HEAD_LENGTH, metadataChecksum, readHead } from '../../../src/format/head.js'
import { checkRules } from '../../../src/format/rules.js'
import { schema } from '../../../src/format/schema.js'
import type { Checkpoint } from '../../../src/load/checkpoint.js'
import { loadCheckpoint } from '../../../src/load/load.js'
import { openCheckpoint } from '../../../src/load/open.js'
import { SparseSource } from '../hostile/sparse-source.js'
import type { Random } from '../random.js'
import { examine, examineMetadata, refusal } from './examine.js'
import { allocation } from './guards.js'
import { AIMS, HostileFiles } from './hostile-files.js'
import { Mutator } from './mutator.js'
import { declaredLength, fixMetadataChecksum, limitMetadataLength } from './reseal.js'
import { RestoreTarget } from './restore-target.js'
import { checkSavedAgain } from './saved-again.js'
import { fileSeeds, metadataSeeds } from './seeds.js'

export interface Target {
  /** Makes an input, feeds it, and says what became of it. Throws where an oracle is violated. */
  run(random: Random): Promise<string>
  /** The input of the last run. */
  readonly input: Uint8Array
  close?(): void
}

/** What one input may allocate at once: a small multiple of its length, and some. */
function limitFor(length: number): void {
  allocation.limit = 4 * length + 65_536
}

/**
 * The steps of a load that look at the metadata, one after the other and without the promises between
 * them: head, checksum, verifier, decoder, rules. Several times as fast as a load.
 */
class VerifyTarget implements Target {
  input: Uint8Array = new Uint8Array(0)
  readonly #mutator = new Mutator(metadataSeeds())

  async run(random: Random): Promise<string> {
    const bytes = this.#mutator.mutate(random, random.pick(AIMS), true)
    if (!random.oneIn(16)) fixMetadataChecksum(bytes)
    this.input = bytes
    limitFor(bytes.byteLength)
    try {
      const fileLength = Number(declaredLength(bytes) ?? 0n)
      const head = readHead(bytes.subarray(0, HEAD_LENGTH), fileLength)
      if (head.metadataLength > bytes.byteLength) return 'longer than the input'
      const metadata = bytes.subarray(0, head.metadataLength)
      if (metadataChecksum(metadata, head.crcOffset) !== head.metadataCrc32) {
        return 'CKPT_METADATA_CHECKSUM'
      }
      verifyFlatBuffer(metadata, schema)
      const decoded = decode(metadata)
      examineMetadata(decoded, checkRules(decoded))
    } catch (error) {
      return refusal(error)
    }
    return 'sound metadata'
  }
}

/** From memory: the whole way of a load, and of everything that can be asked of it. */
class LoadTarget implements Target {
  input: Uint8Array = new Uint8Array(0)
  readonly #pool = Buffer.alloc(65_536)
  readonly #files = new HostileFiles(fileSeeds())

  async run(random: Random): Promise<string> {
    const bytes = this.#files.make(random)
    this.input = bytes
    limitFor(bytes.byteLength)
    const blob = random.oneIn(64)
    const memory = random.oneIn(8) ? this.#elsewhere(bytes, random) : bytes
    const verify = !random.oneIn(8)
    let checkpoint: Checkpoint
    try {
      checkpoint = await loadCheckpoint(blob ? new Blob([memory]) : memory, { verify })
    } catch (error) {
      return refusal(error)
    }
    const loaded = { file: bytes, verify, ...(blob ? { asynchronous: true } : { memory }) }
    const outcome = await examine(checkpoint, loaded)
    if (outcome === 'read' && random.oneIn(32)) await checkSavedAgain(checkpoint)
    checkpoint.close()
    return outcome
  }

  /** The same bytes in the middle of a Buffer, as Node's pool of small ones has them. */
  #elsewhere(bytes: Uint8Array, random: Random): Uint8Array<ArrayBuffer> {
    const start = random.below(64)
    const place = this.#pool.subarray(start, start + bytes.byteLength)
    place.set(bytes)
    return place
  }
}

// What metadata of a sparse file is cut down to, in bytes.
const LONGEST_METADATA = 65_536

/** From a source that is as long as the metadata says, up to 2^53 - 1 bytes. */
class SparseTarget implements Target {
  input: Uint8Array = new Uint8Array(0)
  readonly #mutator = new Mutator(metadataSeeds())

  async run(random: Random): Promise<string> {
    const bytes = this.#mutator.mutate(random, random.pick(AIMS), true)
    // The source has as many zeros as it is asked for, and reading gigabytes of them takes seconds.
    limitMetadataLength(bytes, LONGEST_METADATA)
    if (!random.oneIn(16)) fixMetadataChecksum(bytes)
    // Again: the two may be in the same place.
    const metadataLength = limitMetadataLength(bytes, LONGEST_METADATA)
    this.input = bytes
    limitFor(Math.max(bytes.byteLength, metadataLength))
    const declared = Number(declaredLength(bytes) ?? 0n)
    const size = Number.isSafeInteger(declared) ? declared : Number.MAX_SAFE_INTEGER
    const source = new SparseSource(bytes, size)
    let checkpoint: Checkpoint
    try {
      checkpoint = await openCheckpoint(source)
    } catch (error) {
      if (!source.closed) throw new Error('the source was not closed')
      return refusal(error)
    }
    const outcome = await examine(checkpoint)
    checkpoint.close()
    return outcome
  }
}

/** From a file, mapped and read in turn. */
class FileTarget implements Target {
  input: Uint8Array = new Uint8Array(0)
  readonly #files = new HostileFiles(fileSeeds())
  readonly #folder = mkdtempSync(join(tmpdir(), 'lightwatch-fuzz-'))

  async run(random: Random): Promise<string> {
    const map = random.oneIn(2)
    const bytes = this.#files.make(random)
    this.input = bytes
    limitFor(bytes.byteLength)
    // Not over a file that may still be mapped: a new one.
    const path = join(this.#folder, 'input.ckpt')
    rmSync(path, { force: true })
    writeFileSync(path, bytes)
    let checkpoint: Checkpoint
    try {
      checkpoint = await loadCheckpoint(path, { map })
    } catch (error) {
      return refusal(error)
    }
    const outcome = await examine(checkpoint, { file: bytes })
    checkpoint.close()
    return outcome
  }

  close(): void {
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

export const TARGETS = {
  verify: () => new VerifyTarget(),
  load: () => new LoadTarget(),
  sparse: () => new SparseTarget(),
  restore: () => new RestoreTarget(limitFor),
  file: () => new FileTarget(),
} as const satisfies { readonly [name: string]: () => Target | Promise<Target> }
