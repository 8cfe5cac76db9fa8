import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import ava from 'ava'
import { viewedPlace } from '../../src/cli/view/places.js'
import { serveView } from '../../src/cli/view/server.js'
import { loadCheckpoint } from '../../src/index.js'
import { S3Store } from '../../src/io/s3/s3-store.js'
import { saveCheckpoint } from '../../src/save/save.js'
import { runFake } from '../support/cli/fake-terminal.js'
import { memoryState } from '../support/memory-state.js'
import { requires } from '../support/requires.js'
import { bucketOf, clientOf, s3Server } from '../support/s3/bucket.js'
import { S3_SERVER } from '../support/s3/server-need.js'
import { flipBits, inMemory } from '../support/saved.js'

const test = requires(ava, S3_SERVER)

const weights = (value: number) => memoryState({ w: new Float32Array(1000).fill(value) })

/** A bucket with two checkpoints, and the environment of the SDK for its server. */
async function run() {
  const { environment, endpoint } = await s3Server()
  Object.assign(process.env, environment)
  const api = await bucketOf('AwsClient')
  const client = await clientOf('AwsClient')
  const store = new S3Store({ client, bucket: api.bucket, prefix: 'runs/a b', endpoint })
  for (const step of [1, 2]) {
    await saveCheckpoint({ store, name: `step-${step}.ckpt` }, weights(step), null, { step })
  }
  return { api, store, folder: store.path }
}

test('inspect, verify, diff and log take objects of a bucket', async (t) => {
  const { folder } = await run()
  const inspected = await runFake(['inspect', `${folder}/step-2.ckpt`, '--json'])
  t.like(JSON.parse(inspected.out), { file: `${folder}/step-2.ckpt`, step: 2 })
  const verified = await runFake(['verify', `${folder}/step-1.ckpt`, `${folder}/step-2.ckpt`])
  t.is(verified.code, 0, verified.out)
  t.regex(verified.out, /^s3:\/\/.*step-1\.ckpt: ok.*\n.*step-2\.ckpt: ok/)
  const different = await runFake(['diff', `${folder}/step-1.ckpt`, `${folder}/step-2.ckpt`])
  t.regex(different.out, /w/)
  t.is(different.code, 0)
  const logged = await runFake(['log', `${folder}/`, '--json'])
  t.like(JSON.parse(logged.out), {
    checkpoints: [
      { step: 1, file: `${folder}/step-1.ckpt` },
      { step: 2, file: `${folder}/step-2.ckpt` },
    ],
  })
  t.regex((await runFake(['log', folder])).out, /step-1\.ckpt .*\n.*step-2\.ckpt /)
})

test('the page of ckpt view reads a run in a bucket, or one object of it', async (t) => {
  const { folder } = await run()
  for (const [location, names] of [
    [folder, ['step-1.ckpt', 'step-2.ckpt']],
    [`${folder}/step-2.ckpt`, ['step-2.ckpt']],
  ] as const) {
    const place = await viewedPlace(location)
    t.deepEqual(
      (await place.list()).map(({ name }) => name),
      names,
    )
    const server = await serveView(place, '<title>page</title>')
    t.teardown(() => server.close())
    const checkpoint = await loadCheckpoint(new URL(`${server.url}files/step-2.ckpt`))
    t.is(checkpoint.step, 2)
    await checkpoint.verify()
    checkpoint.close()
  }
})

test('convert goes from a bucket into a bucket, to every format and back', async (t) => {
  const { store, folder } = await run()
  const state = memoryState({ w: new Float32Array(3_000_000).fill(3), b: new Int8Array(3) })
  await saveCheckpoint({ store, name: 'long.ckpt' }, state, null, { step: 1 })
  const at = (name: string): string => `${folder}/${name}`
  for (const ending of ['safetensors', 'npz']) {
    const there = await runFake(['convert', at('long.ckpt'), at(`long.${ending}`)])
    t.like(there, { code: 0, err: '' })
    const back = await runFake(['convert', at(`long.${ending}`), at('back.ckpt')])
    t.like(back, { code: 0, err: '' })
    const compared = await runFake(['diff', at('long.ckpt'), at('back.ckpt'), '--exit-code'])
    t.like(compared, { code: 0, err: '' })
  }
  const missing = await runFake(['convert', at('none.ckpt'), at('x.npz')])
  t.is(missing.code, 1)
  t.regex(missing.err, /s3:\/\/.*none\.ckpt.*no such object/)
})

test('latest prints the newest valid object below a prefix', async (t) => {
  const { api, folder } = await run()
  const printed = await runFake(['latest', folder])
  t.deepEqual(printed, { code: 0, out: `${folder}/step-2.ckpt\n`, err: '' })
  const Body = await inMemory(weights(1), null, { step: 9 })
  flipBits(Body, Body.byteLength - 5)
  await api.send('PutObject', { Key: 'runs/a b/step-9.ckpt', Body })
  const { out, err } = await runFake(['latest', `${folder}/`])
  t.is(out, `${folder}/step-2.ckpt\n`)
  t.regex(err, /step-9\.ckpt: passed over/)
  t.is((await runFake(['latest', `${folder}/nothing`])).code, 1)
})

test('damage in a bucket, a missing object and a missing bucket are told apart', async (t) => {
  const { api, folder } = await run()
  const Body = await inMemory(weights(1))
  flipBits(Body, Body.byteLength - 5)
  await api.send('PutObject', { Key: 'runs/a b/bad.ckpt', Body })
  const damaged = await runFake(['verify', `${folder}/bad.ckpt`, '--json'])
  t.is(damaged.code, 1)
  t.like(JSON.parse(damaged.out), { files: [{ verdict: 'damaged' }] })
  const missing = await runFake(['verify', `${folder}/none.ckpt`])
  t.is(missing.code, 1)
  t.regex(missing.out, /no such object/)
  const elsewhere = await runFake(['log', 's3://no-such-bucket/run'])
  t.is(elsewhere.code, 1)
  t.regex(elsewhere.err, /NoSuchBucket/)
  t.regex((await runFake(['inspect', 's3://bucket'])).err, /expected s3:\/\/bucket\/key/)
  for (const command of ['inspect', 'log', 'latest']) {
    const { code, err } = await runFake([command, 's3:///run'])
    t.is(code, 1)
    t.regex(err, /expected s3:\/\/bucket\/key, found no bucket in "s3:\/\/\/run"/)
  }
})

test('without the client of the AWS SDK, the error says what to install', async (t) => {
  const hook = `export async function resolve(name, context, next) {
    if (name !== '@aws-sdk/client-s3') return next(name, context)
    throw Object.assign(new Error('not found'), { code: 'ERR_MODULE_NOT_FOUND' })
  }`
  const register = `import { register } from 'node:module'
    register("data:text/javascript,${encodeURIComponent(hook)}")`
  const main = fileURLToPath(new URL('../../dist/src/cli/main.js', import.meta.url))
  const flag = `--import=data:text/javascript,${encodeURIComponent(register)}`
  const error = (await t.throwsAsync(
    promisify(execFile)(process.execPath, [flag, main, 'inspect', 's3://bucket/a.ckpt']),
  )) as Error & { stderr: string }
  t.regex(error.stderr, /npm install @aws-sdk\/client-s3/)
})
