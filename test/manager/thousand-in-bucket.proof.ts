import ava from 'ava'
import { AwsClient } from 'aws4fetch'
import { S3Store } from '../../src/io/s3/s3-store.js'
import { CheckpointManager } from '../../src/manager/checkpoint-manager.js'
import { fileName, smallModel } from '../support/manager/folder-of-checkpoints.js'
import { requires } from '../support/requires.js'
import { bucketOf, s3Server } from '../support/s3/bucket.js'
import { S3_SERVER } from '../support/s3/server-need.js'
import { inMemory } from '../support/saved.js'

const test = requires(ava, S3_SERVER)

const COUNT = 1000

test('the progress of a thousand checkpoints in a bucket is read once, and then known by their ETags', async (t) => {
  t.timeout(120_000)
  const { endpoint, region, accessKeyId, secretAccessKey } = await s3Server()
  const api = await bucketOf('AwsClient')
  let next = 1
  const put = async () => {
    for (let step = next++; step <= COUNT; step = next++) {
      const Body = await inMemory(smallModel(step), null, { step, loss: 1 / step, sequence: step })
      await api.send('PutObject', { Key: `run/${fileName(step)}`, Body })
    }
  }
  await Promise.all(Array.from({ length: 8 }, put))

  let requests = 0
  class Counting extends AwsClient {
    override sign(...input: Parameters<AwsClient['sign']>) {
      requests++
      return super.sign(...input)
    }
  }
  const client = new Counting({ region, accessKeyId, secretAccessKey })
  const store = new S3Store({ client, endpoint, bucket: api.bucket, prefix: 'run' })
  await using manager = new CheckpointManager(store)
  const read = async () => {
    requests = 0
    const start = performance.now()
    const steps = (await manager.list()).map(({ step }) => step)
    t.deepEqual(
      steps,
      Array.from({ length: COUNT }, (_, i) => i + 1),
    )
    return { seconds: (performance.now() - start) / 1000, requests }
  }
  const cold = await read()
  const warm = await read()
  t.log(`cold ${cold.seconds.toFixed(2)} s, warm ${warm.seconds.toFixed(2)} s`)
  // The listing has up to a thousand in a page. The metadata of each is one ranged read.
  t.is(cold.requests, COUNT + 1)
  t.is(warm.requests, 1)
  t.true(warm.seconds < 2)
  t.is((await manager.latest())?.step, COUNT)
})
