/** Servers that verify checksums, that ignore them, that refuse them: what a store and a save say of it is true. */

import { S3Client } from '@aws-sdk/client-s3'
import ava from 'ava'
import { S3Store, type S3StoreOptions } from '../../../src/io/s3/s3-store.js'
import type { Checksums } from '../../../src/io/sink.js'
import { loadCheckpoint } from '../../../src/load/load.js'
import { requires } from '../../support/requires.js'
import { bucketOf, type ClientName, clientNames, clientOf } from '../../support/s3/bucket.js'
import { DisturbedBucket } from '../../support/s3/disturbed.js'
import type { FaultProxy } from '../../support/s3/fault-proxy.js'
import { NAME, PART, saveGeneration } from '../../support/s3/generations.js'
import { S3_SERVER } from '../../support/s3/server-need.js'
import { type Stripped, startStrippingProxy } from '../../support/s3/stripped.js'

const test = requires(ava, S3_SERVER)

/** A store through a proxy. The client sends no checksums of its own. */
async function storeOf(
  name: ClientName,
  bucket: string,
  { endpoint }: FaultProxy,
  options: Partial<S3StoreOptions> = {},
): Promise<S3Store> {
  const client = await clientOf(name, endpoint)
  if (client instanceof S3Client) {
    client.config.requestChecksumCalculation = async () => 'WHEN_REQUIRED'
  }
  const where = name === 'AwsClient' ? { endpoint } : {}
  return new S3Store({ client, bucket, partLength: PART, ...where, ...options })
}

/** What is reported of a file of one part and of one of three. */
interface Reported {
  readonly supported: boolean | undefined
  readonly short: Checksums | undefined
  readonly long: Checksums | undefined
}

async function reportedOf(store: S3Store): Promise<Reported> {
  const to = { store, name: NAME }
  const { checksums: short } = await saveGeneration(to, 'short', 1)
  const { checksums: long } = await saveGeneration(to, 'long', 2)
  const checkpoint = await loadCheckpoint(to)
  await checkpoint.verify()
  checkpoint.close()
  const { checksums: supported } = await store.supports()
  return { supported, short, long }
}

/** The same through a proxy that strips headers, and the names that are left in the bucket. */
async function strippedOf(client: ClientName, isStripped: Stripped) {
  const api = await bucketOf('AwsClient')
  const proxy = await startStrippingProxy(isStripped)
  try {
    const reported = await reportedOf(await storeOf(client, api.bucket, proxy))
    const { Contents } = await api.send('ListObjectsV2', { Prefix: '', Delimiter: '/' })
    return { reported, left: Contents.map(({ Key }) => Key) }
  } finally {
    await proxy.close()
  }
}

for (const client of clientNames) {
  test(`${client}: a server that verifies checksums is told apart by one wrong one, once`, async (t) => {
    await using bucket = await DisturbedBucket.make(client)
    t.deepEqual(await reportedOf(bucket.store), {
      supported: true,
      short: 'object',
      long: 'object',
    })
    const wrong = bucket.proxy.requests.filter(
      ({ method, url }) =>
        method === 'PUT' && url.includes('.lightwatch-probe-') && !url.includes('partNumber='),
    )
    // The second one is of the probe of conditions.
    t.true(wrong.length <= 2)
    const { Contents } = await bucket.api.send('ListObjectsV2', { Prefix: '', Delimiter: '/' })
    t.deepEqual(
      Contents.map(({ Key }) => Key),
      [NAME],
    )
  })

  test(`${client}: checksums that are ignored on the way are no promise, and the saves say so`, async (t) => {
    const isStripped = (name: string) => /checksum|x-amz-mp-object-size/.test(name)
    const { reported, left } = await strippedOf(client, isStripped)
    t.deepEqual(reported, { supported: false, short: 'none', long: 'none' })
    t.deepEqual(left, [NAME])
  })

  test(`${client}: a server that ignores sums of whole objects verifies the parts`, async (t) => {
    const isStripped = (name: string, url: string) =>
      /checksum-type|x-amz-mp-object-size/.test(name) ||
      // Of a completion; a part has its number in the address.
      (name === 'x-amz-checksum-crc32' && /uploadId=/.test(url) && !/partNumber=/.test(url))
    const { reported } = await strippedOf(client, isStripped)
    t.deepEqual(reported, { supported: true, short: 'object', long: 'parts' })
  })

  test(`${client}: a server that refuses checksums is sent none, and the saves say so`, async (t) => {
    for (const [refused, expected] of [
      [
        /^x-amz-checksum-(crc32|algorithm|type)$/,
        { supported: false, short: 'none', long: 'none' },
      ],
      // Only uploads of several parts have these.
      [/^x-amz-checksum-type$/, { supported: true, short: 'object', long: 'parts' }],
      [/^x-amz-checksum-algorithm$/, { supported: true, short: 'object', long: 'none' }],
    ] as const) {
      await using bucket = await DisturbedBucket.make(client)
      const store = await storeOf(client, bucket.api.bucket, bucket.proxy)
      bucket.proxy.reset({
        before: ({ headers }) =>
          Object.keys(headers).some((name) => refused.test(name)) ? 501 : undefined,
      })
      t.deepEqual(await reportedOf(store), expected)
    }
  })

  test(`${client}: what an option tells is not found out`, async (t) => {
    for (const [checksums, expected] of [
      [true, { supported: true, short: 'object', long: 'object' }],
      [false, { supported: false, short: 'none', long: 'none' }],
    ] as const) {
      await using bucket = await DisturbedBucket.make(client)
      const options = { checksums, conditions: true }
      const store = await storeOf(client, bucket.api.bucket, bucket.proxy, options)
      t.deepEqual(await reportedOf(store), expected)
      t.false(bucket.proxy.requests.some(({ url }) => url.includes('.lightwatch-probe-')))
    }
  })
}
