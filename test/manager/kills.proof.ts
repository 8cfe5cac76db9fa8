import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { FolderStore } from '../../src/io/file/folder-store.js'
import { loadCheckpoint } from '../../src/load/load.js'
import { RunCheckpoints } from '../../src/manager/run-checkpoints.js'
import { saveCheckpoint } from '../../src/save/save.js'
import { CheckpointManager } from '../support/built.js'
import { fileName } from '../support/manager/folder-of-checkpoints.js'
import { KEEP, keptOf } from '../support/manager/kept.js'
import { startTraining } from '../support/manager/training-process.js'
import { Random } from '../support/random.js'
import { scratchFolder } from '../support/scratch.js'
import { SEED } from '../support/seed.js'
import { createRun } from '../support/trainer/run.js'

const STEPS = 200
// Saves between two kills, at most; half of it on average. Starting a process takes its time.
const MAX_SAVES = 50
// A save takes about as many milliseconds, so that a kill hits any part of one.
const MAX_DELAY = 30

/** What has to hold of the folder after a kill, by a manager of this process. */
async function checkFolder(
  t: ExecutionContext,
  folder: string,
  durable: number,
  losses: readonly number[],
): Promise<void> {
  const warnings: string[] = []
  const onWarning = (message: string) => void warnings.push(message)
  await using manager = new CheckpointManager(folder, { keep: KEEP, onWarning })
  const { model, optimizer, sampler, rng } = createRun()
  const report = await manager.restoreLatest(model, optimizer, { extras: { sampler, rng } })
  const step = report?.step ?? 0
  t.true(step >= durable, `resumes at step ${step}, but ${durable} was durable`)
  t.deepEqual(warnings, [])

  const present = (await manager.list()).map((info) => info.step)
  for (const kept of keptOf(losses.slice(0, step))) {
    t.true(present.includes(kept), `step ${kept} is missing after step ${step}: ${present}`)
  }
  for (const { path } of await manager.list()) {
    await using checkpoint = await loadCheckpoint(path)
    await checkpoint.verify()
  }
}

test('a run that is killed at random always resumes at the newest durable step, and ends the same', async (t) => {
  t.timeout(180_000)
  const folder = await scratchFolder(t)
  const whole = createRun()
  const losses = whole.train(STEPS)

  const random = new Random(SEED, 0)
  let durable = 0
  let kills = 0
  const resumedAt: number[] = []
  while (durable < STEPS) {
    let saves = random.between(1, MAX_SAVES)
    const { child, ended } = startTraining(t, [folder, 'resume', String(STEPS)], (message) => {
      if (message.resumed !== undefined) {
        resumedAt.push(message.resumed)
        t.true(message.resumed >= durable, `resumed at ${message.resumed}, durable was ${durable}`)
        t.is(message.skipped, 0)
      }
      if (message.durable === undefined) return
      durable = Math.max(durable, message.durable)
      if (--saves === 0) setTimeout(() => child.kill('SIGKILL'), random.below(MAX_DELAY))
    })
    const { code, signal, errors } = await ended
    if (signal === 'SIGKILL') kills++
    else t.is(code, 0, errors)
    await checkFolder(t, folder, durable, losses)
  }
  t.log(`${kills} kills; resumed at ${resumedAt}`)

  const names = await readdir(folder)
  t.deepEqual(names.filter((name) => name.endsWith('.ckpt')).sort(), keptOf(losses).map(fileName))
  const { model, optimizer, sampler, rng } = whole
  const expected = join(await scratchFolder(t), 'whole.ckpt')
  const { sequence, savedAt } = (await new RunCheckpoints(new FolderStore(folder)).list()).at(-1)!
  const order = { sequence, savedAt }
  const progress = { step: STEPS, loss: losses.at(-1)!, extras: { sampler, rng }, ...order }
  await saveCheckpoint(expected, model, optimizer, progress)
  const last = await readFile(join(folder, fileName(STEPS)))
  t.true(last.equals(await readFile(expected)), 'the last checkpoint differs')
})
