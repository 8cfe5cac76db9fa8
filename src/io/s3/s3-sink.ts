/**
 * A sink for one object. A file that fits into one part is one PUT (commit.ts). A longer one is a multipart upload
 * (upload.ts): the first parts, with the metadata, are sent when a save knows the metadata. Nothing shows in the bucket
 * before the commit.
 */

import { CheckpointError } from '../../errors.js'
import { orAborted } from '../concurrency.js'
import type { Checksums, Durability, StagingSink, SummingSink } from '../sink.js'
import type { Range } from '../source.js'
import { Commit } from './commit.js'
import { PartMemory } from './part-memory.js'
import { Part, partLength } from './parts.js'
import { type S3Place, SaveRequests } from './requests.js'
import { Upload } from './upload.js'

/** Writes one object. */
export class S3Sink implements StagingSink, SummingSink {
  readonly path: string
  readonly staging: PartMemory
  readonly #place: S3Place
  readonly #requests: SaveRequests
  readonly #commit: Commit
  #length = 0
  /** The upload of a file of several parts. */
  #upload: Upload | undefined
  /** The whole of another file. */
  #only = new Part(1, 0, new Uint8Array(0))
  #isCommitted = false
  #checksums: Checksums | undefined

  constructor(place: S3Place) {
    this.#place = place
    this.path = place.path
    this.staging = new PartMemory(place.partsAtOnce)
    this.#requests = new SaveRequests(place)
    this.#commit = new Commit(this.#requests)
  }

  get checksums(): Checksums | undefined {
    return this.#checksums
  }

  async begin(length: number): Promise<void> {
    this.#length = length
    const lengthOfParts = partLength(length, this.#place.partLength)
    const isShort = length <= lengthOfParts
    this.staging.begin(length, isShort ? length : lengthOfParts)
    const { condition, server } = this.#place
    const requests = this.#requests
    const keeps = () => orAborted(server.keepsConditions(), requests.signal)
    if (condition !== undefined && !(await requests.step(keeps))) {
      throw new CheckpointError(
        'CKPT_NOT_COMMITTED',
        'nothing was saved: the server keeps no conditions (If-Match, If-None-Match), so that it cannot be told what the ' +
          'save may replace',
      ).withPath(this.path)
    }
    // Its answer is needed after the commit.
    server.verifiesChecksums().catch(() => {})
    if (isShort) return
    void this.#place.sweep()
    const upload = new Upload(requests, this.staging)
    this.#upload = upload
    await requests.step(() => upload.begin(this.#commit.metadata))
  }

  async write(bytes: Uint8Array, position: number): Promise<void> {
    await this.writeSummed(bytes, position, [])
  }

  async writeSummed(
    bytes: Uint8Array,
    position: number,
    ranges: readonly Range[],
  ): Promise<readonly number[]> {
    if (this.#upload !== undefined) return this.#upload.write(bytes, position, ranges)
    return this.staging.fill(bytes, position, ranges, (part) => {
      this.#only = part
    })
  }

  async sync(): Promise<void> {
    await this.#upload?.arrived()
  }

  async commit(): Promise<Durability> {
    const upload = this.#upload
    const content = upload === undefined ? { only: this.#only } : { upload }
    await this.#commit.carryOut(content, this.#length)
    this.#isCommitted = true
    const kind = upload === undefined ? 'put' : 'parts'
    const verified = this.#place.server.verified(kind, this.#commit.keepsSum)
    this.#checksums = await orAborted(verified, this.#requests.signal).catch(() => 'none' as const)
    return 'durable'
  }

  /** Ends what is under way. A commit that has been sent is waited for a little, and then settled. */
  cancel(reason: unknown): void {
    this.#requests.stop(reason)
  }

  async abort(): Promise<void> {
    this.#requests.stop(new Error('the save was aborted'))
    const upload = this.#upload
    await upload?.stopped()
    this.staging.clear()
    if (!this.#isCommitted) await upload?.end()
  }
}
