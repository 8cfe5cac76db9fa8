import { readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import type { ManagerOptions } from '../../src/index.js'
import { CheckpointManager } from '../support/built.js'
import {
  damage,
  fileName,
  saveSteps,
  smallModel,
} from '../support/manager/folder-of-checkpoints.js'
import { MemoryStore } from '../support/memory-store.js'
import { counted } from '../support/patterns.js'
import { scratchFolder } from '../support/scratch.js'

type Manager = InstanceType<typeof CheckpointManager>

function managed(
  t: ExecutionContext,
  folder: string,
  mirror: ManagerOptions['mirror'],
  options: ManagerOptions = {},
) {
  const warnings: string[] = []
  const onWarning = (message: string) => void warnings.push(message)
  const manager = new CheckpointManager(folder, { onWarning, mirror, ...options })
  t.teardown(() => manager.close().catch(() => {}))
  return { manager, warnings }
}

async function train(manager: Manager, ...steps: number[]) {
  for (const step of steps) {
    await manager.save(smallModel(step), null, { step, loss: 1 / step })
    await manager.flush()
  }
}

const namesIn = (store: MemoryStore) => [...store.files.keys()].sort()
const names = (...steps: number[]) => steps.map(fileName)

/** Resolves when `condition` holds. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5))
}

/** Calls of a kind that the mirror holds up until they are let go of. */
function held(store: MemoryStore, kind: string) {
  let release = () => {}
  const released = new Promise<void>((resolve) => {
    release = resolve
  })
  store.before = (call) => (call.startsWith(kind) ? released : undefined)
  return () => {
    store.before = () => {}
    release()
  }
}

test('each durable checkpoint is copied to the mirror as the same bytes, and close waits for it', async (t) => {
  const folder = await scratchFolder(t)
  const mirror = new MemoryStore()
  const { manager, warnings } = managed(t, folder, mirror)
  await train(manager, 1, 2)
  await manager.close()
  t.deepEqual(namesIn(mirror), names(1, 2))
  for (const name of names(1, 2)) {
    t.deepEqual(Buffer.from(mirror.files.get(name)!.bytes), await readFile(join(folder, name)))
  }
  t.deepEqual(manager.unmirrored, [])
  t.deepEqual(warnings, [])
})

test('a checkpoint of several pieces arrives whole', async (t) => {
  const folder = await scratchFolder(t)
  const mirror = new MemoryStore()
  const { manager } = managed(t, folder, mirror)
  const data = counted(2_500_000)
  await manager.save({ stateDict: () => ({ w: { shape: [data.length], data } }) }, null, {
    step: 1,
  })
  await manager.close()
  const bytes = await readFile(join(folder, fileName(1)))
  t.is(Buffer.compare(Buffer.from(mirror.files.get(fileName(1))!.bytes), bytes), 0)
})

test('an upload holds up neither the training nor a flush', async (t) => {
  const folder = await scratchFolder(t)
  const mirror = new MemoryStore()
  const { manager } = managed(t, folder, mirror)
  const letGo = held(mirror, 'commit')
  await train(manager, 1, 2, 3)
  t.deepEqual(namesIn(mirror), [])
  t.deepEqual(
    manager.unmirrored,
    names(1, 2, 3).map((name) => join(folder, name)),
  )
  letGo()
  await manager.close()
  t.deepEqual(namesIn(mirror), names(1, 2, 3))
})

test('each place has its own rules, and a file that waits for its upload stays until then', async (t) => {
  const folder = await scratchFolder(t)
  const store = new MemoryStore()
  const { manager } = managed(t, folder, { store, keep: 'all' }, { keep: { newest: 1 } })
  const letGo = held(store, 'commit')
  await train(manager, 1, 2, 3)
  t.deepEqual((await readdir(folder)).sort(), names(1, 2, 3))
  letGo()
  await manager.close()
  t.deepEqual(namesIn(store), names(1, 2, 3))
  t.deepEqual(await readdir(folder), names(3))
})

test('without rules of its own the mirror has those of the folder', async (t) => {
  const folder = await scratchFolder(t)
  const mirror = new MemoryStore()
  const { manager } = managed(t, folder, mirror, { keep: { newest: 2 } })
  await train(manager, 1, 2, 3, 4)
  await manager.close()
  t.deepEqual(namesIn(mirror), names(3, 4))
  t.deepEqual((await readdir(folder)).sort(), names(3, 4))
})

test('if uploads are slower than saves, only a few files wait for them in the folder', async (t) => {
  const folder = await scratchFolder(t)
  const store = new MemoryStore()
  const { manager } = managed(t, folder, { store, keep: 'all' }, { keep: { newest: 1 } })
  const letGo = held(store, 'commit')
  await train(manager, ...Array.from({ length: 12 }, (_, i) => i + 1))
  t.true((await readdir(folder)).length <= 6)
  letGo()
  await manager.close()
  t.true(store.files.has(fileName(12)))
  t.deepEqual(await readdir(folder), names(12))
})

test('if uploads are slower than saves, the newest comes next, and the rules hold in the end', async (t) => {
  const folder = await scratchFolder(t)
  const store = new MemoryStore()
  const { manager } = managed(t, folder, { store, keep: { newest: 2 } }, { keep: { newest: 3 } })
  const letGo = held(store, 'commit')
  await train(manager, 1, 2, 3, 4, 5)
  letGo()
  await manager.close()
  const commits = store.calls.filter((call) => call.startsWith('commit'))
  t.deepEqual(
    commits.slice(0, 3),
    names(1, 5, 4).map((name) => `commit ${name}`),
  )
  t.deepEqual(namesIn(store), names(4, 5))
  t.deepEqual((await readdir(folder)).sort(), names(3, 4, 5))
})

test('a mirror that fails is a warning, and what it lacks comes with the next checkpoint', async (t) => {
  const folder = await scratchFolder(t)
  const mirror = new MemoryStore()
  const { manager, warnings } = managed(t, folder, mirror)
  mirror.before = () => {
    throw new Error('no network')
  }
  await train(manager, 1, 2, 3)
  await until(() => warnings.filter((text) => /no network/.test(text)).length >= 3)
  t.true(warnings.some((text) => /was not copied to the mirror/.test(text)))
  t.is(manager.unmirrored.length, 3)
  mirror.before = () => {}
  await train(manager, 4)
  await until(() => manager.unmirrored.length === 0)
  t.deepEqual(namesIn(mirror), names(1, 2, 3, 4))
  await manager.close()
})

test('close tries once more, and does not fail if the mirror does', async (t) => {
  const folder = await scratchFolder(t)
  const mirror = new MemoryStore()
  const { manager, warnings } = managed(t, folder, mirror)
  mirror.before = (call) => {
    if (call.startsWith('commit')) throw new Error('no network')
  }
  await train(manager, 1)
  await until(() => warnings.length > 0)
  await manager.close()
  t.is(warnings.length, 2)
  t.deepEqual(manager.unmirrored, [join(folder, fileName(1))])
})

test('a run resumes on an empty folder from the mirror, and its numbers go on', async (t) => {
  const mirror = new MemoryStore()
  const first = managed(t, await scratchFolder(t), mirror, { keep: { newest: 2 } })
  await train(first.manager, 1, 2, 3)
  await first.manager.close()
  const folder = await scratchFolder(t)
  const { manager, warnings } = managed(t, folder, mirror, { keep: { newest: 2 } })
  const model = smallModel()
  t.like(await manager.restoreLatest(model), { step: 3, path: `memory://store/${fileName(3)}` })
  t.is(model.data[0], 3)
  await train(manager, 4)
  await manager.close()
  t.is((await manager.latest())?.sequence, 3)
  t.deepEqual(namesIn(mirror), names(3, 4))
  t.deepEqual(warnings, [])
})

test('a run without a resume counts on from the mirror as well', async (t) => {
  const mirror = new MemoryStore()
  const first = managed(t, await scratchFolder(t), mirror)
  await train(first.manager, 1, 2)
  await first.manager.close()
  const { manager } = managed(t, await scratchFolder(t), mirror)
  await train(manager, 1)
  t.is((await manager.latest())?.sequence, 2)
})

test('the newer good checkpoint of both places is restored', async (t) => {
  const folder = await scratchFolder(t)
  const mirror = new MemoryStore()
  const before = managed(t, folder, mirror)
  await train(before.manager, 1, 2)
  await before.manager.close()
  const restored = async () => {
    const { manager } = managed(t, folder, mirror)
    const report = await manager.restoreLatest(smallModel())
    return [report?.step, report?.path.startsWith('memory:')]
  }
  t.deepEqual(await restored(), [2, false], 'the folder, of two equal ones')
  await damage(folder, 2)
  t.deepEqual(await restored(), [2, true], 'the good one of the mirror')
  t.deepEqual((await readdir(folder)).sort(), [fileName(1), `${fileName(2)}.damaged`])
  mirror.files.delete(fileName(2))
  t.deepEqual(await restored(), [1, false])
})

test('a checkpoint that the mirror lacks is copied after a resume from it', async (t) => {
  const folder = await scratchFolder(t)
  const mirror = new MemoryStore()
  const { manager: alone } = managed(t, folder, undefined)
  await train(alone, 1, 2)
  await alone.close()
  const { manager } = managed(t, folder, mirror)
  t.is((await manager.restoreLatest(smallModel()))?.step, 2)
  await manager.close()
  t.deepEqual(namesIn(mirror), names(2))
})

test('a mirror that cannot be read is a warning if the folder has a checkpoint, and an error if not', async (t) => {
  const folder = await scratchFolder(t)
  const mirror = new MemoryStore()
  mirror.before = () => {
    throw new Error('no network')
  }
  await saveSteps(folder, 5)
  const { manager, warnings } = managed(t, folder, mirror)
  t.is((await manager.restoreLatest(smallModel()))?.step, 5)
  t.regex(warnings[0]!, /resumes from the folder alone: the mirror .* \(no network\)/)
  await rm(join(folder, fileName(5)))
  const empty = managed(t, folder, mirror)
  await t.throwsAsync(empty.manager.restoreLatest(smallModel()), {
    code: 'CKPT_READ',
    message: /the folder has no checkpoint, and the mirror/,
  })
})

test('a step that is saved again is copied again', async (t) => {
  const folder = await scratchFolder(t)
  const mirror = new MemoryStore()
  const { manager } = managed(t, folder, mirror)
  await train(manager, 1, 2)
  await until(() => manager.unmirrored.length === 0)
  await manager.save(smallModel(100), null, { step: 1, force: true })
  await manager.close()
  const bytes = await readFile(join(folder, fileName(1)))
  t.deepEqual(Buffer.from(mirror.files.get(fileName(1))!.bytes), bytes)
})

test('options of a mirror that are wrong are refused', async (t) => {
  const folder = await scratchFolder(t)
  const store = new MemoryStore()
  for (const mirror of [
    's3://bucket',
    {},
    { store: 1 },
    { store, keep: { newest: 0 } },
    { store, kept: 'all' },
  ]) {
    t.throws(() => new CheckpointManager(folder, { mirror } as never), {
      any: true,
      message: /mirror|store|newest|kept/,
    })
  }
})
