/** The entries for other formats, for conversions, for comparisons and for buckets, bundled and run in real browsers. */

import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PutBucketCorsCommand } from '@aws-sdk/client-s3'
import test, { type ExecutionContext } from 'ava'
import { convertCheckpoint } from '../../src/exchange/node/convert-checkpoint.js'
import { saveModelJson } from '../../src/exchange/node/model-json.js'
import { saveNpy } from '../../src/exchange/node/numpy.js'
import { saveSafetensors } from '../../src/exchange/node/safetensors.js'
import { saveCheckpoint } from '../../src/index.js'
import { browsers } from '../support/browser/browsers.js'
import { bundledPage } from '../support/browser/bundle.js'
import { exchange, FILES } from '../support/browser/exchange.js'
import { pageOf, resultOf } from '../support/browser/result.js'
import { archive, bytesOf, op, pickleOf, storage, tensor } from '../support/exchange/pickle.js'
import { serve } from '../support/http-server.js'
import { requires } from '../support/requires.js'
import { bucketOf, clientOf, s3Server } from '../support/s3/bucket.js'
import { S3_SERVER } from '../support/s3/server-need.js'
import { scratchFolder } from '../support/scratch.js'

/** A file of torch.save(): a model, its transposed twin, and an optimizer without names. */
function pytorchFile(): Uint8Array {
  const floats = new Uint8Array(Float32Array.of(0, 1, 2, 3, 4, 5).buffer)
  const six = storage('FloatStorage', '0', 6)
  return archive(
    pickleOf(
      op.text('model'),
      op.dict(
        ...[op.text('w'), tensor(six, 0, [3, 2], [1, 3])],
        ...[op.text('b'), tensor(six, 1, [2], [2])],
      ),
      op.text('optimizer'),
      op.dict(
        op.text('state'),
        op.dict(bytesOf('K', 0), op.dict(op.text('exp_avg'), tensor(six, 0, [3, 2], [2, 1]))),
        op.text('param_groups'),
        bytesOf(']', op.dict(op.text('params'), bytesOf('](K', 0, 'K', 1, 'e')), 'a'),
      ),
      ...[op.text('epoch'), bytesOf('K', 3)],
    ),
    { 0: floats },
  )
}

/** Writes the files, and returns what the server has at `/files/NAME`. */
async function filesOf(t: ExecutionContext): Promise<Map<string, Buffer>> {
  const folder = await scratchFolder(t)
  const at = (name: string): string => join(folder, name)
  const weights = Float32Array.of(1, -0, 3.1406, Number.NaN)
  const model = {
    w: { shape: [2, 2], data: weights },
    tied: { shape: [2, 2], data: weights },
    steps: { shape: [], data: Int32Array.of(7) },
  }
  const moments = {
    stateDict: () => ({
      tensors: { 'm/w': { shape: [2], data: Float64Array.of(1, Number.POSITIVE_INFINITY) } },
      attributes: { lr: 1e-3, best: Number.POSITIVE_INFINITY },
      kind: 'AdamW',
    }),
  }
  const progress = { epoch: 2, step: 70, loss: 0.5, config: { width: 2 } }
  await saveCheckpoint(at('a.ckpt'), { stateDict: () => model }, moments, progress)
  weights[2] = 4
  await saveCheckpoint(at('b.ckpt'), { stateDict: () => model }, moments, progress)
  await convertCheckpoint(at('a.ckpt'), at('a.npz'))
  const plain = {
    w: { shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) },
    n: { shape: [2], data: Int32Array.of(1, -2) },
  }
  await saveSafetensors(at('a.safetensors'), plain)
  await saveSafetensors(at('one.safetensors'), { w: plain.w })
  await saveSafetensors(at('two.safetensors'), { n: plain.n })
  const map = { w: 'one.safetensors', n: 'two.safetensors' }
  await writeFile(at('model.safetensors.index.json'), JSON.stringify({ weight_map: map }))
  await saveNpy(at('a.npy'), plain.w)
  const topology = { class_name: 'Sequential', config: { layers: [] } }
  await saveModelJson(at('model.json'), plain, { topology })
  await writeFile(at('a.pt'), pytorchFile())
  // A list that doubles in a list, forty times over.
  const doubled = Array.from({ length: 40 }, (_, i) => bytesOf(']q', i + 1, '(h', i, 'h', i, 'e'))
  const bomb = bytesOf(op.proto, '(Nq', 0, ...doubled, 't.')
  await writeFile(at('bomb.pt'), archive(bomb, {}))
  const names = await readdir(folder)
  t.deepEqual(
    FILES.filter((name) => !names.includes(name)),
    [],
  )
  return new Map(
    await Promise.all(
      names.map(async (name) => [`/files/${name}`, await readFile(at(name))] as const),
    ),
  )
}

/** What Node comes to, with the same files on a server. */
async function inNode(
  t: ExecutionContext,
  files: ReadonlyMap<string, Uint8Array>,
): Promise<object> {
  const served = await serve(t, new Uint8Array(0))
  for (const [path, bytes] of files) served.others.set(path, bytes)
  return exchange(new URL('/files/', served.url))
}

for (const browser of browsers) {
  const { name, program, needs } = browser
  const inBrowser = requires(test.serial, { what: needs, here: program !== undefined })
  inBrowser(
    `${name} reads, writes, converts and compares files of every format as Node does, from Blobs and from a server`,
    async (t) => {
      t.timeout(120_000)
      const files = await filesOf(t)
      const page = pageOf(await bundledPage('exchange-page'))
      const found = await resultOf(t, browser, '/', (path) => {
        const body = files.get(path)
        if (body !== undefined) return { type: 'application/octet-stream', body }
        return path === '/' ? page : undefined
      })
      const expected = await inNode(t, files)
      t.deepEqual(found, expected)
      // And that is what the files hold.
      t.like(expected, {
        read: { refused: ['CKPT_FOREIGN_FILE', 'pytorch.budget'] },
        converted: { 'ckpt there and back': files.get('/files/a.ckpt')!.toString('hex') },
      })
    },
  )
}

// Firefox and WebKit do the same, for seconds each: BUCKET_BROWSERS=all.
for (const browser of browsers) {
  const { name, program, needs } = browser
  if (name !== 'Chromium' && process.env.BUCKET_BROWSERS !== 'all') continue
  const withBucket = requires(test.serial, { what: needs, here: program !== undefined }, S3_SERVER)
  withBucket(
    `${name} saves to a bucket of another origin and restores from it by aws4fetch, in a page and in a worker`,
    async (t) => {
      t.timeout(120_000)
      const { endpoint, region, accessKeyId, secretAccessKey } = await s3Server()
      const { bucket } = await bucketOf('AwsClient')
      const admin = await clientOf('S3Client')
      // The rules of docs/guide/s3.md.
      const rule = {
        AllowedOrigins: ['*'],
        AllowedMethods: ['GET', 'HEAD', 'PUT', 'POST', 'DELETE'],
        AllowedHeaders: ['*'],
        ExposeHeaders: ['ETag', 'Content-Range', 'x-amz-meta-lightwatch-save'],
      }
      await admin.send(
        new PutBucketCorsCommand({ Bucket: bucket, CORSConfiguration: { CORSRules: [rule] } }),
      )
      const where = { endpoint, bucket, region, accessKeyId, secretAccessKey }
      const start = `/#${encodeURIComponent(JSON.stringify(where))}`
      const script = await bundledPage('bucket-page')
      const found = await resultOf(t, browser, start, (path) => {
        if (path === '/page.js') return { type: 'text/javascript', body: script }
        return path === '/' ? pageOf("import '/page.js'") : undefined
      })
      const expected = {
        durability: 'durable',
        refused: 'CKPT_EXISTS',
        step: 7,
        identical: true,
        replaced: 'CKPT_FILE_CHANGED',
        isAside: true,
        files: ['a.ckpt.damaged'],
        isRemoved: true,
      }
      t.deepEqual(found, { page: expected, worker: expected })
    },
  )
}
