/** A bucket that is part of the host's name, on a server that serves it so. */

import dns from 'node:dns'
import ava from 'ava'
import { AwsClient } from 'aws4fetch'
import { startS3Server } from '../../../scripts/s3-server.js'
import { S3Store } from '../../../src/io/s3/s3-store.js'
import { requires } from '../../support/requires.js'
import { PART, saveGeneration } from '../../support/s3/generations.js'
import { S3_SERVER } from '../../support/s3/server-need.js'

const test = requires(ava, S3_SERVER)

const DOMAIN = 's3.test'

// No name server knows the domain of this test.
const { lookup } = dns
dns.lookup = ((name: string, ...rest: [never, never]) =>
  lookup(name.endsWith(DOMAIN) ? '127.0.0.1' : name, ...rest)) as typeof lookup

test('a bucket can be part of the host’s name: files of one part and of several, listed, set aside, removed', async (t) => {
  process.env.VGW_VIRTUAL_DOMAIN = DOMAIN
  const server = await startS3Server()
  try {
    const { endpoint, region, accessKeyId, secretAccessKey } = server
    const { port } = new URL(endpoint)
    const signed: string[] = []
    class Watched extends AwsClient {
      override async sign(...input: Parameters<AwsClient['sign']>) {
        signed.push(String(input[0]))
        return super.sign(...input)
      }
    }
    const client = new Watched({ region, accessKeyId, secretAccessKey })
    const made = await client.fetch(`${endpoint}/run`, { method: 'PUT', aws: { service: 's3' } })
    t.is(made.status, 200)
    signed.length = 0
    const store = new S3Store({
      client,
      bucket: 'run',
      prefix: 'a b',
      endpoint: `http://${DOMAIN}:${port}`,
      virtualHost: true,
      partLength: PART,
    })
    t.is((await saveGeneration({ store, name: 'short.ckpt' }, 'short', 1)).checksums, 'object')
    const condition = { ifAbsent: true } as const
    await saveGeneration({ store, name: 'long.ckpt', condition }, 'long', 1)
    const saveAgain = saveGeneration({ store, name: 'long.ckpt', condition }, 'long', 2)
    await t.throwsAsync(saveAgain, { code: 'CKPT_EXISTS' })
    const [long] = await store.list((name) => name.startsWith('long'))
    t.true(await store.setAside('long.ckpt', long!.version, 'long.ckpt.damaged'))
    const [damaged] = await store.list((name) => name.startsWith('long'))
    t.is(damaged!.name, 'long.ckpt.damaged')
    t.true(await store.remove(damaged!.name, damaged!.version))
    t.deepEqual(
      (await store.list()).map(({ name }) => name),
      ['short.ckpt'],
    )
    // No address has the bucket in its path.
    for (const address of signed) {
      t.regex(
        address,
        new RegExp(`^http://run\\.s3\\.test:${port}(/a%20b/[^/]+)?(\\?[^/]*(/[^/]*)*)?$`),
      )
    }
  } finally {
    await server.stop()
  }
})
