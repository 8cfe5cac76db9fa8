import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import ava from 'ava'
import { AwsClient } from 'aws4fetch'
import type { S3Api } from '../../../src/io/s3/api.js'
import { sweepUploads } from '../../../src/io/s3/probe.js'
import { S3Store, type S3StoreOptions } from '../../../src/io/s3/s3-store.js'
import { loadCheckpoint } from '../../../src/load/load.js'
import { restoreCheckpoint } from '../../../src/restore/restore.js'
import { saveCheckpoint } from '../../../src/save/save.js'
import { slowTimes } from '../../support/effort.js'
import { memoryState } from '../../support/memory-state.js'
import { requires } from '../../support/requires.js'
import {
  bucketOf,
  type ClientName,
  clientNames,
  clientOf,
  s3Server,
} from '../../support/s3/bucket.js'
import { S3_SERVER } from '../../support/s3/server-need.js'
import { sinkConforms } from '../../support/sink-conformance.js'
import { storeConforms } from '../../support/store-conformance.js'

const test = requires(ava, S3_SERVER)
const serialTest = requires(ava.serial, S3_SERVER)

const MIB = 2 ** 20
// Each takes several requests, and servers share the processors with all the tests.
const RACES = Number(process.env.S3_RACES ?? slowTimes(6))
const NAME = 'step-000000000001.ckpt'

setFlagsFromString('--expose-gc')
const collectGarbage: () => void = runInNewContext('gc')

/** A store in a bucket, by that client. */
async function storeOf(name: ClientName, bucket: string, options: Partial<S3StoreOptions> = {}) {
  const client = await clientOf(name)
  const { endpoint } = await s3Server()
  const where = name === 'AwsClient' ? { endpoint } : {}
  return new S3Store({ client, bucket, prefix: 'runs/1', ...where, ...options })
}

/** All keys of a bucket below the prefix, and uploads that are not finished. */
async function contentsOf(api: S3Api): Promise<string[]> {
  const { Contents } = await api.send('ListObjectsV2', { Prefix: 'runs/1/', Delimiter: '/' })
  const { Uploads } = await api.send('ListMultipartUploads', { Prefix: '' })
  return [...Contents, ...Uploads].map(({ Key }) => Key.replace('runs/1/', ''))
}

/** A client whose listings ask for pages of so many names, and the number of pages so far. */
async function shortPages(name: ClientName, length: number) {
  const client = await clientOf(name)
  let pages = 0
  if (client instanceof AwsClient) {
    const sign = client.sign.bind(client)
    client.sign = async (input, init) => {
      const url = new URL(String(input))
      if (url.searchParams.has('list-type')) {
        pages++
        url.searchParams.set('max-keys', String(length))
      }
      return sign(url, init)
    }
  } else {
    client.middlewareStack.add(
      (next, { commandName }) =>
        async (args) => {
          if (commandName !== 'ListObjectsV2Command') return next(args)
          pages++
          return next({ ...args, input: { ...args.input, MaxKeys: length } })
        },
      { step: 'initialize' },
    )
  }
  return { client, pages: () => pages }
}

for (const client of clientNames) {
  const place = async () => {
    const api = await bucketOf(client)
    const store = await storeOf(client, api.bucket)
    const others = await Promise.all([1, 2].map(() => storeOf(client, api.bucket)))
    let next = 0
    return {
      store: () => [store, ...others][next++ % 3]!,
      contents: () => contentsOf(api),
    }
  }
  storeConforms(`a bucket, by ${client}`, place, { races: RACES, declare: test })

  sinkConforms(
    `an object, by ${client}`,
    async () => {
      const api = await bucketOf(client)
      const store = await storeOf(client, api.bucket)
      return {
        sink: () => store.sink(NAME),
        read: async () => {
          const source = await store.open(NAME).catch(() => undefined)
          if (source === undefined) return undefined
          const bytes = new Uint8Array(source.size)
          await source.read(bytes, 0)
          return bytes
        },
        leftovers: async () => (await contentsOf(api)).filter((name) => name !== NAME),
      }
    },
    test,
  )

  test(`${client}: a file of several parts is saved, loaded and restored, with one checksum of it all`, async (t) => {
    const api = await bucketOf(client)
    const store = await storeOf(client, api.bucket, { partLength: 5 * MIB })
    const weights = () => new Float32Array(5 * MIB).map((_, i) => Math.sin(i))
    await saveCheckpoint({ store, name: NAME }, memoryState({ w: weights() }), null, { step: 7 })
    const head = await api.send('HeadObject', { Key: `runs/1/${NAME}`, ChecksumMode: 'ENABLED' })
    t.is(head.ChecksumType, 'FULL_OBJECT')
    t.regex(head.ChecksumCRC32 ?? '', /^[\w+/]{6}==$/)
    const checkpoint = await loadCheckpoint({ store, name: NAME })
    t.is(checkpoint.step, 7)
    const w = new Float32Array(5 * MIB)
    await restoreCheckpoint(checkpoint, memoryState({ w }))
    t.is(Buffer.compare(Buffer.from(w.buffer), Buffer.from(weights().buffer)), 0)
    checkpoint.close()
    t.deepEqual(await contentsOf(api), [NAME])
  })

  serialTest(
    `${client}: a save takes the memory of the 8 parts of 8 MiB that are on their way, and no copy of them`,
    async (t) => {
      const api = await bucketOf(client)
      const store = await storeOf(client, api.bucket)
      const state = memoryState({ w: new Float32Array(40 * MIB) })
      // Memory that was found to be garbage is freed by another thread.
      collectGarbage()
      await new Promise((resolve) => setTimeout(resolve, 200))
      collectGarbage()
      const before = process.memoryUsage().arrayBuffers
      let most = 0
      const timer = setInterval(() => {
        most = Math.max(most, process.memoryUsage().arrayBuffers - before)
      }, 2)
      await saveCheckpoint({ store, name: NAME }, state, null, { step: 1 })
      clearInterval(timer)
      t.log(`${Math.round(most / MIB)} MiB`)
      // Otherwise nothing was measured.
      t.true(most > 32 * MIB)
      // Besides the parts: the metadata, and what a client holds of answers.
      t.true(most <= 68 * MIB)
    },
  )

  test(`${client}: old uploads to checkpoints of the prefix are ended, and those of other programs are not`, async (t) => {
    const api = await bucketOf(client)
    const own = ['a.ckpt', 'a.ckpt.damaged', 'a.ckpt.damaged-2', '.lightwatch-probe-1']
    const others = ['video.mp4', 'a.ckpt.zip', 'ckpt', 'deeper/a.ckpt', '../10/a.ckpt']
    const keyOf = (name: string) =>
      name.startsWith('../') ? `runs/${name.slice(3)}` : `runs/1/${name}`
    for (const name of [...own, ...others]) {
      await api.send('CreateMultipartUpload', { Key: keyOf(name) })
    }
    const uploads = async () => {
      const { Uploads } = await api.send('ListMultipartUploads', { Prefix: '' })
      return Uploads.map(({ Key }) => Key).sort()
    }
    const all = [...own, ...others].map(keyOf).sort()
    const state = memoryState({ w: new Float32Array(2 * MIB) })
    const save = async (sweepAfter: number) => {
      const store = await storeOf(client, api.bucket, { partLength: 5 * MIB, sweepAfter })
      await saveCheckpoint({ store, name: NAME }, state, null, { step: 1 })
    }
    await save(60_000)
    t.deepEqual(await uploads(), all)
    // The time that a listing tells may be in whole seconds.
    await new Promise((resolve) => setTimeout(resolve, 1100))
    await sweepUploads(api, 'runs/1/', 1)
    t.deepEqual(await uploads(), others.map(keyOf).sort())
  })

  test(`${client}: more names than a page of the server has are listed, in pages`, async (t) => {
    const api = await bucketOf(client)
    const names = Array.from({ length: 25 }, (_, i) => `step-${String(i).padStart(12, '0')}.ckpt`)
    const others = ['runs/1/deeper/a.ckpt', 'runs/10/a.ckpt']
    for (const Key of [...names.map((name) => `runs/1/${name}`), ...others]) {
      await api.send('PutObject', { Key, Body: Uint8Array.of(1) })
    }
    // A page has a thousand names by default, which take long to make.
    const short = await shortPages(client, 10)
    const store = await storeOf(client, api.bucket, { client: short.client })
    t.deepEqual((await store.list()).map(({ name }) => name).sort(), names)
    // Whether a folder takes a place in a page is up to the server.
    t.true([3, 4].includes(short.pages()), `${short.pages()} pages`)
  })

  test(`${client}: a missing bucket is an error, and not an empty place`, async (t) => {
    const store = await storeOf(client, 'no-such-bucket')
    await t.throwsAsync(store.list(), { code: 'CKPT_READ', message: /NoSuchBucket.*create/ })
  })
}

test('options that cannot be are refused, and so is another client', async (t) => {
  const client = await clientOf('S3Client')
  const signing = await clientOf('AwsClient')
  const bucket = 'b'
  for (const options of [
    { client: {} as never, bucket },
    { client, bucket: '' },
    { client, bucket: 'a/b' },
    { client, bucket, prefix: '/a' },
    { client, bucket, prefix: 'a//b' },
    { client, bucket, prefix: '../b' },
    { client, bucket, endpoint: 'http://a' },
    { client: Object.create(signing, { region: { value: undefined } }), bucket },
    { client, bucket, perfix: 'a' } as S3StoreOptions,
  ]) {
    t.throws(() => new S3Store(options), { instanceOf: TypeError })
  }
  for (const options of [{ partLength: MIB }, { partsAtOnce: 0 }]) {
    t.throws(() => new S3Store({ client, bucket, ...options }), { instanceOf: RangeError })
  }
  t.is(new S3Store({ client, bucket, prefix: 'runs/1/' }).path, 's3://b/runs/1')
  t.is(new S3Store({ client, bucket }).locate('a.ckpt'), 's3://b/a.ckpt')
})
