import { once } from 'node:events'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
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
    // The answer to its first call: the temporary file is there, and the thread has nothing to do.
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
  const before = threads.length
  const save = saver.save(join(folder, 'a.ckpt'), model)!
  const failed = t.throwsAsync(save.durable, { code: 'CKPT_NOT_COMMITTED' })
  await save.staged
  await threads[before]!.terminate()
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
