/** Bytes that change on the way to a bucket: the server refuses them by their checksum, and the save sends them again. */

import ava from 'ava'
import { crc32 } from '../../../src/format/checksum.js'
import type { CompletedPart } from '../../../src/io/s3/api.js'
import { S3Failure } from '../../../src/io/s3/failures.js'
import { crcText } from '../../../src/io/s3/parts.js'
import { openS3 } from '../../../src/io/s3/s3-source.js'
import { slowTimes } from '../../support/effort.js'
import { Random } from '../../support/random.js'
import { requires } from '../../support/requires.js'
import { bucketOf, type ClientName, clientNames } from '../../support/s3/bucket.js'
import { DisturbedBucket } from '../../support/s3/disturbed.js'
import { type FileName, NAME, saveGeneration } from '../../support/s3/generations.js'
import { S3_SERVER } from '../../support/s3/server-need.js'
import { SEED } from '../../support/seed.js'

const test = requires(ava, S3_SERVER)

// S3_FLIPS=2000 for a recorded run: so many bytes of a long part, and every byte of short ones.
const FLIPS = Number(process.env.S3_FLIPS ?? slowTimes(3))
const isRecorded = process.env.S3_FLIPS !== undefined

// Bytes of the shortest part of an upload, and of a last one.
const LONG = 5 * 2 ** 20
const LAST = 64 * 1024
// At each end of a long part all bytes are changed in a recorded run.
const ENDS = 64
const AT_ONCE = 4

// Otherwise the first save also sends a probe object, which is no part of it.
const TOLD = { checksums: true }

/** The bytes of each body that a save of this file sends, in order of the bodies' keys. */
async function bodiesOf(client: ClientName, file: FileName): Promise<Map<string, number>> {
  await using bucket = await DisturbedBucket.make(client, TOLD)
  await saveGeneration({ store: bucket.store, name: NAME }, file, 2)
  const bodies = bucket.proxy.requests.filter(({ method }) => method === 'PUT')
  return new Map(bodies.map(({ url, body }) => [bodyKey(url), body.byteLength]))
}

/** The number of a part; empty for a whole object. */
const bodyKey = (url: string): string =>
  new URL(url, 'http://a').searchParams.get('partNumber') ?? ''

/** Positions of a body: all of a short one in a recorded run, otherwise a seeded share. */
function positionsOf(byteLength: number, isAll = isRecorded && byteLength <= FLIPS): number[] {
  const random = new Random(SEED, byteLength)
  const length = isAll ? byteLength : Math.min(FLIPS, byteLength)
  return Array.from({ length }, (_, i) => (isAll ? i : random.below(byteLength)))
}

for (const client of clientNames) {
  for (const file of ['tiny', 'tail'] as const) {
    test(`${client}: a byte of ${file === 'tiny' ? 'an object' : 'each part'} that changes on the way is refused, and sent again`, async (t) => {
      const bodies = await bodiesOf(client, file)
      const positions = new Map([...bodies].map(([key, length]) => [key, positionsOf(length)]))
      const rounds = Math.max(...[...positions.values()].map(({ length }) => length))
      const refused: Record<string, number> = {}
      await using bucket = await DisturbedBucket.make(client, TOLD)
      for (let round = 0; round < rounds; round++) {
        const left = new Map([...positions].map(([key, all]) => [key, all[round]]))
        const flipped = new Set<number>()
        const generation = 1 + (round % 2)
        bucket.proxy.reset({
          before: ({ index, method, url }) => {
            const flip = method === 'PUT' ? left.get(bodyKey(url)) : undefined
            if (flip === undefined) return undefined
            left.delete(bodyKey(url))
            flipped.add(index)
            return { flip }
          },
          after: ({ index, url }, status) => {
            if (!flipped.has(index)) return
            t.is(status, 400)
            const key = bodyKey(url)
            refused[key] = (refused[key] ?? 0) + 1
          },
        })
        await saveGeneration({ store: bucket.store, name: NAME }, file, generation)
        bucket.proxy.reset()
        t.is(await bucket.generation(file), generation)
      }
      for (const [key, all] of positions) t.is(refused[key], all.length)
      const text = [...bodies].map(
        ([key, length]) => `${refused[key]} of ${length} bytes${key && ` of part ${key}`}`,
      )
      t.log(`refused and sent again: ${text.join(', ')}`)
    })
  }
}

// No part is sent a second time here, so that far more bytes have their turn: hundreds in a second of a short part.
for (const client of clientNames) {
  test(`${client}: a part of which one bit has changed since it was summed is refused, whichever bit`, async (t) => {
    t.timeout(600_000)
    const api = await bucketOf(client)
    const { UploadId } = await api.send('CreateMultipartUpload', {
      Key: NAME,
      ChecksumAlgorithm: 'CRC32',
      ChecksumType: 'FULL_OBJECT',
    })
    const random = new Random(SEED, 0)
    const file = Uint8Array.from(
      { length: LONG + LAST },
      (_, i) => Math.imul(i + 1, 0x9e3779b1) >>> 24,
    )
    const ends = Array.from({ length: ENDS }, (_, i) => [i, LONG - 1 - i]).flat()
    const parts = [
      { bytes: file.subarray(0, LONG), at: [...(isRecorded ? ends : []), ...positionsOf(LONG)] },
      { bytes: file.subarray(LONG), at: positionsOf(LAST, isRecorded) },
    ]
    const completed: CompletedPart[] = []
    for (const [i, { bytes, at }] of parts.entries()) {
      const ChecksumCRC32 = crcText(crc32(bytes))
      const part = { Key: NAME, UploadId: UploadId!, PartNumber: i + 1, ChecksumCRC32 }
      const left = at.map((position) => ({ position, bit: 1 << random.below(8) }))
      const start = performance.now()
      const flipAndSend = async (): Promise<void> => {
        const Body = bytes.slice()
        for (let flip = left.pop(); flip !== undefined; flip = left.pop()) {
          Body[flip.position]! ^= flip.bit
          const sending = api.send('UploadPart', { ...part, Body })
          const failure = await t.throwsAsync(
            sending,
            { instanceOf: S3Failure },
            `${flip.position}`,
          )
          t.is(failure?.status, 400)
          Body[flip.position]! ^= flip.bit
        }
      }
      await Promise.all(Array.from({ length: AT_ONCE }, flipAndSend))
      const seconds = (performance.now() - start) / 1000
      t.log(`refused: ${new Set(at).size} of ${bytes.byteLength} bytes, ${seconds.toFixed(1)} s`)
      // What was refused has left nothing behind.
      const { ETag } = await api.send('UploadPart', { ...part, Body: bytes })
      completed.push({ PartNumber: i + 1, ETag: ETag!, ChecksumCRC32 })
    }
    await api.send('CompleteMultipartUpload', {
      Key: NAME,
      UploadId: UploadId!,
      MultipartUpload: { Parts: completed },
    })
    const source = await openS3(api, NAME)
    const there = new Uint8Array(source.size)
    await source.read(there, 0)
    source.close()
    t.is(Buffer.compare(there, file), 0)
  })
}

test('without checksums the same is damage that this finds: AwsClient sends none of its own', async (t) => {
  await using bucket = await DisturbedBucket.make('AwsClient', { checksums: false })
  let isFlipped = false
  bucket.proxy.reset({
    before: ({ method }) => {
      if (method !== 'PUT' || isFlipped) return undefined
      isFlipped = true
      return { flip: 600 }
    },
  })
  await saveGeneration({ store: bucket.store, name: NAME }, 'tiny', 2)
  t.true(isFlipped)
  await t.throwsAsync(bucket.generation('tiny'), { message: /neither the old nor the new one/ })
})
