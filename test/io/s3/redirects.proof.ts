/** A server that sends requests to another one. */

import ava from 'ava'
import { loadCheckpoint } from '../../../src/load/load.js'
import { requires } from '../../support/requires.js'
import { s3Server } from '../../support/s3/bucket.js'
import { DisturbedBucket } from '../../support/s3/disturbed.js'
import { NAME, saveGeneration } from '../../support/s3/generations.js'
import { S3_SERVER } from '../../support/s3/server-need.js'

const test = requires(ava, S3_SERVER)

test('requests follow a redirect, signed for the other server, parts with their bytes', async (t) => {
  const { endpoint } = await s3Server()
  await using bucket = await DisturbedBucket.make('AwsClient')
  const { store, proxy } = bucket
  let redirects = 0
  proxy.reset({
    before() {
      redirects++
      return { redirect: endpoint }
    },
  })
  for (const [file, generation] of [
    ['short', 1],
    ['long', 2],
  ] as const) {
    await saveGeneration({ store, name: NAME }, file, generation)
    t.is(await bucket.generation(file), generation)
  }
  const checkpoint = await loadCheckpoint({ store, name: NAME })
  await checkpoint.verify()
  checkpoint.close()
  t.true(await store.remove(NAME, (await store.stat(NAME))!.version))
  // One PUT of a file, five requests of another, the reads; nothing went through the proxy itself.
  t.true(redirects > 10)
})

test('a server that redirects without end is an error, with a remedy', async (t) => {
  await using bucket = await DisturbedBucket.make('AwsClient')
  const { store, proxy } = bucket
  proxy.reset({ before: () => ({ redirect: proxy.endpoint }) })
  const message = /307 TemporaryRedirect.*endpoint/
  const saving = saveGeneration({ store, name: NAME }, 'long', 1)
  await t.throwsAsync(saving, { code: 'CKPT_NOT_COMMITTED', message })
  await t.throwsAsync(store.list(), { code: 'CKPT_READ', message })
})

test('the client of the AWS SDK follows no such redirect, and says so', async (t) => {
  await using bucket = await DisturbedBucket.make('S3Client')
  const { endpoint } = await s3Server()
  bucket.proxy.reset({ before: () => ({ redirect: endpoint }) })
  const saving = saveGeneration({ store: bucket.store, name: NAME }, 'short', 1)
  await t.throwsAsync(saving, { code: 'CKPT_NOT_COMMITTED', message: /307 TemporaryRedirect/ })
})
