import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import * as browser from '../../src/browser.js'
import { loadCheckpoint, restoreCheckpoint, saveCheckpoint } from '../../src/index.js'
import { FolderStore } from '../../src/io/file/folder-store.js'
import type { CheckpointStore } from '../../src/io/store.js'
import { BackgroundSaver } from '../support/built.js'
import { MemoryStore } from '../support/memory-store.js'
import { scratchFolder } from '../support/scratch.js'

const name = 'step-1.ckpt'

/** A model of one vector that begins with `value`. */
function vector(value: number, length = 3) {
  const data = new Float32Array(length).fill(value)
  return { data, stateDict: () => ({ weight: { shape: [length], data } }) }
}

/** A store of each kind: of files, and without any. */
async function storesOf(t: ExecutionContext): Promise<readonly CheckpointStore[]> {
  return [new FolderStore(join(await scratchFolder(t), 'run')), new MemoryStore()]
}

test('a location in a store is saved to, loaded from and restored from like a path', async (t) => {
  for (const store of await storesOf(t)) {
    const report = await saveCheckpoint({ store, name }, vector(5), null, { step: 1, loss: 0.5 })
    t.is((await store.stat(name))?.byteLength, report.byteLength)
    await using checkpoint = await loadCheckpoint({ store, name })
    t.is(checkpoint.step, 1)
    t.deepEqual(await checkpoint.model.get('weight').read(), Float32Array.of(5, 5, 5))
    const model = vector(0)
    t.like(await restoreCheckpoint({ store, name }, model), { step: 1, loss: 0.5, tensors: 1 })
    t.deepEqual(model.data, Float32Array.of(5, 5, 5))
  }
})

test('the entry for browsers takes locations in a store as well', async (t) => {
  const store = new MemoryStore()
  await browser.saveCheckpoint({ store, name }, vector(5), null, { step: 1 })
  const model = vector(0)
  await browser.restoreCheckpoint({ store, name }, model)
  t.deepEqual(model.data, Float32Array.of(5, 5, 5))
  t.is((await browser.loadCheckpoint({ store, name })).step, 1)
})

test('the bytes are the same in every store, in the foreground and in the background', async (t) => {
  const files: Uint8Array[] = []
  await using saver = new BackgroundSaver()
  for (const store of await storesOf(t)) {
    const read = async (name: string) => {
      const source = await store.open(name)
      const bytes = new Uint8Array(source.size)
      await source.read(bytes, 0)
      source.close()
      files.push(bytes)
    }
    await saveCheckpoint({ store, name: 'a' }, vector(5, 100_000), null, { step: 7 })
    const save = saver.save({ store, name: 'b' }, vector(5, 100_000), null, { step: 7 })
    await save!.durable
    await read('a')
    await read('b')
  }
  for (const bytes of files) t.true(Buffer.compare(bytes, files[0]!) === 0)
})

test('a background save to a store without files stages all, and writes on the caller’s thread', async (t) => {
  const store = new MemoryStore()
  await using saver = new BackgroundSaver()
  const model = vector(5, 3_000_000)
  let letGo = () => {}
  const held = new Promise<void>((resolve) => {
    letGo = resolve
  })
  store.before = (call) => (call.startsWith('write') ? held : undefined)
  const save = saver.save({ store, name }, model)!
  await save.staged
  model.data.fill(9)
  t.is(store.files.size, 0)
  letGo()
  t.is((await save.durable).durability, 'durable')
  const restored = vector(0, 3_000_000)
  await restoreCheckpoint({ store, name }, restored)
  t.true(restored.data.every((value) => value === 5))
})

test('a condition holds in the foreground and in the background, and the error names the location', async (t) => {
  await using saver = new BackgroundSaver()
  for (const store of await storesOf(t)) {
    const ifAbsent = { store, name, condition: { ifAbsent: true } } as const
    await saveCheckpoint(ifAbsent, vector(1))
    const path = store.locate(name)
    const saves = [
      () => saveCheckpoint(ifAbsent, vector(2)),
      () => saver.save(ifAbsent, vector(2))!.durable,
    ]
    for (const save of saves) {
      const error = await t.throwsAsync(save, { code: 'CKPT_EXISTS' })
      t.like(error, { path })
    }
    const { version } = (await store.stat(name))!
    const ifVersion = { store, name, condition: { ifVersion: version } }
    await saver.save(ifVersion, vector(3))!.durable
    const error = await t.throwsAsync(saveCheckpoint(ifVersion, vector(4)), {
      code: 'CKPT_FILE_CHANGED',
    })
    t.like(error, { path })
    t.deepEqual(
      await (await loadCheckpoint({ store, name })).model.get('weight').read(),
      Float32Array.of(3, 3, 3),
    )
    t.is((await store.list()).length, 1)
  }
})

test('a load with a version opens that version or none', async (t) => {
  for (const store of await storesOf(t)) {
    await saveCheckpoint({ store, name }, vector(1))
    const { version } = (await store.stat(name))!
    ;(await loadCheckpoint({ store, name, version })).close()
    await saveCheckpoint({ store, name }, vector(2))
    const error = await t.throwsAsync(loadCheckpoint({ store, name, version }), {
      code: 'CKPT_FILE_CHANGED',
    })
    t.like(error, { path: store.locate(name) })
  }
})

test('a missing checkpoint is CKPT_READ with its location', async (t) => {
  for (const store of await storesOf(t)) {
    for (const read of [
      () => loadCheckpoint({ store, name }),
      () => restoreCheckpoint({ store, name }, vector(0)),
    ]) {
      t.like(await t.throwsAsync(read, { code: 'CKPT_READ' }), { path: store.locate(name) })
    }
  }
})

test('a save that fails leaves a folder as it was, whatever the condition', async (t) => {
  const folder = await scratchFolder(t)
  const store = new FolderStore(folder)
  const broken = { stateDict: () => ({ a: { shape: [3], data: async () => Promise.reject(1) } }) }
  for (const condition of [undefined, { ifAbsent: true } as const]) {
    await t.throwsAsync(saveCheckpoint({ store, name, condition }, broken as never), { any: true })
  }
  t.deepEqual(await readdir(folder), [])
})

test('a store without a name is a TypeError that says what to pass', async (t) => {
  const store = new MemoryStore()
  await t.throwsAsync(saveCheckpoint(store as never, vector(1)), {
    instanceOf: TypeError,
    message: /\{ store, name/,
  })
  await t.throwsAsync(saveCheckpoint({ store, name: 'a/b' }, vector(1)), { instanceOf: TypeError })
})
