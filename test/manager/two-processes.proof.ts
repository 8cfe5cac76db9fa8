import { readdir } from 'node:fs/promises'
import test from 'ava'
import { loadCheckpoint } from '../../src/load/load.js'
import { CheckpointManager } from '../support/built.js'
import { KEEP } from '../support/manager/kept.js'
import { startTraining } from '../support/manager/training-process.js'
import { scratchFolder } from '../support/scratch.js'
import { createRun } from '../support/trainer/run.js'

const STEPS = 30

for (const [title, offset] of [
  ['at steps far apart', 1000],
  ['at the same steps', 0],
] as const) {
  test(`two processes save into one folder ${title}, and do no harm to each other`, async (t) => {
    t.timeout(120_000)
    const folder = await scratchFolder(t)
    const trainings = [0, offset].map((from) => {
      let hasBegun = (): void => {}
      const begun = new Promise<void>((resolve) => {
        hasBegun = resolve
      })
      const programArguments = [folder, String(from), String(from + STEPS), 'wait']
      const training = startTraining(t, programArguments, ({ waiting }) => {
        if (waiting === true) hasBegun()
      })
      return { ...training, begun }
    })
    // So that both are there from the first save of either.
    await Promise.all(trainings.map(({ begun }) => begun))
    for (const { child } of trainings) child.send('go on')

    // A third one looks on: there is always something to resume from.
    let running = true
    const ends = Promise.all(trainings.map(({ ended }) => ended)).then((all) => {
      running = false
      return all
    })
    const warnings: string[] = []
    const onWarning = (message: string) => void warnings.push(message)
    await using reader = new CheckpointManager(folder, { keep: KEEP, onWarning })
    let reads = 0
    while (running) {
      const { model, optimizer, sampler, rng } = createRun()
      const report = await reader.restoreLatest(model, optimizer, { extras: { sampler, rng } })
      t.deepEqual(report?.skipped, [])
      await reader.list()
      reads++
    }
    for (const { code, errors } of await ends) t.is(code, 0, errors)
    t.true(reads > 0)
    t.deepEqual(warnings, [])

    const present = (await reader.list()).map(({ step }) => step)
    for (const from of [0, offset]) {
      // Multiples of 25 and the newest, of each.
      for (const step of [25, STEPS - 2, STEPS - 1, STEPS]) {
        t.true(present.includes(from + step), `step ${from + step} is missing: ${present}`)
      }
    }
    for (const { path } of await reader.list()) {
      await using checkpoint = await loadCheckpoint(path)
      await checkpoint.verify()
    }
    t.true((await readdir(folder)).every((name) => name.endsWith('.ckpt')))
  })
}
