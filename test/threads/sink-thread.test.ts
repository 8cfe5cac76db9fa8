import { once } from 'node:events'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { loadCheckpoint } from '../../src/index.js'
import { BackgroundSaver } from '../support/built.js'
import { scratchFolder } from '../support/scratch.js'
import { watchThreads } from '../support/threads.js'

const threads = watchThreads()

const model = { stateDict: () => ({ w: { shape: [4], data: new Float32Array(4) } }) }

test.serial(
  'when the thread dies, the save fails, nothing is left, and the next one works',
  async (t) => {
    const folder = await scratchFolder(t)
    await using saver = new BackgroundSaver()
    let fetching = (): void => {}
    const fetchingBegan = new Promise<void>((resolve) => {
      fetching = resolve
    })
    let bring = (_data: Float32Array): void => {}
    const brought = new Promise<Float32Array>((resolve) => {
      bring = resolve
    })
    const held = {
      stateDict: () => ({
        w: {
          dtype: 'float32' as const,
          shape: [4],
          data: () => {
            fetching()
            return brought
          },
        },
      }),
    }
    const save = saver.save(join(folder, 'a.ckpt'), held)!
    const failed = t.throwsAsync(save.durable, { code: 'CKPT_NOT_COMMITTED' })
    await fetchingBegan
    // That it is ready, and the answer to its first call: the temporary file is there, and the thread
    // has nothing to do.
    await once(threads.at(-1)!, 'message')
    await once(threads.at(-1)!, 'message')
    t.is((await readdir(folder)).length, 1)
    await threads.at(-1)!.terminate()
    bring(new Float32Array(4))
    const error = await failed
    t.regex(error.message, /the thread that writes ended/)
    t.like(error, { path: join(folder, 'a.ckpt') })
    t.deepEqual(await readdir(folder), [])

    await saver.save(join(folder, 'a.ckpt'), model)!.durable
    t.is(threads.length, 2)
    t.deepEqual(await readdir(folder), ['a.ckpt'])
  },
)

test.serial('when the thread dies in the middle of a call, the save fails', async (t) => {
  const folder = await scratchFolder(t)
  await using saver = new BackgroundSaver()
  const save = saver.save(join(folder, 'a.ckpt'), model)!
  const failed = t.throwsAsync(save.durable, { code: 'CKPT_NOT_COMMITTED' })
  // Ready, and not yet through with the first call.
  await once(threads.at(-1)!, 'message')
  await threads.at(-1)!.terminate()
  await failed
  await t.notThrowsAsync(saver.save(join(folder, 'a.ckpt'), model)!.durable)
})

test.serial('a thread is started by the first save, used by all, and ended by close', async (t) => {
  const folder = await scratchFolder(t)
  const before = threads.length
  const saver = new BackgroundSaver()
  t.is(threads.length, before)
  for (const name of ['a', 'b']) await saver.save(join(folder, name), model)!.durable
  t.is(threads.length, before + 1)
  const ended = new Promise((resolve) => threads[before]!.once('exit', resolve))
  await saver.close()
  await t.notThrowsAsync(ended)
})

test.serial(
  'where no thread can be started, the thread that trains writes the same file',
  async (t) => {
    const folder = await scratchFolder(t)
    await using saver = new BackgroundSaver()
    const data = new Float32Array(3_000_000).fill(1)
    const large = { stateDict: () => ({ w: { shape: [data.length], data } }) }
    const save = saver.save(join(folder, 'a.ckpt'), large)!
    // Before its script is loaded, as in a bundle that has no such file.
    await threads.at(-1)!.terminate()
    await save.staged
    data.fill(2)
    const report = await save.durable
    t.is(report.durability, 'durable')
    await saver.save(join(folder, 'b.ckpt'), large)!.durable
    t.deepEqual(await readdir(folder), ['a.ckpt', 'b.ckpt'])
    await using first = await loadCheckpoint(join(folder, 'a.ckpt'))
    t.true(first.model.get('w').data.every((value) => value === 1))
    await using second = await loadCheckpoint(join(folder, 'b.ckpt'))
    t.true(second.model.get('w').data.every((value) => value === 2))
  },
)

test.serial(
  'without a thread, a save that fails leaves what was there, and the next one works',
  async (t) => {
    const folder = await scratchFolder(t)
    await using saver = new BackgroundSaver()
    const failing = saver.save(folder, model)!
    await threads.at(-1)!.terminate()
    await t.throwsAsync(failing.durable, { code: 'CKPT_NOT_COMMITTED' })
    await t.notThrowsAsync(saver.save(join(folder, 'a.ckpt'), model)!.durable)
    t.deepEqual(await readdir(folder), ['a.ckpt'])
  },
)
