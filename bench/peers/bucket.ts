/** This library in a bucket by both clients, the AWS SDK's manager of uploads, and programs without a library. */

import { S3Client } from '@aws-sdk/client-s3'
import { Upload } from '@aws-sdk/lib-storage'
import { AwsClient } from 'aws4fetch'
import type { StoredCheckpoint } from '../../src/index.js'
import type * as S3 from '../../src/io/s3/s3-store.js'
import type { BucketAddress } from '../bucket.js'
import { importLibrary, libraryUrl } from '../library.js'
import { checkRestored, type HeldState, holdState, wipe } from './held-state.js'
import { PlainBucket } from './plain-bucket.js'
import { seconds, serve } from './serve.js'

const { loadCheckpoint, restoreCheckpoint, saveCheckpoint } = await importLibrary()
const { S3Store }: typeof S3 = await import(new URL('io/s3/s3-store.js', libraryUrl).href)

let state: HeldState
let bytes: Uint8Array
let bucket: string
let plain: PlainBucket
let sdk: S3Client
let stores: Readonly<Record<'AwsClient' | 'S3Client', S3.S3Store>>

/** Verifies all checksums. */
async function restore(from: string | StoredCheckpoint, cache?: string): Promise<void> {
  const checkpoint = await loadCheckpoint(from, { cache })
  await restoreCheckpoint(checkpoint, state.model, state.optimizer)
  checkpoint.close()
}

async function timedRestore(run: () => Promise<void>): Promise<number> {
  wipe(state)
  const taken = await seconds(run)
  checkRestored(state)
  return taken
}

await serve({
  load({ spec }: { spec: string }) {
    state = holdState(spec, (byteLength) => {
      bytes = new Uint8Array(byteLength)
      return bytes.buffer as ArrayBuffer
    })
    return state.byteLength
  },

  connect(address: BucketAddress) {
    const { endpoint, region, accessKeyId, secretAccessKey } = address
    const credentials = { accessKeyId, secretAccessKey }
    bucket = address.bucket
    plain = new PlainBucket(address)
    sdk = new S3Client({ region, endpoint, forcePathStyle: true, credentials })
    const client = new AwsClient({ region, ...credentials })
    stores = {
      AwsClient: new S3Store({ client, bucket, endpoint }),
      S3Client: new S3Store({ client: sdk, bucket }),
    }
  },

  /** Frees memory of before, which another thread does. */
  async collect() {
    for (let i = 0; i < 3; i++) {
      globalThis.gc?.()
      await new Promise((resolve) => setTimeout(resolve, 200))
    }
  },

  save({ client, name }: { client: keyof typeof stores; name: string }) {
    const place = { store: stores[client], name }
    return seconds(() => saveCheckpoint(place, state.model, state.optimizer))
  },

  plainUpload({ name, atOnce, length }: { name: string; atOnce: number; length: number }) {
    return seconds(() => plain.upload(name, bytes, atOnce, length))
  },

  /** As it comes: it sums each part. */
  libStorage({ name, atOnce, length }: { name: string; atOnce: number; length: number }) {
    const params = { Bucket: bucket, Key: name, Body: bytes }
    return seconds(() =>
      new Upload({ client: sdk, params, queueSize: atOnce, partSize: length }).done(),
    )
  },

  /** Reads twice, or once through a cache folder. */
  restore({ name, cache }: { name: string; cache?: string }) {
    return timedRestore(() => restore({ store: stores.AwsClient, name }, cache))
  },

  plainRestore(args: { name: string; path: string; atOnce: number; length: number }) {
    return timedRestore(async () => {
      await plain.download(args.name, args.path, args.atOnce, args.length)
      await restore(args.path)
    })
  },
})
