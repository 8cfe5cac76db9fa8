import { readdir, readFile, stat, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { type LoadOptions, loadCheckpoint } from '../../src/load/load.js'
import { restoreCheckpoint } from '../../src/restore/restore.js'
import { type Served, serve } from '../support/http-server.js'
import { memoryState } from '../support/memory-state.js'
import { flipBits, inMemory, positionOf } from '../support/saved.js'
import { scratchFolder } from '../support/scratch.js'

const weights = (value: number) => new Float32Array(100_000).fill(value).map((x, i) => x + i)
const checkpointOf = (value: number) =>
  inMemory(memoryState({ w: weights(value) }), null, { step: value })

/** Loads and restores by way of a cache; returns the requests that this took. */
async function requestsOf(
  t: ExecutionContext,
  served: Served,
  cache: LoadOptions['cache'],
  value: number,
) {
  const before = served.requests.length
  await using checkpoint = await loadCheckpoint(served.url, { cache })
  const w = new Float32Array(100_000)
  await restoreCheckpoint(checkpoint, memoryState({ w }))
  t.is(Buffer.compare(Buffer.from(w.buffer), Buffer.from(weights(value).buffer)), 0)
  return served.requests.length - before
}

const copiesIn = async (folder: string) =>
  (await readdir(folder)).filter((name) => name.endsWith('.ckpt')).sort()

test('a file is downloaded once for each of its versions', async (t) => {
  const folder = join(await scratchFolder(t), 'new', 'cache')
  const served = await serve(t, await checkpointOf(1))
  t.true((await requestsOf(t, served, folder, 1)) > 1)
  t.is(await requestsOf(t, served, folder, 1), 1)
  served.bytes = await checkpointOf(2)
  served.etag = '"2"'
  t.true((await requestsOf(t, served, folder, 2)) > 1)
  t.is((await copiesIn(folder)).length, 2)
})

test('tensors of a copy are there at once, as those of a file are', async (t) => {
  const served = await serve(t, await checkpointOf(1))
  await using checkpoint = await loadCheckpoint(served.url, { cache: await scratchFolder(t) })
  const { data } = checkpoint.model.get('w')
  t.is(data[5], 6)
})

test('a copy that this disk has damaged is downloaded again, and the file is not blamed', async (t) => {
  const folder = await scratchFolder(t)
  const served = await serve(t, await checkpointOf(1))
  await requestsOf(t, served, folder, 1)
  const [name] = await copiesIn(folder)
  const path = join(folder, name!)
  for (const damage of [
    (bytes: Buffer) => flipBits(bytes, positionOf(bytes, weights(1)) + 1000),
    (bytes: Buffer) => flipBits(bytes, 30),
    (bytes: Buffer) => bytes.fill(0, bytes.byteLength / 2),
  ]) {
    const bytes = await readFile(path)
    damage(bytes)
    await writeFile(path, bytes)
    t.true((await requestsOf(t, served, folder, 1)) > 1)
    t.is(await requestsOf(t, served, folder, 1), 1)
  }
  await writeFile(path, 'short')
  t.true((await requestsOf(t, served, folder, 1)) > 1)
})

test('a damaged file on the server is an error each time, with the tensor', async (t) => {
  const folder = await scratchFolder(t)
  const bytes = await checkpointOf(1)
  flipBits(bytes, positionOf(bytes, weights(1)) + 1000)
  const served = await serve(t, bytes)
  for (let i = 0; i < 2; i++) {
    await using checkpoint = await loadCheckpoint(served.url, { cache: folder })
    const model = memoryState({ w: new Float32Array(100_000) })
    await t.throwsAsync(restoreCheckpoint(checkpoint, model), { code: 'CKPT_TENSOR_CHECKSUM' })
  }
})

test('copies that were not used for the longest time make room, and other files stay', async (t) => {
  const folder = await scratchFolder(t)
  await writeFile(join(folder, 'step-1.ckpt'), 'not a copy')
  const { byteLength } = await checkpointOf(1)
  const cache = { folder, maxBytes: 2.5 * byteLength }
  const servers = await Promise.all([1, 2, 3].map(async (n) => serve(t, await checkpointOf(n))))
  const [first, second, third] = servers as [Served, Served, Served]
  // Two uses within one tick of the file system's clock, some milliseconds, have the same time.
  const age = async () => {
    for (const name of await readdir(folder)) {
      const path = join(folder, name)
      const { mtimeMs } = await stat(path)
      await utimes(path, (mtimeMs - 60_000) / 1000, (mtimeMs - 60_000) / 1000)
    }
  }
  await requestsOf(t, first, cache, 1)
  await age()
  await requestsOf(t, second, cache, 2)
  await age()
  t.is(await requestsOf(t, first, cache, 1), 1)
  await age()
  await requestsOf(t, third, cache, 3)
  await age()
  t.is(await requestsOf(t, first, cache, 1), 1)
  t.true((await requestsOf(t, second, cache, 2)) > 1)
  t.true((await copiesIn(folder)).includes('step-1.ckpt'))
  t.is((await copiesIn(folder)).length, 3)
  t.true((await requestsOf(t, third, { folder, maxBytes: 0 }, 3)) > 1)
  t.is((await copiesIn(folder)).length, 2)
})

test('several loads at once get the whole file each, and leave one copy', async (t) => {
  const folder = await scratchFolder(t)
  const served = await serve(t, await checkpointOf(1))
  await Promise.all(Array.from({ length: 4 }, () => requestsOf(t, served, folder, 1)))
  t.is((await copiesIn(folder)).length, 1)
  t.is((await readdir(folder)).length, 2)
})

test('a server that tells no versions apart is read without a copy, with a warning', async (t) => {
  const folder = await scratchFolder(t)
  const served = await serve(t, await checkpointOf(1))
  const warnings: string[] = []
  const keep = ({ message }: Error) => warnings.push(message)
  process.on('warning', keep)
  for (const etag of [undefined, 'W/"1"']) {
    served.etag = etag
    await requestsOf(t, served, folder, 1)
  }
  await new Promise(setImmediate)
  process.off('warning', keep)
  t.deepEqual(await readdir(folder), [])
  t.is(warnings.filter((text) => text.includes('ETag')).length, 2)
})

test('a file that changes during the download leaves no copy', async (t) => {
  const folder = await scratchFolder(t)
  const served = await serve(t, await checkpointOf(1))
  served.fault = (request) => {
    if (request === 1) served.etag = '"2"'
    return undefined
  }
  await t.throwsAsync(loadCheckpoint(served.url, { cache: folder }), { code: 'CKPT_FILE_CHANGED' })
  t.deepEqual(await readdir(folder), [])
})

test('a folder that cannot be written is an error that says what to do', async (t) => {
  const file = join(await scratchFolder(t), 'file')
  await writeFile(file, '')
  const served = await serve(t, await checkpointOf(1))
  const error = await t.throwsAsync(loadCheckpoint(served.url, { cache: join(file, 'cache') }), {
    code: 'CKPT_READ',
  })
  t.regex(error.message, /cache/)
  t.is((error as { path?: string }).path, served.url.href)
  for (const cache of [1, { folder: 1 }, {}] as never[]) {
    await t.throwsAsync(loadCheckpoint(served.url, { cache }), { instanceOf: TypeError })
  }
  const cache = { folder: file, maxBytes: -1 }
  await t.throwsAsync(loadCheckpoint(served.url, { cache }), { instanceOf: RangeError })
})
