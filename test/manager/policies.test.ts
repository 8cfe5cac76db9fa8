import test, { type ExecutionContext } from 'ava'
import type { ManagedSaveOptions, ManagerOptions } from '../../src/manager/checkpoint-manager.js'
import { CheckpointManager } from '../support/built.js'
import { smallModel } from '../support/manager/folder-of-checkpoints.js'
import { scratchFolder } from '../support/scratch.js'

// One test for each row of the table of policies in the README, and of the same name.

type Taken = Omit<ManagedSaveOptions, 'step'>

/** The steps whose checkpoints are there after a run of `steps` steps. */
async function stepsOf(
  t: ExecutionContext,
  options: ManagerOptions,
  steps: number,
  each: (step: number) => Taken = () => ({}),
): Promise<number[]> {
  const folder = await scratchFolder(t)
  const model = smallModel()
  await using manager = new CheckpointManager(folder, options)
  for (let step = 1; step <= steps; step++) {
    await manager.save(model, null, { step, ...each(step) })
    // So that what is removed does not depend on how fast the disk is.
    await manager.flush()
  }
  return (await manager.list()).map(({ step }) => step)
}

/** Lets the clock of this process be so many seconds further. */
function wait(t: ExecutionContext, seconds: number): void {
  const now = performance.now.bind(performance)
  performance.now = () => now() + seconds * 1000
  t.teardown(() => {
    performance.now = now
  })
}

/** A model whose save stands still until it is let go. */
function heldModel() {
  let letGo = (): void => {}
  const held = new Promise<void>((resolve) => {
    letGo = resolve
  })
  let fetches = 0
  const data = async () => {
    // Only the first.
    if (++fetches === 1) await held
    return new Float32Array(4)
  }
  return {
    letGo,
    model: { stateDict: () => ({ w: { dtype: 'float32' as const, shape: [4], data } }) },
  }
}

test('no `save`', async (t) => {
  t.deepEqual(await stepsOf(t, {}, 4), [1, 2, 3, 4])
})

test('`save: { everySteps: 100 }`', async (t) => {
  t.deepEqual(await stepsOf(t, { save: { everySteps: 100 } }, 250), [100, 200])
})

test.serial('`save: { everySeconds: 600 }`', async (t) => {
  const steps = await stepsOf(t, { save: { everySeconds: 600 } }, 9, () => {
    wait(t, 250)
    return {}
  })
  t.deepEqual(steps, [3, 6, 9])
})

test('`save: { steps: [1, 10, 100] }`', async (t) => {
  t.deepEqual(await stepsOf(t, { save: { steps: [1, 10, 100] } }, 100), [1, 10, 100])
})

test('`save: { firstStep: true }`', async (t) => {
  t.deepEqual(await stepsOf(t, { save: { firstStep: true } }, 10), [1])
})

test('`save: { custom: (step) => boolean }`', async (t) => {
  t.deepEqual(await stepsOf(t, { save: { custom: (step) => step ** 2 > 60 } }, 10), [8, 9, 10])
})

test('`save: {...}` with several rules', async (t) => {
  const save = { firstStep: true, everySteps: 4, steps: [5] }
  t.deepEqual(await stepsOf(t, { save }, 9), [1, 4, 5, 8])
})

test('`manager.save(..., { force: true })`', async (t) => {
  const save = { everySteps: 5 }
  t.deepEqual(await stepsOf(t, { save }, 9, (step) => ({ force: step === 7 })), [5, 7])
})

test.serial('`preemption: true`', async (t) => {
  // Where somebody else listens, the process lives on.
  const own = () => {}
  process.on('SIGTERM', own)
  t.teardown(() => process.off('SIGTERM', own))
  const save = { everySteps: 100 }
  const steps = await stepsOf(t, { save, preemption: true }, 9, (step) => {
    if (step === 4) process.emit('SIGTERM', 'SIGTERM')
    return {}
  })
  t.deepEqual(steps, [4])
})

test("`whenBusy: 'wait'`", async (t) => {
  const { model, letGo } = heldModel()
  await using manager = new CheckpointManager(await scratchFolder(t), { whenBusy: 'wait' })
  const first = manager.save(model, null, { step: 1 })
  const second = manager.save(model, null, { step: 2 })
  letGo()
  t.deepEqual(await Promise.all([first, second]), [true, true])
  await manager.flush()
  t.deepEqual(
    (await manager.list()).map(({ step }) => step),
    [1, 2],
  )
})

test("`whenBusy: 'skip'`", async (t) => {
  const { model, letGo } = heldModel()
  await using manager = new CheckpointManager(await scratchFolder(t), { whenBusy: 'skip' })
  const first = manager.save(model, null, { step: 1 })
  t.false(await manager.save(model, null, { step: 2 }))
  letGo()
  t.true(await first)
  await manager.flush()
  t.true(await manager.save(model, null, { step: 3 }))
  // But not one that was asked for.
  t.true(await manager.save(model, null, { step: 4, force: true }))
  await manager.flush()
  t.deepEqual(
    (await manager.list()).map(({ step }) => step),
    [1, 3, 4],
  )
})

test("`whenBusy: 'error'`", async (t) => {
  const { model, letGo } = heldModel()
  await using manager = new CheckpointManager(await scratchFolder(t), { whenBusy: 'error' })
  const first = manager.save(model, null, { step: 1 })
  await t.throwsAsync(() => manager.save(model, null, { step: 2 }), { code: 'CKPT_BUSY' })
  letGo()
  t.true(await first)
  await manager.flush()
  t.deepEqual(
    (await manager.list()).map(({ step }) => step),
    [1],
  )
})

test("no `keep`, or `keep: 'all'`", async (t) => {
  t.deepEqual(await stepsOf(t, { keep: 'all' }, 5), [1, 2, 3, 4, 5])
  t.deepEqual(await stepsOf(t, {}, 5), [1, 2, 3, 4, 5])
})

test('`keep: { newest: 3 }`', async (t) => {
  t.deepEqual(await stepsOf(t, { keep: { newest: 3 } }, 7), [5, 6, 7])
})

const ACCURACY = [0.1, 0.7, 0.5, 0.9, 0.3, 0.8, 0.2, 0.6]

test("`keep: { best: { count: 2, metric: 'accuracy', mode: 'max' } }`", async (t) => {
  const best = { count: 2, metric: 'accuracy', mode: 'max' } as const
  const each = (step: number) => ({ metrics: { accuracy: ACCURACY[step - 1]! } })
  t.deepEqual(await stepsOf(t, { keep: { best } }, 8, each), [4, 6, 8])
})

test("`keep: { best: { count: 1, metric: 'loss', mode: 'min' } }`", async (t) => {
  const best = { count: 1, metric: 'loss', mode: 'min' } as const
  const each = (step: number) => ({ loss: (step - 3) ** 2 })
  t.deepEqual(await stepsOf(t, { keep: { best, newest: 2 } }, 8, each), [3, 7, 8])
})

test('`keep: { best: { ..., keepUnmeasured: true } }`', async (t) => {
  const best = { count: 1, metric: 'loss', mode: 'min', keepUnmeasured: true } as const
  const each = (step: number) => ({ loss: step % 3 === 0 ? null : step })
  t.deepEqual(await stepsOf(t, { keep: { best } }, 8, each), [1, 3, 6, 8])
})

test('`keep: { everySteps: 1000 }`', async (t) => {
  const options = { save: { everySteps: 500 }, keep: { everySteps: 1000 } }
  t.deepEqual(await stepsOf(t, options, 2500), [1000, 2000, 2500])
})

test('`keep: { everySeconds: 3600 }`', async (t) => {
  const start = Date.now() - 100_000_000
  const each = (step: number) => ({ savedAt: start + step * 1_500_000 })
  t.deepEqual(await stepsOf(t, { keep: { everySeconds: 3600 } }, 8, each), [1, 4, 7, 8])
})

test('`keep: { newerThanSeconds: 86400 }`', async (t) => {
  const now = Date.now()
  const each = (step: number) => ({ savedAt: new Date(now - (5 - step) * 30_000_000) })
  t.deepEqual(await stepsOf(t, { keep: { newerThanSeconds: 86_400 } }, 5, each), [3, 4, 5])
})

test('`keep: { steps: [1, 10, 100] }`', async (t) => {
  t.deepEqual(await stepsOf(t, { keep: { steps: [1, 3, 100] } }, 6), [1, 3, 6])
})

test('`keep: { custom: (checkpoint) => boolean }`', async (t) => {
  const keep = { custom: ({ epoch }: { epoch: number }) => epoch === 2 }
  const each = (step: number) => ({ epoch: Math.floor(step / 2) })
  t.deepEqual(await stepsOf(t, { keep }, 8, each), [4, 5, 8])
})

test('`keep: {...}` with several rules', async (t) => {
  const best = { count: 1, metric: 'loss', mode: 'min' } as const
  const keep = { newest: 2, everySteps: 5, best }
  const each = (step: number) => ({ loss: Math.abs(step - 3) })
  t.deepEqual(await stepsOf(t, { keep }, 12, each), [3, 5, 10, 11, 12])
})
