import ava from 'ava'
import type { S3Api, S3RequestName, S3Requests } from '../../../src/io/s3/api.js'
import { openS3 } from '../../../src/io/s3/s3-source.js'
import { requires } from '../../support/requires.js'
import { apiOf, bucketOf, clientNames } from '../../support/s3/bucket.js'
import { S3_SERVER } from '../../support/s3/server-need.js'
import { sourceConforms } from '../../support/source-conformance.js'

const test = requires(ava, S3_SERVER)

const MIB = 2 ** 20
const bytesOf = (length: number): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => Math.imul(i, 0x9e3779b1) >>> 24)

/** The same requests, which are counted. */
function counted(api: S3Api): S3Api & { readonly ranges: string[] } {
  const ranges: string[] = []
  return {
    bucket: api.bucket,
    stalledAfter: api.stalledAfter,
    ranges,
    send<Name extends S3RequestName>(
      name: Name,
      input: S3Requests[Name]['in'],
      signal?: AbortSignal,
    ) {
      ranges.push(`${name} ${(input as { Range?: string }).Range ?? ''}`)
      return api.send(name, input, signal)
    },
  }
}

for (const client of clientNames) {
  sourceConforms(
    `an object, by ${client}`,
    async (_t, bytes) => {
      const api = await bucketOf(client)
      const put = (Body: Uint8Array) => api.send('PutObject', { Key: 'run/a.ckpt', Body })
      await put(bytes)
      return {
        source: await openS3(api, 'run/a.ckpt'),
        change: () => put(bytes.slice().fill(9, -1)),
        truncate: (length) => put(bytes.subarray(0, length)),
      }
    },
    test,
  )

  test(`${client}: the metadata takes one request, a tensor of 16 MiB one, a longer one several`, async (t) => {
    const api = counted(await bucketOf(client))
    const Body = bytesOf(40 * MIB)
    await api.send('PutObject', { Key: 'a', Body })
    api.ranges.length = 0
    const source = await openS3(api, 'a')
    await source.read(new Uint8Array(60_000), 0)
    t.deepEqual(api.ranges, ['GetObject bytes=0-65535'])
    const target = new Uint8Array(16 * MIB)
    await source.read(target, MIB)
    t.is(Buffer.compare(target, Body.subarray(MIB, 17 * MIB)), 0)
    // The gap before it came with it, which is 67 bytes at most.
    await source.read(new Uint8Array(67), MIB - 67)
    t.deepEqual(api.ranges.slice(1), [`GetObject bytes=${MIB - 67}-${17 * MIB - 1}`])
    await source.read(new Uint8Array(33 * MIB), 7 * MIB)
    t.is(api.ranges.length, 5)
    source.close()
  })

  test(`${client}: an object that is replaced is CKPT_FILE_CHANGED, whatever its length`, async (t) => {
    const api = await bucketOf(client)
    const put = (Body: Uint8Array) => api.send('PutObject', { Key: 'a', Body })
    for (const length of [200_000, 100_000]) {
      const { ETag } = await put(bytesOf(200_000))
      const source = await openS3(api, 'a', ETag)
      await put(bytesOf(length).fill(1))
      const changed = { code: 'CKPT_FILE_CHANGED' }
      await t.throwsAsync(source.read(new Uint8Array(1000), 90_000), changed)
      await t.throwsAsync(source.checkUnchanged(), changed)
      await t.throwsAsync(openS3(api, 'a', ETag), changed)
    }
  })

  test(`${client}: a missing object is CKPT_READ with ENOENT, a missing bucket is not`, async (t) => {
    const api = await bucketOf(client)
    const missing = await t.throwsAsync(openS3(api, 'a'), { code: 'CKPT_READ' })
    t.like(missing, { cause: { code: 'ENOENT' } })
    await api.send('PutObject', { Key: 'a', Body: bytesOf(100_000) })
    const source = await openS3(api, 'a')
    await api.send('DeleteObject', { Key: 'a' })
    const gone = await t.throwsAsync(source.read(new Uint8Array(10), 70_000), { code: 'CKPT_READ' })
    t.like(gone, { cause: { code: 'ENOENT' } })
    const elsewhere = await apiOf(client, 'no-such-bucket')
    const error = await t.throwsAsync(openS3(elsewhere, 'a'), { code: 'CKPT_READ' })
    t.not((error.cause as { code?: string }).code, 'ENOENT')
  })

  test(`${client}: an object without bytes has none`, async (t) => {
    const api = await bucketOf(client)
    await api.send('PutObject', { Key: 'a', Body: new Uint8Array(0) })
    t.is((await openS3(api, 'a')).size, 0)
  })

  test(`${client}: two versions of one key have two identities`, async (t) => {
    const api = await bucketOf(client)
    const identities = new Set<string | undefined>()
    for (const byte of [1, 2]) {
      await api.send('PutObject', { Key: 'a', Body: new Uint8Array(10).fill(byte) })
      identities.add((await openS3(api, 'a')).identity)
      identities.add((await openS3(api, 'a')).identity)
    }
    t.is(identities.size, 2)
    t.false(identities.has(undefined))
  })
}
