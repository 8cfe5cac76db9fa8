/**
 * Saves to a bucket of another origin and loads from it, by aws4fetch, in the page and in a worker; and sends what it came
 * to to the server that the page came from. The page's address has the bucket, as JSON.
 */

import { AwsClient } from 'aws4fetch'
import {
  CheckpointError,
  loadCheckpoint,
  restoreCheckpoint,
  saveCheckpoint,
} from '../../../src/browser.js'
import { S3Store } from '../../../src/io/s3/s3-store.js'
import { type BrowserBucket, bucketWeight } from './bucket.js'

const codeOf = (error: unknown): string =>
  error instanceof CheckpointError ? error.code : String(error)

async function run({ prefix, ...where }: BrowserBucket): Promise<object> {
  const { endpoint, bucket, region, accessKeyId, secretAccessKey } = where
  const client = new AwsClient({ region, accessKeyId, secretAccessKey })
  const store = new S3Store({ client, endpoint, bucket, prefix, partLength: 5 * 2 ** 20 })
  const weight = bucketWeight()
  const expected = weight.slice()
  const model = { stateDict: () => ({ weight: { shape: [weight.length], data: weight } }) }
  const place = { store, name: 'a.ckpt' }

  const ifAbsent = { ...place, condition: { ifAbsent: true } as const }
  const { durability } = await saveCheckpoint(ifAbsent, model, null, { step: 7 })
  const refused = await saveCheckpoint(ifAbsent, model).then(() => 'saved', codeOf)
  weight.fill(0)
  const checkpoint = await loadCheckpoint(place)
  const { step } = await restoreCheckpoint(checkpoint, model)
  const identical = weight.every((value, i) => value === expected[i])

  await saveCheckpoint(place, model, null, { step: 8 })
  const replaced = await checkpoint.verify().then(() => 'verified', codeOf)
  checkpoint.close()
  const file = (await store.stat(place.name))!
  const asideName = `${place.name}.damaged`
  const isAside = await store.setAside(place.name, file.version, asideName)
  const files = (await store.list()).map(({ name }) => name)
  const { version } = (await store.stat(asideName))!
  const isRemoved = await store.remove(asideName, version)
  return { durability, refused, step, identical, replaced, isAside, files, isRemoved }
}

/** What came of a run, or its error. */
const resultOf = (bucket: BrowserBucket): Promise<object> =>
  run(bucket).catch((error) => ({ error: String(error?.stack ?? error) }))

if (typeof document === 'undefined') {
  addEventListener('message', async ({ data }) => postMessage(await resultOf(data)))
} else {
  const bucket = JSON.parse(decodeURIComponent(location.hash.slice(1))) as BrowserBucket
  const worker = new Worker('/page.js', { type: 'module' })
  const inWorker = new Promise<object>((resolve) => {
    worker.onmessage = ({ data }) => resolve(data)
    worker.onerror = ({ message }) => resolve({ error: message })
  })
  worker.postMessage({ ...bucket, prefix: 'worker' })
  const result = { page: await resultOf({ ...bucket, prefix: 'page' }), worker: await inWorker }
  await fetch('/result', { method: 'POST', body: JSON.stringify(result) })
}
