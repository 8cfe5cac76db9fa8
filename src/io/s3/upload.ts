/**
 * A multipart upload. Each part is sent from memory of its own (part-memory.ts), again if need be. Nothing shows in the
 * bucket before the upload is completed, which is the commit (commit.ts).
 */

import { attempt } from '../attempts.js'
import { FirstFailure } from '../concurrency.js'
import type { Range } from '../source.js'
import type { CompletedPart, ObjectMetadata } from './api.js'
import { ask, patienceFor } from './failures.js'
import type { PartMemory } from './part-memory.js'
import { crcText, type Part } from './parts.js'
import type { SaveRequests } from './requests.js'

// How long after a part was cut off it may still arrive, in milliseconds.
const LATE = 300

// A part that takes so many times longer than the slowest one before it has stalled.
const SLOW = 8

/** A part that has arrived. */
export type SentPart = CompletedPart & { readonly crc32: number; readonly byteLength: number }

/** Sends the parts of one file. */
export class Upload {
  readonly #requests: SaveRequests
  readonly #memory: PartMemory
  #id: string | undefined
  readonly #sending = new Set<Promise<void>>()
  readonly #sent: SentPart[] = []
  readonly #failure = new FirstFailure()
  /** Longest time that a part has taken, in milliseconds. */
  #slowest = 0

  /** Sends the parts that fill this memory. */
  constructor(requests: SaveRequests, memory: PartMemory) {
    this.#requests = requests
    this.#memory = memory
  }

  /** The key and the identity of the upload, for requests. */
  get place() {
    return { Key: this.#requests.place.key, UploadId: this.#id! }
  }

  /** The parts that have arrived, in the order of the file. */
  get sent(): readonly SentPart[] {
    return this.#sent.sort((a, b) => a.PartNumber - b.PartNumber)
  }

  /** Begins an upload of an object with this metadata. */
  async begin(Metadata: ObjectMetadata): Promise<void> {
    const requests = this.#requests
    const create = (sums: object) =>
      requests.attempt(() =>
        requests.askUncut('CreateMultipartUpload', { Key: requests.place.key, Metadata, ...sums }),
      )
    const { UploadId } = await requests.withChecksums('parts', (ofParts) => {
      if (!ofParts) return create({})
      const ChecksumAlgorithm = 'CRC32'
      return requests.withChecksums('whole', (ofWhole) =>
        create({ ChecksumAlgorithm, ...(ofWhole ? { ChecksumType: 'FULL_OBJECT' } : {}) }),
      )
    })
    if (!UploadId) throw new Error('the server began an upload and did not name it')
    this.#id = UploadId
  }

  /** Fills parts, as `PartMemory.fill` does, and sends those that are full. Throws the failure of an earlier one. */
  async write(
    bytes: Uint8Array,
    position: number,
    ranges: readonly Range[],
  ): Promise<readonly number[]> {
    this.#failure.throwIfAny()
    return this.#memory.fill(bytes, position, ranges, (part) => this.#send(part))
  }

  /** Resolves when all full parts have arrived. Throws a failure of one, but only when none is under way. */
  async arrived(): Promise<void> {
    while (this.#sending.size > 0) await Promise.all(this.#sending)
    this.#failure.throwIfAny()
  }

  /** Resolves when no part is under way. Never rejects. */
  async stopped(): Promise<void> {
    await Promise.allSettled(this.#sending)
  }

  /** Ends the upload. Resolves to whether it was there, so that it has not been completed; never rejects. */
  async end(): Promise<boolean> {
    if (this.#id === undefined) return false
    const upload = this.place
    this.#id = undefined
    const { place, signal } = this.#requests
    const end = () => attempt(() => ask(place.api, 'AbortMultipartUpload', upload))
    try {
      await end()
    } catch {
      return false
    }
    if (signal.aborted) {
      // A part that was cut off may arrive only now, and S3 then wants the upload aborted again.
      await new Promise((resolve) => setTimeout(resolve, LATE))
      await end().catch(() => {})
    }
    return true
  }

  #send(part: Part): void {
    const sending = this.#sendPart(part)
      .catch((error) => this.#failure.keep(error))
      .finally(() => {
        this.#sending.delete(sending)
        this.#memory.release(part)
      })
    this.#sending.add(sending)
  }

  async #sendPart({ number, bytes, crc32 }: Part): Promise<void> {
    const requests = this.#requests
    const sum = requests.place.server.takes.parts === true ? { ChecksumCRC32: crcText(crc32) } : {}
    const input = { ...this.place, PartNumber: number, Body: bytes, ...sum }
    await requests.step(async () => {
      const { ETag } = await requests.attempt(async () => {
        const start = performance.now()
        const answer = await requests.ask('UploadPart', input, this.#patience(bytes.byteLength))
        this.#slowest = Math.max(this.#slowest, performance.now() - start)
        return answer
      })
      if (!ETag) {
        throw new Error(
          'the server gave no ETag for a part; for a browser, its CORS rules must expose the header ETag',
        )
      }
      this.#sent.push({ PartNumber: number, ETag, ...sum, crc32, byteLength: bytes.byteLength })
    })
  }

  /** How long a part may take, in milliseconds: as long as any request, but less if others were much faster. */
  #patience(byteLength: number): number {
    const { api } = this.#requests.place
    const longest = patienceFor(api, byteLength)
    if (this.#slowest === 0) return longest
    return Math.min(longest, Math.max(api.stalledAfter, SLOW * this.#slowest))
  }
}
