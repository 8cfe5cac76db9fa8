import { mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { loadCheckpoint } from '../../src/load/load.js'
import type { ManagerOptions } from '../../src/manager/checkpoint-manager.js'
import type { SaveRules } from '../../src/manager/schedule.js'
import { saveCheckpoint } from '../../src/save/save.js'
import { CheckpointManager } from '../support/built.js'
import {
  damage,
  fileName,
  saveSteps,
  smallModel,
} from '../support/manager/folder-of-checkpoints.js'
import { areAll } from '../support/patterns.js'
import { scratchFolder } from '../support/scratch.js'
import { createRun, type Run } from '../support/trainer/run.js'

/** A manager of a folder of the test's own, and what it warns of. */
async function managed(t: ExecutionContext, options: ManagerOptions = {}) {
  const folder = await scratchFolder(t)
  const warnings: string[] = []
  const onWarning = (message: string) => {
    // Many tests save one and the same model at each step.
    if (!message.includes('have the same trained tensors')) warnings.push(message)
  }
  const manager = new CheckpointManager(folder, { onWarning, ...options })
  t.teardown(() => manager.close().catch(() => {}))
  return { folder, manager, warnings }
}

const stepsIn = async (manager: { list(): Promise<readonly { step: number }[]> }) =>
  (await manager.list()).map(({ step }) => step)

const extrasOf = ({ sampler, rng }: Run) => ({ sampler, rng })

test('a restored run continues to the bit, with its extras', async (t) => {
  const { folder, manager } = await managed(t)
  const run = createRun()
  run.train(25)
  const saved = { epoch: 1, step: 25, loss: 0.5, extras: extrasOf(run) }
  t.true(await manager.save(run.model, run.optimizer, saved))
  const expected = run.train(20)
  await manager.close()

  const resumed = createRun()
  resumed.train(3)
  await using next = new CheckpointManager(folder)
  const report = await next.restoreLatest(resumed.model, resumed.optimizer, {
    extras: extrasOf(resumed),
  })
  t.like(report, { epoch: 1, step: 25, loss: 0.5, path: join(folder, fileName(25)), skipped: [] })
  t.deepEqual(resumed.train(20), expected)
})

test('an extra that was not saved is an error, and not forgotten', async (t) => {
  const { manager } = await managed(t)
  const run = createRun()
  await manager.save(run.model, run.optimizer, { step: 1, extras: { rng: run.rng } })
  await t.throwsAsync(
    () => manager.restoreLatest(run.model, run.optimizer, { extras: extrasOf(run) }),
    { code: 'CKPT_STATE_MISMATCH', message: /sampler/ },
  )
})

test('where there is no checkpoint, nothing is restored, and the folder is not made', async (t) => {
  const folder = join(await scratchFolder(t), 'none')
  await using manager = new CheckpointManager(folder)
  t.is(await manager.restoreLatest(smallModel()), null)
  t.is(await manager.latest(), null)
  t.is(await manager.best({ metric: 'loss', mode: 'min' }), null)
  t.deepEqual(await manager.list(), [])
  await t.throwsAsync(readdir(folder), { code: 'ENOENT' })
})

for (const map of [true, false]) {
  test(`the newest that verifies is restored, and damaged ones are set aside (map: ${map})`, async (t) => {
    const { folder, manager, warnings } = await managed(t)
    await saveSteps(folder, 1, 2, 3, 4)
    await damage(folder, 4, 'metadata')
    await damage(folder, 3, 'tensor')
    const damaged = await readFile(join(folder, fileName(3)))
    const model = smallModel()
    const report = await manager.restoreLatest(model, null, { map })
    t.is(report?.step, 2)
    t.is(model.data[0], 2)
    t.deepEqual(
      report?.skipped.map(({ path, movedTo, error }) => [path, movedTo, error.code]),
      [
        [
          join(folder, fileName(4)),
          join(folder, `${fileName(4)}.damaged`),
          'CKPT_METADATA_CHECKSUM',
        ],
        [join(folder, fileName(3)), join(folder, `${fileName(3)}.damaged`), 'CKPT_TENSOR_CHECKSUM'],
      ],
    )
    t.is(warnings.length, 2)
    t.regex(warnings[1]!, /a damaged checkpoint was skipped \(now ".*\.damaged"\): .*step-0+3/)
    t.true(damaged.equals(await readFile(join(folder, `${fileName(3)}.damaged`))))
    t.deepEqual(await stepsIn(manager), [1, 2])
  })
}

test('a damaged checkpoint leaves the model as it was, and is an error where there is no other', async (t) => {
  const { folder, manager, warnings } = await managed(t)
  await saveSteps(folder, 1)
  await damage(folder, 1)
  const model = smallModel(77)
  await t.throwsAsync(manager.restoreLatest(model), { code: 'CKPT_TENSOR_CHECKSUM' })
  t.is(model.data[0], 77)
  t.deepEqual(warnings, [])
})

test('what an older checkpoint would share or hide is an error, and nothing is set aside', async (t) => {
  const { folder, manager } = await managed(t)
  await saveSteps(folder, 1, 2)
  const other = { stateDict: () => ({ other: { shape: [4], data: new Float32Array(4) } }) }
  await t.throwsAsync(manager.restoreLatest(other), { code: 'CKPT_STATE_MISMATCH' })
  t.deepEqual(await stepsIn(manager), [1, 2])
})

test('a checkpoint of another step than its name says is neither restored nor removed', async (t) => {
  const { folder, manager, warnings } = await managed(t, { keep: { newest: 1 } })
  await saveSteps(folder, 1)
  await saveCheckpoint(join(folder, fileName(9)), smallModel(9), null, { step: 3 })
  t.is((await manager.restoreLatest(smallModel()))?.step, 1)
  t.regex(warnings[0]!, /was left alone: .*step 9 by its name, found step 3/)
  await manager.save(smallModel(), null, { step: 10 })
  await manager.save(smallModel(), null, { step: 11 })
  await manager.flush()
  t.deepEqual((await readdir(folder)).sort(), [9, 11].map(fileName))
})

test('files that the manager did not write are not removed', async (t) => {
  const { folder, manager } = await managed(t, { keep: { newest: 1 } })
  const foreign = ['notes.txt', 'best.ckpt', 'step-1.ckpt', `${fileName(1)}.damaged`, '.hidden']
  for (const name of foreign) await writeFile(join(folder, name), name)
  for (let step = 1; step <= 5; step++) await manager.save(smallModel(), null, { step })
  await manager.flush()
  t.deepEqual((await readdir(folder)).sort(), [...foreign, fileName(5)].sort())
})

test('what an earlier manager has saved is subject to the policy of this one', async (t) => {
  const { folder, manager } = await managed(t, { keep: { newest: 2 } })
  await saveSteps(folder, 1, 2, 3)
  await manager.save(smallModel(), null, { step: 4 })
  await manager.flush()
  t.deepEqual(await stepsIn(manager), [3, 4])
})

test('checkpoints that another process saves meanwhile are not removed, and do not count', async (t) => {
  const { folder, manager } = await managed(t, { keep: { newest: 2 } })
  await manager.save(smallModel(), null, { step: 1 })
  await manager.flush()
  await saveSteps(folder, 500, 501, 502)
  for (let step = 2; step <= 4; step++) await manager.save(smallModel(), null, { step })
  await manager.flush()
  t.deepEqual(await stepsIn(manager), [500, 501, 502, 3, 4])
})

test('a step behind the newest is saved, kept and warned of', async (t) => {
  const { folder, manager, warnings } = await managed(t, { keep: { newest: 2 } })
  await saveSteps(folder, 100, 200)
  await manager.save(smallModel(), null, { step: 60 })
  await manager.flush()
  t.deepEqual(await stepsIn(manager), [100, 200, 60])
  t.is(warnings.length, 2)
  t.regex(warnings[0]!, /step 60 is saved after a later one, 200: .* continues from step 60/)
  t.regex(warnings[1]!, /step 100 has no place in the order/)
})

test('a run that goes back keeps its new branch, and is resumed from it', async (t) => {
  const { folder, manager, warnings } = await managed(t, { keep: { newest: 3 } })
  const save = (step: number) => manager.save(smallModel(step), null, { step })
  for (const step of [100, 200, 300, 400, 500]) await save(step)
  for (const step of [310, 320, 330]) await save(step)
  await manager.flush()
  t.deepEqual(await stepsIn(manager), [310, 320, 330])
  t.is((await manager.latest())?.step, 330)
  t.is(warnings.length, 1)
  t.regex(warnings[0]!, /step 310 is saved after a later one, 500/)
  await save(340)
  await save(200)
  await manager.close()
  await using next = new CheckpointManager(folder, { onWarning: (line) => warnings.push(line) })
  const model = smallModel()
  t.is((await next.restoreLatest(model))?.step, 200)
  t.is(model.data[0], 200)
  t.is(warnings.length, 2)
  // It goes on from there, and nothing is wrong with that.
  await next.save(model, null, { step: 210 })
  await next.flush()
  t.is(warnings.length, 2)
})

test('each save has a number above all others of the folder, and a time', async (t) => {
  const { folder, manager } = await managed(t)
  const before = Date.now()
  await manager.save(smallModel(), null, { step: 1 })
  await manager.flush()
  await using other = new CheckpointManager(folder)
  await other.save(smallModel(), null, { step: 2 })
  await other.flush()
  await manager.save(smallModel(), null, { step: 3 })
  await saveCheckpoint(join(folder, fileName(4)), smallModel(), null, { step: 4, sequence: 70 })
  await manager.save(smallModel(), null, { step: 5, savedAt: 12_345 })
  await manager.flush()
  const list = await manager.list()
  t.deepEqual(
    list.map(({ step, sequence }) => [step, sequence]),
    [
      [1, 0],
      [2, 1],
      [3, 2],
      [4, 70],
      [5, 71],
    ],
  )
  t.true(list[0]!.savedAt >= before && list[0]!.savedAt <= Date.now() && list[0]!.isTimeRecorded)
  t.is(list[4]!.savedAt, 12_345)
  const sequence = { step: 6, sequence: 5 } as { step: number }
  await t.throwsAsync(manager.save(smallModel(), null, sequence), {
    instanceOf: TypeError,
    message: /no option "sequence"/,
  })
})

test('a later step of an older version is skipped with a warning', async (t) => {
  const { folder, manager, warnings } = await managed(t)
  await manager.save(smallModel(), null, { step: 10 })
  await manager.flush()
  await saveSteps(folder, 20, 5)
  t.is((await manager.restoreLatest(smallModel()))?.step, 10)
  t.is(warnings.length, 1)
  t.regex(warnings[0]!, /resumed from step 10; .*step-0+20\.ckpt" is of a later step/)
})

test('a file of the same name that another process has saved is not removed', async (t) => {
  const { folder, manager } = await managed(t, { keep: { newest: 1 } })
  await saveSteps(folder, 1, 2)
  await manager.save(smallModel(), null, { step: 3 })
  await manager.flush()
  t.deepEqual(await stepsIn(manager), [3])
  await manager.save(smallModel(), null, { step: 4 })
  await manager.flush()
  await saveSteps(folder, 4)
  await manager.save(smallModel(), null, { step: 5 })
  await manager.flush()
  t.deepEqual(await stepsIn(manager), [4, 5])
})

test('links stay, with one warning', async (t) => {
  const { folder, manager, warnings } = await managed(t, { keep: { newest: 1 } })
  await saveSteps(join(folder, 'blobs'), 1)
  await symlink(`blobs/${fileName(1)}`, join(folder, fileName(1)))
  for (let step = 2; step <= 4; step++) await manager.save(smallModel(), null, { step })
  await manager.flush()
  t.deepEqual(await stepsIn(manager), [1, 4])
  t.is(warnings.length, 1)
  t.regex(warnings[0]!, /step-0+1\.ckpt" is a link/)
})

test('a metric that no checkpoint has removes nothing, and the warning names those that there are', async (t) => {
  const best = { count: 1, metric: 'val_acc', mode: 'max' } as const
  const { manager, warnings } = await managed(t, { keep: { best } })
  for (let step = 1; step <= 4; step++) {
    await manager.save(smallModel(), null, { step, loss: 1, metrics: { val_accuracy: step } })
  }
  await manager.flush()
  t.deepEqual(await stepsIn(manager), [1, 2, 3, 4])
  t.is(warnings.length, 1)
  t.regex(
    warnings[0]!,
    /no checkpoint has the metric "val_acc" \(they have "val_accuracy", "loss"\)/,
  )
  await manager.save(smallModel(), null, { step: 5, metrics: { val_acc: 0 } })
  await manager.save(smallModel(), null, { step: 6, metrics: { val_acc: 1 } })
  await manager.flush()
  t.deepEqual(await stepsIn(manager), [6])
})

test('an unreadable file does not stop the removal of others', async (t) => {
  const { folder, manager, warnings } = await managed(t, { keep: { newest: 2 } })
  await saveSteps(folder, 1)
  // A loop of links cannot be read by anybody, root included.
  await symlink(fileName(2), join(folder, fileName(2)))
  for (let step = 3; step <= 6; step++) await manager.save(smallModel(), null, { step })
  await manager.flush()
  t.deepEqual(await stepsIn(manager), [5, 6])
  t.true((await readdir(folder)).includes(fileName(2)))
  t.is(warnings.length, 1)
  t.regex(warnings[0]!, /is left alone: .*step-0+2\.ckpt.* ELOOP/)
})

test('a run that went back saves a step again that it had saved, or failed to save', async (t) => {
  const { folder, manager } = await managed(t, { save: { everySteps: 5 } })
  const save = (step: number) => manager.save(smallModel(), null, { step })
  t.true(await save(5))
  t.false(await save(5))
  t.false(await save(4))
  t.true(await save(5))
  await manager.flush()
  await mkdir(join(folder, fileName(10)))
  t.true(await save(10))
  await t.throwsAsync(manager.flush(), { code: 'CKPT_NOT_COMMITTED' })
  await rm(join(folder, fileName(10)), { recursive: true })
  t.true(await save(10))
  await manager.flush()
  t.deepEqual(await stepsIn(manager), [5, 10])
})

test('an old checkpoint stays where the new one could not be saved', async (t) => {
  const { folder, manager, warnings } = await managed(t, { keep: { newest: 1 } })
  await manager.save(smallModel(), null, { step: 1 })
  await manager.flush()
  await mkdir(join(folder, fileName(2)))
  t.true(await manager.save(smallModel(), null, { step: 2 }))
  await t.throwsAsync(manager.flush(), { code: 'CKPT_NOT_COMMITTED' })
  t.regex(warnings[0]!, /the checkpoint ".*" was not saved: /)
  t.deepEqual(await stepsIn(manager), [1])
})

for (const [by, next] of [
  ['save', (m: CheckpointManagerLike) => m.save(smallModel(), null, { step: 3 })],
  ['flush', (m: CheckpointManagerLike) => m.flush()],
  ['close', (m: CheckpointManagerLike) => m.close()],
] as const) {
  test(`a save that failed in the background is warned of at once, and thrown by ${by}, once`, async (t) => {
    const { folder, manager, warnings } = await managed(t)
    await mkdir(join(folder, fileName(1)))
    await manager.save(smallModel(), null, { step: 1 })
    while (warnings.length === 0) await new Promise(setImmediate)
    await t.throwsAsync(async () => next(manager), { code: 'CKPT_NOT_COMMITTED' })
    await t.notThrowsAsync(manager.flush())
  })
}

interface CheckpointManagerLike {
  save(model: object, optimizer: null, options: { step: number }): Promise<unknown>
  flush(): Promise<void>
  close(): Promise<void>
  list(): Promise<readonly { path: string; step: number }[]>
}

test('a state that cannot be saved is thrown by the call, and by no later one', async (t) => {
  const { manager, warnings } = await managed(t, { save: { everySteps: 2 } })
  const wrong = { stateDict: () => ({ w: { shape: [5], data: new Float32Array(4) } }) }
  await t.throwsAsync(manager.save(wrong, null, { step: 2 }), { instanceOf: RangeError })
  await t.notThrowsAsync(manager.flush())
  t.deepEqual(warnings, [])
  // The step was not saved, so it is due still.
  t.true(await manager.save(smallModel(), null, { step: 2 }))
})

test.serial('an earlier failure does not prevent the checkpoint of the preemption', async (t) => {
  const own = () => {}
  process.on('SIGUSR2', own)
  t.teardown(() => process.off('SIGUSR2', own))
  const { folder, manager } = await managed(t, { preemption: ['SIGUSR2'] })
  await mkdir(join(folder, fileName(1)))
  await manager.save(smallModel(), null, { step: 1 })
  process.emit('SIGUSR2', 'SIGUSR2')
  t.true(manager.preempted)
  await t.throwsAsync(manager.save(smallModel(), null, { step: 2 }), { code: 'CKPT_NOT_COMMITTED' })
  t.deepEqual(await stepsIn(manager), [2])
})

for (const whenBusy of ['skip', 'error'] as const) {
  test.serial(
    `after a signal a save waits for its turn, whatever whenBusy says (${whenBusy})`,
    async (t) => {
      const own = () => {}
      process.on('SIGUSR2', own)
      t.teardown(() => process.off('SIGUSR2', own))
      const { manager } = await managed(t, { preemption: ['SIGUSR2'], whenBusy })
      let letGo = (_data: Float32Array): void => {}
      let isHeld = (): void => {}
      const holding = new Promise<void>((resolve) => {
        isHeld = resolve
      })
      const data = () =>
        new Promise<Float32Array>((resolve) => {
          letGo = resolve
          isHeld()
        })
      const held = { stateDict: () => ({ w: { dtype: 'float32' as const, shape: [1], data } }) }
      const first = manager.save(held, null, { step: 1 })
      await holding
      process.emit('SIGUSR2', 'SIGUSR2')
      const second = manager.save(smallModel(), null, { step: 2 })
      await new Promise(setImmediate)
      letGo(new Float32Array(1))
      t.deepEqual(await Promise.all([first, second]), [true, true])
      t.deepEqual(await stepsIn(manager), [1, 2])
    },
  )
}

test('the first step is saved where there is no checkpoint, and not when a run is resumed', async (t) => {
  const { folder, manager } = await managed(t, { save: { firstStep: true } })
  t.true(await manager.save(smallModel(), null, { step: 1 }))
  await manager.close()
  await using next = new CheckpointManager(folder, { save: { firstStep: true } })
  t.false(await next.save(smallModel(), null, { step: 2 }))
})

test('the best checkpoint is by keep.best or by another metric, and must have that metric', async (t) => {
  const best = { count: 1, metric: 'accuracy', mode: 'max' } as const
  const { manager } = await managed(t, { keep: { best, newest: 10 } })
  t.is(await manager.best(), null)
  for (const [step, accuracy] of [0.2, 0.9, 0.4].entries()) {
    await manager.save(smallModel(), null, { step, loss: 10 - step, metrics: { accuracy } })
  }
  await manager.save(smallModel(), null, { step: 3 })
  await manager.flush()
  t.is((await manager.best())?.step, 1)
  t.is((await manager.best({ metric: 'loss', mode: 'min' }))?.step, 2)
  t.is(await manager.best({ metric: 'none', mode: 'min' }), null)
  await using other = new CheckpointManager(manager.folder)
  await t.throwsAsync(other.best(), { instanceOf: TypeError, message: /keep\.best/ })
  await t.throwsAsync(other.best({ metric: 'loss', mode: 'up' as 'min' }), {
    instanceOf: TypeError,
  })
})

test('a restore waits for what is under way', async (t) => {
  const { manager } = await managed(t)
  await manager.save(smallModel(1), null, { step: 1 })
  const model = smallModel()
  t.is((await manager.restoreLatest(model))?.step, 1)
  t.is(model.data[0], 1)
})

test('temporary files of dead processes are swept, those of living ones are not', async (t) => {
  const { folder, manager } = await managed(t)
  const temporary = async () => (await readdir(folder)).filter((name) => name.endsWith('.tmp'))
  let living = ''
  const data = async () => {
    // The file of the save that calls this, whose process lives.
    let own: string | undefined
    while (own === undefined) own = (await temporary())[0]
    living = own.replace(/[0-9a-f]{16}(\.locked)?\.tmp$/, '0123456789abcdef.tmp')
    // The highest number that there is: no system gives it to a process.
    const dead = own.replace(`.${process.pid}.`, `.${2 ** 31 - 1}.`)
    for (const name of [living, dead]) await writeFile(join(folder, name), '')
    return new Float32Array(1)
  }
  const model = { stateDict: () => ({ w: { dtype: 'float32' as const, shape: [1], data } }) }
  await manager.save(model, null, { step: 1 })
  await manager.flush()
  t.is((await temporary()).length, 2)
  await manager.save(smallModel(), null, { step: 2 })
  await manager.flush()
  t.deepEqual((await readdir(folder)).sort(), [living, ...[1, 2].map(fileName)].sort())
})

test('after close nothing is saved, and close may be called again', async (t) => {
  const { manager } = await managed(t)
  await manager.save(smallModel(), null, { step: 1 })
  await Promise.all([manager.close(), manager.close()])
  t.deepEqual(await stepsIn(manager), [1])
  await t.throwsAsync(manager.save(smallModel(), null, { step: 2 }), { instanceOf: TypeError })
})

test('wrong options and steps are refused at once', async (t) => {
  const wrong: [unknown, RegExp][] = [
    [{ save: { everyStep: 1 } }, /save has no option/],
    [{ keep: 'none' }, /keep must be/],
    [{ whenBusy: 'no' }, /whenBusy/],
    [{ stagingBytes: -1 }, /stagingBytes/],
    [{ preemption: 'SIGTERM' }, /preemption must be a boolean or signals/],
    [{ preemption: ['SIGKILL'] }, /SIGKILL/],
  ]
  for (const [options, message] of wrong) {
    t.throws(() => new CheckpointManager('run', options as ManagerOptions), { message })
  }
  t.throws(() => new CheckpointManager(''), { instanceOf: TypeError })
  const { manager } = await managed(t)
  await t.throwsAsync(manager.save(smallModel(), null, { step: -1 }), { instanceOf: RangeError })
})

test('a folder that is removed under a manager is made again', async (t) => {
  const { folder, manager } = await managed(t, { keep: { newest: 1 } })
  await manager.save(smallModel(), null, { step: 1 })
  await manager.flush()
  await rm(folder, { recursive: true })
  await manager.save(smallModel(), null, { step: 2 })
  await manager.flush()
  t.deepEqual(await stepsIn(manager), [2])
})

/** A model of one long tensor that is `step` throughout, and attributes that say the same. */
function longModel() {
  const w = new Float32Array(2_000_000)
  const model = {
    set: (step: number) => w.fill(step),
    stateDict: () => ({
      tensors: { w: { shape: [w.length], data: w } },
      attributes: { step: w[0]! },
    }),
  }
  return model
}

/** The steps of a manager's checkpoints, each of which is of one moment: that of its call. */
async function wholeStepsIn(t: ExecutionContext, manager: CheckpointManagerLike) {
  const steps: number[] = []
  for (const { path, step } of await manager.list()) {
    await using checkpoint = await loadCheckpoint(path)
    t.is(checkpoint.model.attributes.step, step)
    t.true(areAll(checkpoint.model.get('w').data as Float32Array, step), `step ${step}`)
    steps.push(step)
  }
  return steps
}

for (const [what, options] of Object.entries({
  'no rules': {},
  'a rule': { save: { everySteps: 1 } },
  'little room': { stagingBytes: 1 },
} satisfies Record<string, ManagerOptions>)) {
  test(`saves without an await are of the moments of their calls, or errors: ${what}`, async (t) => {
    const { folder, manager } = await managed(t, options)
    const w = new Float32Array(2_000_000)
    const model = { stateDict: () => ({ w: { shape: [w.length], data: w } }) }
    const optimizer = {
      step: 0,
      stateDict: () => ({ tensors: {}, attributes: { step: optimizer.step } }),
    }
    await manager.save(model, optimizer, { step: 0 })
    const outcomes: Promise<unknown>[] = []
    for (let step = 1; step <= 6; step++) {
      w.fill(step)
      optimizer.step = step
      outcomes.push(manager.save(model, optimizer, { step }).catch((error) => error.code))
      // In one turn of the event loop, and in several.
      if (step % 2 === 0) await new Promise((resolve) => setTimeout(resolve, step))
    }
    for (const outcome of await Promise.all(outcomes)) {
      t.true([true, 'CKPT_TENSOR_CHANGED'].includes(outcome as string), String(outcome))
    }
    await manager.flush().catch(() => {})
    let found = 0
    for (const { path, step, sequence } of await manager.list()) {
      await using checkpoint = await loadCheckpoint(path)
      t.is(checkpoint.optimizer!.attributes.step, step)
      t.true(areAll(checkpoint.model.get('w').data as Float32Array, step), `step ${step}`)
      t.is(typeof sequence, 'number')
      found++
    }
    t.true(found >= 2, `${found} of ${(await readdir(folder)).length}`)
  })
}

for (const [what, save] of Object.entries({
  'a multiple of steps': { everySteps: 1 },
  'certain steps': { steps: [1] },
  'the first step of an empty folder': { firstStep: true },
  'the first step or its own rule': { firstStep: true, custom: () => true },
} satisfies Record<string, SaveRules>)) {
  test(`the first save, without an await, is of the moment of its call, or an error: ${what}`, async (t) => {
    const { manager } = await managed(t, { save })
    const model = longModel()
    model.set(1)
    const outcome = manager.save(model, null, { step: 1 }).catch((error) => error.code)
    model.set(2)
    t.true([true, 'CKPT_TENSOR_CHANGED'].includes(await outcome))
    await manager.flush()
    const steps = await wholeStepsIn(t, manager)
    t.deepEqual(steps, (await outcome) === true ? [1] : [])
  })
}

test('a first save that waits for the folder is staged in the state of its call', async (t) => {
  const { manager } = await managed(t, { save: { firstStep: true } })
  const model = longModel()
  model.set(1)
  const outcome = manager.save(model, null, { step: 1 })
  await manager.close()
  t.true(await outcome)
  t.deepEqual(await wholeStepsIn(t, manager), [1])
})

test('a state that cannot be saved is not an error if the step turns out not to be due', async (t) => {
  const { folder, manager } = await managed(t, { save: { firstStep: true } })
  await saveSteps(folder, 1)
  const wrong = { stateDict: () => ({ w: { shape: [5], data: new Float32Array(4) } }) }
  t.false(await manager.save(wrong, null, { step: 2 }))
  await manager.flush()
  await using empty = new CheckpointManager(join(folder, 'empty'), { save: { firstStep: true } })
  await t.throwsAsync(empty.save(wrong, null, { step: 2 }), { instanceOf: RangeError })
})

test('a folder that cannot be read is an error of the first save that depends on it', async (t) => {
  const { folder } = await managed(t)
  await writeFile(join(folder, 'file'), '')
  const path = join(folder, 'file')
  await using manager = new CheckpointManager(path, { save: { firstStep: true } })
  await t.throwsAsync(manager.save(smallModel(), null, { step: 1 }), {
    code: 'CKPT_READ',
    message: /the folder could not be read: ENOTDIR/,
  })
})

for (const whenBusy of ['skip', 'error'] as const) {
  test(`a save that comes while another may be under way is of the moment of its call: ${whenBusy}`, async (t) => {
    const { manager } = await managed(t, { whenBusy, save: { everySteps: 1 } })
    const model = longModel()
    const outcomes: unknown[] = []
    for (let step = 1; step <= 30; step++) {
      model.set(step)
      const saving = manager.save(model, null, { step }).catch((error) => error.code)
      // By turns: the weights change before it is staged, or after.
      if (step % 3 === 0) await new Promise((resolve) => setTimeout(resolve, step))
      else if (step % 3 === 1) await saving
      outcomes.push(saving)
    }
    const expected = [true, 'CKPT_TENSOR_CHANGED', whenBusy === 'skip' ? false : 'CKPT_BUSY']
    const found = await Promise.all(outcomes)
    for (const outcome of found) t.true(expected.includes(outcome as string), String(outcome))
    await manager.flush().catch(() => {})
    const steps = await wholeStepsIn(t, manager)
    t.true(steps.length >= 2 && steps.length <= found.filter((outcome) => outcome === true).length)
  })

  test(`a save that is due while another is under way does not take place: ${whenBusy}`, async (t) => {
    const { manager } = await managed(t, { whenBusy, save: { everySteps: 1 } })
    await manager.save(longModel(), null, { step: 1 })
    const second = manager.save(smallModel(), null, { step: 2 })
    if (whenBusy === 'skip') t.false(await second)
    else await t.throwsAsync(second, { code: 'CKPT_BUSY' })
    await manager.flush()
    t.true(await manager.save(smallModel(), null, { step: 3 }))
    await manager.flush()
    t.deepEqual(await stepsIn(manager), [1, 3])
  })

  test(`a forced save waits for its turn, in the state of its call: ${whenBusy}`, async (t) => {
    const { manager } = await managed(t, { whenBusy })
    await manager.save(longModel(), null, { step: 1 })
    const model = smallModel(2)
    const forced = manager.save(model, null, { step: 2, force: true }).catch((error) => error.code)
    model.data[0] = 3
    const outcome = await forced
    t.is(outcome, 'CKPT_TENSOR_CHANGED')
    t.true(await manager.save(model, null, { step: 3, force: true }))
    await manager.flush()
    t.deepEqual(await stepsIn(manager), [1, 3])
  })
}

test.serial('of calls without an await, the last one answers a signal', async (t) => {
  const own = () => {}
  process.on('SIGUSR2', own)
  t.teardown(() => process.off('SIGUSR2', own))
  const { manager } = await managed(t, { preemption: ['SIGUSR2'], save: { steps: [1] } })
  await manager.save(smallModel(1), null, { step: 1 })
  const calls = [2, 3, 4].map((step) => manager.save(smallModel(step), null, { step }))
  process.emit('SIGUSR2', 'SIGUSR2')
  t.deepEqual(await Promise.all(calls), [false, false, true])
  t.deepEqual(await stepsIn(manager), [1, 4])
})
