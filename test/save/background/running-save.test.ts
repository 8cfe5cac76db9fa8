import test from 'ava'
import { RunningSave } from '../../../src/save/background/saver.js'

const report = { byteLength: 1, tensors: 0, durability: 'durable' } as const
const error = new Error('it failed')

/** The reasons of promises that nobody handles, until the event loop has turned. */
async function unhandled(act: () => void): Promise<unknown[]> {
  const reasons: unknown[] = []
  const listeners = process.listeners('unhandledRejection')
  process.removeAllListeners('unhandledRejection')
  const listen = (reason: unknown) => void reasons.push(reason)
  process.on('unhandledRejection', listen)
  act()
  await new Promise((resolve) => setTimeout(resolve, 0))
  process.off('unhandledRejection', listen)
  for (const listener of listeners) process.on('unhandledRejection', listener)
  return reasons
}

test('a save is staged, and then durable', async (t) => {
  const save = new RunningSave()
  save.hasStaged()
  await save.staged
  save.succeed(report)
  t.is(await save.durable, report)
})

test.serial('a failure without a handler is one unhandled rejection', async (t) => {
  const early = new RunningSave()
  t.deepEqual(await unhandled(() => early.fail(error)), [error])
  const late = new RunningSave()
  late.hasStaged()
  t.deepEqual(await unhandled(() => late.fail(error)), [error])
})

test.serial(
  'a failure before staged is reported to the caller that awaits it, and not again',
  async (t) => {
    const save = new RunningSave()
    const staged = t.throwsAsync(save.staged)
    t.deepEqual(await unhandled(() => save.fail(error)), [])
    t.is(await staged, error)
    await t.throwsAsync(save.durable, { message: 'it failed' })
  },
)

test.serial('a caller that awaits only durable gets a failure before staged from it', async (t) => {
  const save = new RunningSave()
  const durable = t.throwsAsync(save.durable)
  t.deepEqual(await unhandled(() => save.fail(error)), [])
  t.is(await durable, error)
})

test.serial('a failure after staged is unhandled where only staged was awaited', async (t) => {
  const save = new RunningSave()
  const { staged } = save
  save.hasStaged()
  await staged
  t.deepEqual(await unhandled(() => save.fail(error)), [error])
})
