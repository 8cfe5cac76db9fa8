/**
 * The commit of an object: one PUT of a file of one part, or CompleteMultipartUpload, under the condition of the save.
 * A lost answer to the commit is settled by what is in the bucket, never by a guess.
 */

import { CheckpointError, isCheckpointError } from '../../errors.js'
import { attempt } from '../attempts.js'
import type { S3Requests } from './api.js'
import { ask, isMissingKey, S3Failure } from './failures.js'
import { crcOfParts, crcText, type Part } from './parts.js'
import type { S3Place, SaveRequests } from './requests.js'
import type { Upload } from './upload.js'

// The name in the object's metadata of a mark of the save, by which a commit whose answer was lost is recognised.
const MARK = 'lightwatch-save'

// What part of the time for other requests a completion may take.
const COMPLETION = 20

/** The fate of one commit, as far as its answer tells. */
type Outcome = 'committed' | 'condition failed' | 'unknown'

/** What is committed: the only part of a short file, or the upload of a long one. */
export type Content = { readonly only: Part } | { readonly upload: Upload }

/** Commits one object. */
export class Commit {
  /** The mark of this save, for the object. */
  readonly metadata = { [MARK]: crypto.randomUUID() }
  readonly #requests: SaveRequests
  #keepsSum = false

  constructor(requests: SaveRequests) {
    this.#requests = requests
  }

  /** Whether the server keeps the checksum of the whole object that was committed. */
  get keepsSum(): boolean {
    return this.#keepsSum
  }

  /**
   * Commits a file of `length` bytes.
   *
   * @throws CheckpointError CKPT_EXISTS or CKPT_FILE_CHANGED if the condition fails, CKPT_NOT_COMMITTED if nothing was
   *   saved, CKPT_NOT_DURABLE if the server does not tell
   */
  async carryOut(content: Content, length: number): Promise<void> {
    const requests = this.#requests
    const outcome = await requests.step(() => this.#committed(content, length))
    if (outcome === 'condition failed') throw conditionFailed(requests.place)
    if (outcome === 'unknown') {
      throw new CheckpointError(
        'CKPT_NOT_DURABLE',
        'the answer to the commit was lost, and the server does not tell whether it took place: the object is the old ' +
          'one or the new one, and whole',
      ).withPath(requests.place.path)
    }
  }

  /** Sends the commit until it is answered, and settles what the answers leave open. */
  async #committed(content: Content, length: number): Promise<Outcome> {
    // Whether a request may have succeeded although its answer does not say so.
    let isLost = false
    try {
      await this.#requests.attempt(async () => {
        try {
          await ('only' in content
            ? this.#put(content.only)
            : this.#complete(content.upload, length))
        } catch (error) {
          isLost ||= mayHaveSucceeded(error)
          throw error
        }
      })
      return 'committed'
    } catch (error) {
      return this.#settled(content, length, error, isLost)
    }
  }

  /** What became of a commit that failed with `error`, by what is in the bucket. Throws the error if nothing did. */
  async #settled(
    content: Content,
    length: number,
    error: unknown,
    isLost: boolean,
  ): Promise<Outcome> {
    // An upload that is ended here cannot be completed later, by a request that is still on its way.
    const wasThere = 'upload' in content && (await content.upload.end())
    const found = await this.#look(content, length).catch(() => undefined)
    if (found === 'own') return 'committed'
    if (isLost && !wasThere) return 'unknown'
    const failure = S3Failure.of(error) ?? S3Failure.of((error as Partial<Error> | null)?.cause)
    const { condition } = this.#requests.place
    const isMissingVersion =
      failure?.code === 'NoSuchKey' && condition !== undefined && 'ifVersion' in condition
    // After a conflict with another commit the upload can be gone.
    const isConflict =
      failure?.code === 'NoSuchUpload' || failure?.code === 'ConditionalRequestConflict'
    const hasLost =
      isConflict && found === 'other' && condition !== undefined && 'ifAbsent' in condition
    if (failure?.status === 412 || isMissingVersion || hasLost) return 'condition failed'
    throw error
  }

  async #put({ bytes, crc32 }: Part): Promise<void> {
    const requests = this.#requests
    await requests.withChecksums('put', (sums) =>
      requests.askUncut('PutObject', {
        Key: requests.place.key,
        Body: bytes,
        Metadata: this.metadata,
        ...this.#conditions(),
        ...(sums ? { ChecksumCRC32: crcText(crc32) } : {}),
      }),
    )
    // The server has seen the object as a whole.
    this.#keepsSum = true
  }

  async #complete(upload: Upload, length: number): Promise<void> {
    const { api, server } = this.#requests.place
    const Parts = upload.sent.map(({ crc32: _, byteLength: __, ...part }) => part)
    const crc = crcText(crcOfParts(upload.sent))
    const { parts, whole } = server.takes
    const sums =
      parts && whole
        ? {
            ChecksumCRC32: crc,
            ChecksumType: 'FULL_OBJECT' as const,
            MpuObjectSize: length,
          }
        : {}
    const conditions = this.#conditions()
    const complete = { ...upload.place, MultipartUpload: { Parts }, ...conditions, ...sums }
    // The server puts the parts together, which can take it minutes.
    const patience = api.stalledAfter * COMPLETION
    const answer = await this.#requests.askUncut('CompleteMultipartUpload', complete, patience)
    this.#keepsSum = answer.ChecksumCRC32 === crc
  }

  #conditions() {
    const { condition } = this.#requests.place
    if (condition === undefined) return {}
    return 'ifAbsent' in condition
      ? { IfNoneMatch: '*' as const }
      : { IfMatch: condition.ifVersion }
  }

  /** Whether the object is the one that this save has sent: by its mark, or by its length and checksum. */
  async #look(content: Content, length: number): Promise<'own' | 'other' | 'none' | undefined> {
    const { api, key } = this.#requests.place
    let head: S3Requests['HeadObject']['out']
    try {
      head = await attempt(() => ask(api, 'HeadObject', { Key: key, ChecksumMode: 'ENABLED' }))
    } catch (error) {
      const failure = S3Failure.of(error)
      if (failure !== undefined && isMissingKey(failure)) return 'none'
      throw error
    }
    const { ContentLength, ChecksumCRC32, ChecksumType = 'FULL_OBJECT', Metadata = {} } = head
    if (ContentLength !== length) return 'other'
    const crc = crcText('only' in content ? content.only.crc32 : crcOfParts(content.upload.sent))
    this.#keepsSum = ChecksumCRC32 === crc && ChecksumType === 'FULL_OBJECT'
    const mark = Metadata[MARK]
    if (mark !== undefined) return mark === this.metadata[MARK] ? 'own' : 'other'
    // A browser may not see the mark.
    if (ChecksumCRC32 === undefined || ChecksumType !== 'FULL_OBJECT') return undefined
    return this.#keepsSum ? 'own' : 'other'
  }
}

/** Whether a request may have succeeded although it failed with this error. */
function mayHaveSucceeded(error: unknown): boolean {
  // The client sent no request.
  if (isCheckpointError(error)) return false
  const failure = S3Failure.of(error) ?? S3Failure.of((error as Partial<Error> | null)?.cause)
  // No answer, or an answer to the client's second request, or the server's own fault.
  return failure === undefined || failure.isRepeated || failure.status >= 500
}

function conditionFailed({ condition, path }: S3Place): CheckpointError {
  return condition !== undefined && 'ifVersion' in condition
    ? new CheckpointError(
        'CKPT_FILE_CHANGED',
        'nothing was saved: expected to replace one version of the object, found another, or none',
        { expected: condition.ifVersion },
      ).withPath(path)
    : new CheckpointError(
        'CKPT_EXISTS',
        'nothing was saved: expected no object of that name, found one, which is untouched',
      ).withPath(path)
}
