import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import type { ManagerOptions, SavedReport } from '../../src/index.js'
import { FolderStore } from '../../src/io/file/folder-store.js'
import { RunCheckpoints } from '../../src/manager/run-checkpoints.js'
import { saveCheckpoint } from '../../src/save/save.js'
import { CheckpointManager } from '../support/built.js'
import { fileName, saveSteps, smallModel } from '../support/manager/folder-of-checkpoints.js'
import { MemoryStore } from '../support/memory-store.js'
import { flipBits, positionOf } from '../support/saved.js'
import { scratchFolder } from '../support/scratch.js'

function managed(t: ExecutionContext, store: MemoryStore, options: ManagerOptions = {}) {
  const warnings: string[] = []
  const onWarning = (message: string) => void warnings.push(message)
  const manager = new CheckpointManager(store, { onWarning, ...options })
  t.teardown(() => manager.close().catch(() => {}))
  return { manager, warnings }
}

/** Saves steps with a model whose first element is the step. */
async function train(manager: InstanceType<typeof CheckpointManager>, ...steps: number[]) {
  for (const step of steps) {
    await manager.save(smallModel(step), null, { step, loss: 1 / step })
    await manager.flush()
  }
}

const namesIn = (store: MemoryStore) => [...store.files.keys()].sort()

test('a manager in a store saves, keeps, lists and resumes as in a folder', async (t) => {
  const store = new MemoryStore()
  const reports: SavedReport[] = []
  const { manager, warnings } = managed(t, store, {
    keep: { newest: 2 },
    onSaved: (report) => reports.push(report),
  })
  t.is(manager.folder, 'memory://store')
  t.is(await manager.restoreLatest(smallModel()), null)
  await train(manager, 1, 2, 3)
  await manager.close()
  t.deepEqual(namesIn(store), [fileName(2), fileName(3)])
  t.deepEqual(
    reports.map(({ path, step, sequence }) => [path, step, sequence]),
    [1, 2, 3].map((step) => [`memory://store/${fileName(step)}`, step, step - 1]),
  )
  const { manager: next } = managed(t, store)
  t.is((await next.latest())?.path, `memory://store/${fileName(3)}`)
  t.is((await next.best({ metric: 'loss', mode: 'min' }))?.step, 3)
  const model = smallModel()
  t.like(await next.restoreLatest(model), { step: 3, path: `memory://store/${fileName(3)}` })
  t.is(model.data[0], 3)
  t.deepEqual(warnings, [])
})

test('the bytes in a store are those that a folder would hold', async (t) => {
  const store = new MemoryStore()
  const folder = await scratchFolder(t)
  for (const place of [store, folder]) {
    await using manager = new CheckpointManager(place)
    await manager.save(smallModel(7), null, { step: 7, savedAt: 5 })
  }
  t.deepEqual(
    Buffer.from(store.files.get(fileName(7))!.bytes),
    await readFile(join(folder, fileName(7))),
  )
})

test('a damaged checkpoint in a store is set aside, and the one before is restored', async (t) => {
  const store = new MemoryStore()
  const { manager, warnings } = managed(t, store)
  await train(manager, 1, 2)
  const bytes = Buffer.from(store.files.get(fileName(2))!.bytes)
  flipBits(bytes, positionOf(bytes, smallModel(2).data))
  store.put(fileName(2), bytes)
  const model = smallModel()
  const report = await manager.restoreLatest(model)
  t.like(report, { step: 1 })
  t.is(report?.skipped[0]?.movedTo, `memory://store/${fileName(2)}.damaged`)
  t.deepEqual(namesIn(store), [fileName(1), `${fileName(2)}.damaged`])
  t.regex(warnings.at(-1)!, /damaged checkpoint was skipped/)
})

test('a checkpoint that is overwritten while it is restored is read anew', async (t) => {
  const store = new MemoryStore()
  const { manager } = managed(t, store)
  await train(manager, 1)
  let opened = 0
  store.before = async (call) => {
    if (!call.startsWith('open') || ++opened !== 2) return
    // Another machine, between the listing and the load.
    store.before = () => {}
    const place = { store, name: fileName(1) }
    await saveCheckpoint(place, smallModel(55), null, { step: 1, sequence: 1 })
  }
  const { manager: other } = managed(t, store)
  const model = smallModel()
  t.is((await other.restoreLatest(model))?.step, 1)
  t.is(model.data[0], 55)
})

test('two managers on one store remove only what is theirs', async (t) => {
  const store = new MemoryStore()
  const { manager: a } = managed(t, store, { keep: { newest: 1 } })
  const { manager: b } = managed(t, store, { keep: { newest: 1 } })
  await train(a, 1)
  await train(b, 101)
  await train(a, 2)
  await train(b, 102)
  // The checkpoint of step 1 was there when the second manager began.
  t.deepEqual(namesIn(store), [fileName(2), fileName(102)])
  const { manager: next } = managed(t, store)
  t.is((await next.restoreLatest(smallModel()))?.step, 102)
})

test('a save that the store refuses is the error of the next call, and the run goes on', async (t) => {
  const store = new MemoryStore()
  const { manager, warnings } = managed(t, store)
  store.before = (call) => {
    if (call.startsWith('commit')) throw new Error('503 Slow Down')
  }
  await manager.save(smallModel(1), null, { step: 1 })
  await t.throwsAsync(manager.flush(), { message: /503/ })
  t.regex(warnings[0]!, /was not saved/)
  store.before = () => {}
  await train(manager, 2)
  t.deepEqual(namesIn(store), [fileName(2)])
})

test('progress is read once for each version, and of several files at a time', async (t) => {
  const store = new MemoryStore()
  const count = 200
  for (let step = 1; step <= count; step++) {
    await saveCheckpoint({ store, name: fileName(step) }, smallModel(step), null, { step })
  }
  let now = 0
  let most = 0
  store.before = async (call) => {
    if (!call.startsWith('open')) return
    most = Math.max(most, ++now)
    await new Promise((resolve) => setImmediate(resolve))
    now--
  }
  store.calls.length = 0
  const checkpoints = new RunCheckpoints(store)
  t.is((await checkpoints.list()).length, count)
  const opens = () => store.calls.filter((call) => call.startsWith('open'))
  t.is(opens().length, count)
  t.true(most >= 8, `${most} at once`)
  await checkpoints.list()
  t.is(opens().length, count)
  await saveCheckpoint({ store, name: fileName(9) }, smallModel(9), null, { step: 9 })
  await checkpoints.list()
  t.is(opens().length, count + 1)
  // A listing is one call, however many files there are.
  t.is(store.calls.filter((call) => call === 'list').length, 3)
})

test('a store of a folder and the folder are the same place', async (t) => {
  const folder = await scratchFolder(t)
  await saveSteps(folder, 1)
  await using manager = new CheckpointManager(new FolderStore(folder))
  t.is(manager.folder, folder)
  await train(manager, 2)
  t.deepEqual(
    (await manager.list()).map(({ path }) => path),
    [1, 2].map((step) => join(folder, fileName(step))),
  )
})
