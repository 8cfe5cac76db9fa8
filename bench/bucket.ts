/** A bucket of an S3 server on this machine (versitygw). Its processors are the contenders' own, which all bear alike. */

import { existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { AwsClient } from 'aws4fetch'
import { startS3Server } from '../scripts/s3-server.js'

/** How a contender reaches the bucket. */
export interface BucketAddress {
  readonly endpoint: string
  readonly bucket: string
  readonly region: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
}

/** A bucket that is empty at first. Dispose of it, or its server and its objects stay. */
export interface BenchBucket extends AsyncDisposable {
  readonly address: BucketAddress
  /** Removes an object, so that its memory is free. */
  remove(key: string): Promise<void>
}

// In memory: on a disk, what the system still writes of one upload would hold up the next.
const FOLDER = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()

/** Starts a server with a bucket. Its objects are in memory, if this machine has such a folder. */
export async function startBucket(): Promise<BenchBucket> {
  const server = await startS3Server(FOLDER)
  const { endpoint, region, accessKeyId, secretAccessKey } = server
  const address = { endpoint, region, accessKeyId, secretAccessKey, bucket: 'bench' }
  const url = `${endpoint}/${address.bucket}`
  const client = new AwsClient({ region, accessKeyId, secretAccessKey, service: 's3' })
  await client.fetch(url, { method: 'PUT' })
  return {
    address,
    async remove(key) {
      await client.fetch(`${url}/${key}`, { method: 'DELETE' })
    },
    [Symbol.asyncDispose]: () => server.stop(),
  }
}
