/** Saves to a bucket through a proxy that disturbs them, and what is in the bucket afterwards. */

import { MemorySink } from '../../../src/io/memory-sink.js'
import type { S3Api } from '../../../src/io/s3/api.js'
import { sweepUploads } from '../../../src/io/s3/probe.js'
import { openS3 } from '../../../src/io/s3/s3-source.js'
import { S3Store, type S3StoreOptions } from '../../../src/io/s3/s3-store.js'
import { type Condition, isMissing } from '../../../src/io/store.js'
import { bucketOf, type ClientName, clientOf, s3Server } from './bucket.js'
import { type FaultProxy, startFaultProxy } from './fault-proxy.js'
import { type ConditionName, type FileName, NAME, PART, saveGeneration } from './generations.js'

const files = new Map<string, Promise<Buffer>>()

/** The bytes of the file of a generation. */
function bytesOf(file: FileName, generation: number): Promise<Buffer> {
  const key = `${file} ${generation}`
  const make = async (): Promise<Buffer> => {
    const sink = new MemorySink()
    await saveGeneration(sink as never, file, generation)
    return Buffer.from(sink.bytes!)
  }
  if (!files.has(key)) files.set(key, make())
  return files.get(key)!
}

async function storeThrough(
  { endpoint }: FaultProxy,
  bucket: string,
  client: ClientName,
  options: Partial<S3StoreOptions> = {},
): Promise<S3Store> {
  return new S3Store({
    client: await clientOf(client, endpoint),
    bucket,
    partLength: PART,
    partsAtOnce: 2,
    // Far longer than a request takes on a busy machine: else a second one counts as stalled beside the disturbed one.
    stalledAfter: 5000,
    ...(client === 'AwsClient' ? { endpoint } : {}),
    ...options,
  })
}

/** A bucket, a proxy in front of its server, and a store through it. */
export class DisturbedBucket implements AsyncDisposable {
  /** The server itself. */
  readonly api: S3Api
  readonly proxy: FaultProxy
  readonly store: S3Store

  private constructor(api: S3Api, proxy: FaultProxy, store: S3Store) {
    this.api = api
    this.proxy = proxy
    this.store = store
  }

  /** Another store of the bucket, through the proxy. */
  storeBy(client: ClientName): Promise<S3Store> {
    return storeThrough(this.proxy, this.api.bucket, client)
  }

  static async make(
    client: ClientName,
    options: Partial<S3StoreOptions> = {},
  ): Promise<DisturbedBucket> {
    const api = await bucketOf('AwsClient')
    const { endpoint } = await s3Server()
    const proxy = await startFaultProxy(endpoint)
    const store = await storeThrough(proxy, api.bucket, client, options)
    return new DisturbedBucket(api, proxy, store)
  }

  /** Puts the file of generation 1 there, past the proxy; or nothing, if the next save expects nothing. */
  async prepare(file: FileName, condition: ConditionName): Promise<Condition | undefined> {
    if (condition === 'absent') {
      await this.api.send('DeleteObject', { Key: NAME })
      return { ifAbsent: true }
    }
    const { ETag } = await this.api.send('PutObject', { Key: NAME, Body: await bytesOf(file, 1) })
    return condition === 'version' ? { ifVersion: ETag! } : undefined
  }

  /** The generation that is there, 0 for none. Throws if the object is not whole. */
  async generation(file: FileName): Promise<number> {
    const source = await openS3(this.api, NAME).catch((error) => {
      if (isMissing(error)) return undefined
      throw error
    })
    if (source === undefined) return 0
    const there = Buffer.alloc(source.size)
    await source.read(there, 0)
    source.close()
    for (const generation of [1, 2]) {
      if (there.equals(await bytesOf(file, generation))) return generation
    }
    throw new Error(
      `an object of ${there.byteLength} bytes that is neither the old nor the new one`,
    )
  }

  /** Keys of unfinished uploads. */
  async uploads(): Promise<string[]> {
    const { Uploads } = await this.api.send('ListMultipartUploads', { Prefix: '' })
    return Uploads.map(({ Key }) => Key)
  }

  /** Ends the uploads that another saver would end a week later. Resolves to those that are left. */
  async swept(): Promise<string[]> {
    await sweepUploads(this.api, '', Number.NEGATIVE_INFINITY)
    return this.uploads()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.proxy.close()
  }
}

/** Calls `run` with each item, several at once. */
export async function eachAtOnce<T>(
  items: readonly T[],
  atOnce: number,
  run: (item: T) => Promise<void>,
): Promise<void> {
  let next = 0
  const work = async (): Promise<void> => {
    while (next < items.length) await run(items[next++]!)
  }
  await Promise.all(Array.from({ length: atOnce }, work))
}
