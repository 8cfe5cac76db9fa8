/**
 * The objects of a bucket that begin with a prefix: listed, described, removed and renamed. No request of S3 renames,
 * and copies of a server may replace what is there. So an object is renamed by an upload whose parts the server copies,
 * which commits under the condition that the new name is free, and by the removal of the old one.
 */

import type { CheckpointError } from '../../errors.js'
import { attempt } from '../attempts.js'
import type { StoredFile } from '../store.js'
import type { CompletedPart, S3Api, S3RequestName, S3Requests } from './api.js'
import { ask, isMissingKey, readFailure, S3Failure } from './failures.js'
import { encodeKey } from './fetch-api.js'

// Bytes that the server copies in one request: less than S3's 5 GiB, so that none takes minutes.
const COPIED = 1024 ** 3

/** Names that a store cannot have: with a backslash, or U+0000. A listing by `/` has none with a slash. */
const FOREIGN = /[\\\0]|^\.{0,2}$/

/** The objects below one prefix. */
export class S3Objects {
  readonly api: S3Api
  readonly #prefix: string

  /** `prefix` is empty, or ends with a slash. */
  constructor(api: S3Api, prefix: string) {
    this.api = api
    this.#prefix = prefix
  }

  /** The key of a name. */
  keyOf(name: string): string {
    return `${this.#prefix}${name}`
  }

  /** All objects whose names `isWanted` accepts, a thousand by a request. */
  async list(isWanted: (name: string) => boolean): Promise<StoredFile[]> {
    const files: StoredFile[] = []
    for (let token: string | undefined; ; ) {
      const { Contents, NextContinuationToken } = await this.#ask('ListObjectsV2', {
        Prefix: this.#prefix,
        Delimiter: '/',
        ContinuationToken: token,
      })
      for (const { Key, ETag, Size, LastModified } of Contents) {
        const name = Key.slice(this.#prefix.length)
        if (FOREIGN.test(name) || !isWanted(name)) continue
        files.push(fileOf(name, Size, ETag, LastModified))
      }
      token = NextContinuationToken
      if (!token) return files
    }
  }

  /** The object of a name; undefined if there is none. */
  async stat(name: string): Promise<StoredFile | undefined> {
    const Key = this.keyOf(name)
    try {
      const answer = await attempt(() => ask(this.api, 'HeadObject', { Key }))
      const { ContentLength, ETag, LastModified } = answer
      return fileOf(name, ContentLength ?? 0, ETag ?? '', LastModified ?? new Date(0))
    } catch (error) {
      const failure = S3Failure.of(error)
      if (failure !== undefined && isMissingKey(failure)) return undefined
      throw readFailure(error, Key)
    }
  }

  /**
   * Removes an object of this version. Resolves to whether there is no object of that name now. A server that knows no
   * conditions may remove an object that takes its place in the milliseconds between.
   */
  async remove(name: string, version: string): Promise<boolean> {
    const there = await this.stat(name)
    if (there === undefined) return true
    if (there.version !== version) return false
    const Key = this.keyOf(name)
    const removed = await this.#unless(412, 'DeleteObject', { Key, IfMatch: version }, Key)
    return removed !== undefined
  }

  /**
   * Renames an object of this version, if no object is named `as`. `conditions`: whether the server keeps conditions;
   * without them an object that appears there in the meantime is replaced.
   */
  async setAside(name: string, version: string, as: string, conditions: boolean): Promise<boolean> {
    if ((await this.stat(as)) !== undefined) return false
    const there = await this.stat(name)
    if (there?.version !== version) return false
    const copied = await this.#copy(name, there, as, conditions ? '*' : undefined)
    if (copied === undefined) return false
    if (await this.remove(name, version)) return true
    // Another object has replaced it. The copy is of no use there.
    await this.remove(as, copied)
    return false
  }

  /** Copies an object to a free name, and returns the version of the copy; undefined if it is not free or has changed. */
  async #copy(
    name: string,
    { version, byteLength }: StoredFile,
    as: string,
    IfNoneMatch: '*' | undefined,
  ): Promise<string | undefined> {
    const Key = this.keyOf(as)
    if (byteLength === 0) {
      const empty = { Key, Body: new Uint8Array(0), IfNoneMatch }
      return (await this.#unless(412, 'PutObject', empty, Key))?.ETag
    }
    const { UploadId } = await this.#ask('CreateMultipartUpload', { Key })
    const upload = { Key, UploadId: UploadId! }
    let isCommitted = false
    try {
      const Parts: CompletedPart[] = []
      for (let start = 0; start < byteLength; start += COPIED) {
        const end = Math.min(start + COPIED, byteLength)
        const PartNumber = Parts.length + 1
        const part = {
          ...upload,
          PartNumber,
          CopySource: `${this.api.bucket}/${encodeKey(this.keyOf(name))}`,
          CopySourceIfMatch: version,
          CopySourceRange: `bytes=${start}-${end - 1}`,
        }
        const copied = await this.#unless(412, 'UploadPartCopy', part, Key)
        if (copied === undefined) return undefined
        Parts.push({ PartNumber, ETag: copied.CopyPartResult?.ETag ?? '' })
      }
      const complete = { ...upload, MultipartUpload: { Parts }, IfNoneMatch }
      let etag: string | undefined
      try {
        const done = await this.#unless(412, 'CompleteMultipartUpload', complete, Key)
        if (done === undefined) return undefined
        etag = done.ETag
      } catch (error) {
        // An answer that was lost: the upload is no longer there when it is completed again.
        const cause = (error as Partial<CheckpointError> | undefined)?.cause
        if (S3Failure.of(cause)?.code !== 'NoSuchUpload') throw error
        const there = await this.stat(as)
        if (there?.byteLength !== byteLength) throw error
        etag = there.version
      }
      isCommitted = true
      return etag ?? (await this.stat(as))?.version
    } finally {
      if (!isCommitted) await this.#ask('AbortMultipartUpload', upload).catch(() => {})
    }
  }

  async #ask<Name extends S3RequestName>(
    name: Name,
    input: S3Requests[Name]['in'],
    key = this.#prefix,
  ): Promise<S3Requests[Name]['out']> {
    try {
      return await attempt(() => ask(this.api, name, input))
    } catch (error) {
      throw readFailure(error, key)
    }
  }

  /** The answer to a request; undefined if it is of this status. A condition that the server does not know is left out. */
  async #unless<Name extends S3RequestName>(
    status: number,
    name: Name,
    input: S3Requests[Name]['in'],
    key: string,
  ): Promise<S3Requests[Name]['out'] | undefined> {
    try {
      return await attempt(() => ask(this.api, name, input))
    } catch (error) {
      const failure = S3Failure.of(error)
      if (failure?.status === status) return undefined
      if (failure?.code === 'NotImplemented' && name === 'DeleteObject') {
        return this.#unless(status, name, { ...input, IfMatch: undefined }, key)
      }
      throw readFailure(error, key)
    }
  }
}

function fileOf(name: string, byteLength: number, version: string, modified: Date): StoredFile {
  // A listing has milliseconds with some servers; the header of an object never has.
  const modifiedAt = Math.floor(modified.getTime() / 1000) * 1000
  return { name, byteLength, version, modifiedAt }
}
