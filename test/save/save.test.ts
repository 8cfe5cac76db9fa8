import * as fs from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import test from 'ava'
import type { CheckpointError } from '../../src/errors.js'
import { MemorySink } from '../../src/io/memory-sink.js'
import { loadCheckpoint } from '../../src/load/load.js'
import { saveCheckpoint } from '../../src/save/save.js'
import type { Module } from '../../src/state.js'
import { memoryState } from '../support/memory-state.js'
import { scratchFolder } from '../support/scratch.js'
import { createRun } from '../support/trainer/run.js'

const w = Float32Array.of(1, 2, 3)
const model = memoryState({ w, tied: w, empty: new Int8Array(0) })

test('a save tells what it has written, and how well it lies there', async (t) => {
  const path = join(await scratchFolder(t), 'a.ckpt')
  const report = await saveCheckpoint(path, model)
  t.deepEqual(report, {
    byteLength: (await fs.stat(path)).size,
    tensors: 3,
    durability: process.platform === 'win32' ? 'file-only' : 'durable',
  })
})

test('a save that is not to be durable says so, and is the same file', async (t) => {
  const folder = await scratchFolder(t)
  const [one, other] = [join(folder, 'one.ckpt'), join(folder, 'other.ckpt')]
  await saveCheckpoint(one, model)
  t.is((await saveCheckpoint(other, model, null, { durable: false })).durability, 'none')
  t.true((await fs.readFile(other)).equals(await fs.readFile(one)))
})

test('the same state makes the same bytes, at any path and in memory', async (t) => {
  const folder = await scratchFolder(t)
  const { model, optimizer, sampler, rng } = createRun()
  const options = { epoch: 1, step: 2, loss: 0.5, config: { a: 1 }, extras: { sampler, rng } }
  const files: Buffer[] = []
  for (const name of ['one.ckpt', 'another one.ckpt', 'one.ckpt']) {
    await saveCheckpoint(join(folder, name), model, optimizer, options)
    files.push(await fs.readFile(join(folder, name)))
  }
  const sink = new MemorySink()
  t.is((await saveCheckpoint(sink, model, optimizer, options)).durability, 'none')
  for (const file of [...files, sink.bytes]) t.true(Buffer.compare(file, files[0]!) === 0)
  // And another one makes others.
  await saveCheckpoint(sink, model, optimizer, { ...options, step: 3 })
  t.notDeepEqual(Buffer.from(sink.bytes), files[0])
})

test('a path may be a file: URL, and folders that are missing are made', async (t) => {
  const path = join(await scratchFolder(t), 'runs', 'größe 100%', 'a.ckpt')
  await saveCheckpoint(pathToFileURL(path), model)
  await using checkpoint = await loadCheckpoint(path)
  t.deepEqual(checkpoint.model.get('w').data, w)
})

test('an invalid destination is refused before the state is requested', async (t) => {
  let asked = false
  const model: Module = {
    stateDict() {
      asked = true
      return {}
    },
  }
  for (const to of ['', 'a\0b', new URL('https://example.org'), 3, null, undefined, {}]) {
    await t.throwsAsync(saveCheckpoint(to as string, model), { instanceOf: TypeError })
  }
  t.false(asked)
})

test('an invalid model is refused, and nothing is created for it', async (t) => {
  const folder = await scratchFolder(t)
  const path = join(folder, 'runs', 'a.ckpt')
  const wrong = memoryState({ w: { shape: [4], data: w } })
  await t.throwsAsync(saveCheckpoint(path, undefined as unknown as Module), {
    instanceOf: TypeError,
    message: /^model must have a stateDict\(\) method/,
  })
  await t.throwsAsync(saveCheckpoint(path, wrong), {
    instanceOf: RangeError,
    message: /^the tensor "w" of model: expected 16 bytes/,
  })
  await t.throwsAsync(saveCheckpoint(path, model, wrong), {
    instanceOf: RangeError,
    message: /^the tensor "w" of optimizer: expected 16 bytes/,
  })
  await t.throwsAsync(saveCheckpoint(path, model, null, { epoch: 0.5 }), { instanceOf: RangeError })
  t.deepEqual(await fs.readdir(folder), [])
})

test('an error of the disk names the path as it was given', async (t) => {
  const folder = await scratchFolder(t)
  const error = await t.throwsAsync<CheckpointError>(saveCheckpoint(folder, model), {
    code: 'CKPT_NOT_COMMITTED',
  })
  t.is(error?.path, folder)
  t.true(error?.message.startsWith(`"${folder}": nothing was saved`))
})

test('a save that was aborted before it began asks for nothing and rejects with the reason', async (t) => {
  const folder = await scratchFolder(t)
  const reason = new Error('not now')
  const asked: Module = {
    stateDict() {
      t.fail('the state was asked for')
      return {}
    },
  }
  const saving = saveCheckpoint(join(folder, 'a.ckpt'), asked, null, {
    signal: AbortSignal.abort(reason),
  })
  t.is(await t.throwsAsync(saving), reason)
  t.deepEqual(await fs.readdir(folder), [])
})

test('saves of different states at the same time do not get in each other’s way', async (t) => {
  const folder = await scratchFolder(t)
  const states = Array.from({ length: 8 }, (_, i) => new Float64Array(100_000).fill(i))
  await Promise.all(
    states.map((data, i) => saveCheckpoint(join(folder, `${i}.ckpt`), memoryState({ data }))),
  )
  for (const [i, data] of states.entries()) {
    await using checkpoint = await loadCheckpoint(join(folder, `${i}.ckpt`))
    t.deepEqual(checkpoint.model.get('data').data, data)
  }
  t.is((await fs.readdir(folder)).length, 8)
})

test('saves to one path at the same time leave the whole of one of them', async (t) => {
  const folder = await scratchFolder(t)
  const path = join(folder, 'a.ckpt')
  const states = Array.from({ length: 8 }, (_, i) => new Float64Array(100_000 + i).fill(i))
  await Promise.all(
    states.map((data, i) => saveCheckpoint(path, memoryState({ data }), null, { step: i })),
  )
  await using checkpoint = await loadCheckpoint(path)
  await checkpoint.verify()
  t.deepEqual(checkpoint.model.get('data').data, states[checkpoint.step]!)
  t.deepEqual(await fs.readdir(folder), ['a.ckpt'])
})

test('a checkpoint that is mapped can be saved over itself', async (t) => {
  const path = join(await scratchFolder(t), 'a.ckpt')
  await saveCheckpoint(path, model)
  await using checkpoint = await loadCheckpoint(path)
  await saveCheckpoint(path, { stateDict: () => checkpoint.model }, null, { step: 1 })
  await using saved = await loadCheckpoint(path)
  t.is(saved.step, 1)
  t.deepEqual(saved.model.get('w').data, w)
  t.deepEqual(checkpoint.model.get('w').data, w)
})

test('a save of a checkpoint that is closed in the middle of it is refused', async (t) => {
  const folder = await scratchFolder(t)
  const big = new Float32Array(5 * 2 ** 20)
  await saveCheckpoint(join(folder, 'a.ckpt'), memoryState({ big, w }))
  for (const map of [true, false]) {
    const checkpoint = await loadCheckpoint(join(folder, 'a.ckpt'), { map })
    const saving = saveCheckpoint(
      join(folder, 'b.ckpt'),
      { stateDict: () => checkpoint.model },
      null,
      {
        onProgress: () => checkpoint.close(),
      },
    )
    await t.throwsAsync(saving, { code: 'CKPT_CLOSED' })
  }
  t.deepEqual(await fs.readdir(folder), ['a.ckpt'])
})

test('a path that ends like a folder is a TypeError, and nothing is created', async (t) => {
  const folder = await scratchFolder(t)
  const model = { stateDict: () => ({ w: { shape: [1], data: Float32Array.of(1) } }) }
  await t.throwsAsync(saveCheckpoint(join(folder, 'runs/'), model), {
    instanceOf: TypeError,
    message: /names a folder/,
  })
  t.deepEqual(await fs.readdir(folder), [])
})

test.serial('a relative path is that of the folder at the time of the call', async (t) => {
  const folder = await scratchFolder(t)
  const [one, two] = [join(folder, 'one'), join(folder, 'two')]
  await Promise.all([fs.mkdir(one), fs.mkdir(two)])
  const before = process.cwd()
  t.teardown(() => process.chdir(before))
  process.chdir(one)
  const late = {
    async stateDict() {
      process.chdir(two)
      return model.stateDict()
    },
  }
  await saveCheckpoint('a.ckpt', late)
  t.deepEqual(await fs.readdir(one), ['a.ckpt'])
  t.deepEqual(await fs.readdir(two), [])
  const error = await t.throwsAsync<CheckpointError>(saveCheckpoint('.', model), {
    code: 'CKPT_NOT_COMMITTED',
  })
  t.is(error?.path, '.', 'named as it was given')
})

test('a state that changes in the same turn of the event loop is saved as it was at the call', async (t) => {
  const path = join(await scratchFolder(t), 'a.ckpt')
  const data = Float32Array.of(1, 2)
  const saving = saveCheckpoint(path, memoryState({ data }, { step: 1 }))
  data.fill(9)
  await saving
  await using checkpoint = await loadCheckpoint(path)
  t.deepEqual(checkpoint.model.get('data').data, Float32Array.of(1, 2))
})
