/**
 * `lightwatch-checkpoint/s3`: the objects of a bucket that begin with a prefix, as a place for checkpoints. It runs in
 * Node, browsers and workers.
 */

import { quote } from '../../printable.js'
import { STALLED } from '../attempts.js'
import type { Sink } from '../sink.js'
import type { Source } from '../source.js'
import {
  type CheckpointStore,
  checkStoredName,
  type OpenStored,
  type SinkOptions,
  type StoredFile,
  type StoreSupport,
} from '../store.js'
import type { S3Api } from './api.js'
import { FetchApi, type SigningClient } from './fetch-api.js'
import { S3Objects } from './objects.js'
import { PART } from './parts.js'
import { sweepUploads } from './probe.js'
import { S3Sink } from './s3-sink.js'
import { openS3 } from './s3-source.js'
import { type CommandClient, SdkApi } from './sdk-api.js'
import { ServerKnowledge } from './server.js'

/** Options of an S3Store. */
export interface S3StoreOptions {
  /** An `S3Client` of @aws-sdk/client-s3, or an `AwsClient` of aws4fetch. It stays the caller's. */
  readonly client: CommandClient | SigningClient
  readonly bucket: string
  /** What the keys begin with: a folder's name, such as `runs/1` (default: nothing, the whole bucket). */
  readonly prefix?: string | undefined
  /**
   * The server, for an `AwsClient`, which does not know it: `https://ACCOUNT.r2.cloudflarestorage.com`. The bucket follows
   * as the first part of the path, unless `virtualHost` is true. Default: Amazon S3 in the region of the client. An `S3Client` has it in its options.
   */
  readonly endpoint?: string | URL | undefined
  /** Whether the bucket is part of the host's name, `https://BUCKET.HOST`, for an `AwsClient` (default false). */
  readonly virtualHost?: boolean | undefined
  /**
   * Whether the server keeps conditions (If-None-Match, If-Match) on uploads. By default an object of its own finds out,
   * the first time that it matters.
   */
  readonly conditions?: boolean | undefined
  /**
   * Whether parts are sent with their CRC-32 and objects with theirs. By default they are, unless the server refuses
   * the first one; an object of its own finds out whether the server verifies them, with the first save.
   */
  readonly checksums?: boolean | undefined
  /** Least length of the parts of an upload, in bytes (default and least: 8 MiB and 5 MiB). Long files have longer ones. */
  readonly partLength?: number | undefined
  /**
   * Parts that are in memory at once (default 8), of which each takes its length. All of them are sent at once, except
   * that the first one waits until the checksums of all tensors are known: of tensors in the process's memory soon, of
   * those that are fetched until all have been. While it waits, one more is there if this is 1.
   */
  readonly partsAtOnce?: number | undefined
  /**
   * Age from which an unfinished upload to a checkpoint of the prefix (`*.ckpt`) is taken for that of a dead saver and
   * ended, in milliseconds (default 7 days, longer than any save takes). Infinity: none is.
   */
  readonly sweepAfter?: number | undefined
  /**
   * A request that is not answered for so long is cut off and sent again, in milliseconds (default 30 s). One with a body
   * has as long again for each 2 MiB.
   */
  readonly stalledAfter?: number | undefined
}

const OPTIONS = [
  'client',
  'bucket',
  'prefix',
  'endpoint',
  'virtualHost',
  'conditions',
  'checksums',
  'partLength',
  'partsAtOnce',
  'sweepAfter',
  'stalledAfter',
]

const LEAST_PART = 5 * 1024 * 1024
const WEEK = 7 * 24 * 60 * 60 * 1000

/** A bucket's prefix as a store. One store for each prefix of a process: it remembers what the server can do. */
export class S3Store implements CheckpointStore {
  /** `s3://bucket/prefix`. */
  readonly path: string
  readonly #api: S3Api
  readonly #objects: S3Objects
  readonly #prefix: string
  readonly #server: ServerKnowledge
  readonly #partLength: number
  readonly #partsAtOnce: number
  readonly #sweepAfter: number
  #swept: Promise<void> | undefined

  /** Makes no request. Throws a TypeError or RangeError for options that cannot be. */
  constructor(options: S3StoreOptions) {
    for (const name of Object.keys(options)) {
      if (!OPTIONS.includes(name)) {
        throw new TypeError(`S3Store has no option ${quote(name)}. It has: ${OPTIONS.join(', ')}`)
      }
    }
    const { bucket, prefix = '', conditions, checksums } = options
    if (typeof bucket !== 'string' || !/^[\w.-]+$/.test(bucket)) {
      throw new TypeError(`expected the name of a bucket, found ${quote(String(bucket))}`)
    }
    if (typeof prefix !== 'string' || /^\/|\/\/|\0|(^|\/)\.{1,2}(\/|$)/.test(prefix)) {
      throw new TypeError(
        `expected a prefix such as runs/1, without a slash at its start, found ${quote(String(prefix))}`,
      )
    }
    const { partLength = PART, partsAtOnce = 8, sweepAfter = WEEK } = options
    const { stalledAfter = STALLED } = options
    if (!(partLength >= LEAST_PART)) {
      throw new RangeError(`partLength must be at least ${LEAST_PART} bytes, not ${partLength}`)
    }
    if (!Number.isInteger(partsAtOnce) || partsAtOnce < 1) {
      throw new RangeError(`partsAtOnce must be an integer from 1 on, not ${partsAtOnce}`)
    }
    for (const [name, value] of Object.entries({ sweepAfter, stalledAfter })) {
      if (!(value > 0)) {
        throw new RangeError(`${name} must be a number of milliseconds from 1 on, not ${value}`)
      }
    }
    this.#prefix = prefix === '' || prefix.endsWith('/') ? prefix : `${prefix}/`
    this.path = `s3://${bucket}/${this.#prefix}`.replace(/\/$/, '')
    this.#api = apiOf({ ...options, stalledAfter })
    this.#objects = new S3Objects(this.#api, this.#prefix)
    this.#server = new ServerKnowledge(this.#api, this.#prefix, { conditions, checksums })
    this.#partLength = partLength
    this.#partsAtOnce = partsAtOnce
    this.#sweepAfter = sweepAfter
  }

  locate(name: string): string {
    checkStoredName(name)
    return `${this.path}/${name}`
  }

  async supports(): Promise<StoreSupport> {
    const [conditions, checksums] = await Promise.all([
      this.#server.keepsConditions(),
      this.#server.verifiesChecksums(),
    ])
    return { durability: 'durable', conditions, checksums }
  }

  list(isWanted: (name: string) => boolean = () => true): Promise<StoredFile[]> {
    return this.#objects.list(isWanted)
  }

  async stat(name: string): Promise<StoredFile | undefined> {
    checkStoredName(name)
    return this.#objects.stat(name)
  }

  async open(name: string, { version }: OpenStored = {}): Promise<Source> {
    checkStoredName(name)
    return openS3(this.#api, this.#objects.keyOf(name), version)
  }

  sink(name: string, { condition }: SinkOptions = {}): Sink {
    return new S3Sink({
      api: this.#api,
      path: this.locate(name),
      key: this.#objects.keyOf(name),
      condition,
      partsAtOnce: this.#partsAtOnce,
      partLength: this.#partLength,
      server: this.#server,
      sweep: () => this.#sweep(),
    })
  }

  async remove(name: string, version: string): Promise<boolean> {
    checkStoredName(name)
    return this.#objects.remove(name, version)
  }

  async setAside(name: string, version: string, as: string): Promise<boolean> {
    checkStoredName(name)
    checkStoredName(as)
    return this.#objects.setAside(name, version, as, await this.#server.keepsConditions())
  }

  /** Once for each store. What fails is left to the lifecycle rule of the bucket. */
  #sweep(): Promise<void> {
    this.#swept ??=
      this.#sweepAfter === Number.POSITIVE_INFINITY
        ? Promise.resolve()
        : sweepUploads(this.#api, this.#prefix, this.#sweepAfter).catch(() => {})
    return this.#swept
  }
}

function apiOf({
  client,
  bucket,
  endpoint,
  virtualHost = false,
  stalledAfter,
}: S3StoreOptions & { readonly stalledAfter: number }): S3Api {
  const { send, sign } = (client ?? {}) as Partial<CommandClient & SigningClient>
  if (typeof send === 'function') {
    if (endpoint === undefined && !virtualHost) {
      return new SdkApi(client as CommandClient, bucket, stalledAfter)
    }
    throw new TypeError(
      'endpoint and virtualHost are for an AwsClient: an S3Client has them in its own options',
    )
  }
  if (typeof sign !== 'function') {
    throw new TypeError(
      'expected the client to be an S3Client of @aws-sdk/client-s3 or an AwsClient of aws4fetch',
    )
  }
  const { region } = client as { readonly region?: string }
  if (endpoint === undefined && !region) {
    throw new TypeError('an AwsClient without a region needs the option endpoint, the server')
  }
  const address = new URL(endpoint ?? `https://s3.${region}.amazonaws.com`)
  if (virtualHost) address.hostname = `${bucket}.${address.hostname}`
  else address.pathname = `${address.pathname.replace(/\/+$/, '')}/${bucket}`
  return new FetchApi(client as SigningClient, bucket, address, stalledAfter)
}
