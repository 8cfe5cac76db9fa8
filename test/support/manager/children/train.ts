/**
 * Trains to a step, from the newest checkpoint on, saving after every step. Tells its parent of every
 * step that is durable, and waits for it after the first where it is asked to.
 *
 *   train <folder> <from> <to> [wait]     `from`: the step to begin after, where nothing is restored
 *   train <folder> resume <to>
 */

import { once } from 'node:events'
import { CheckpointManager } from '../../built.js'
import { createRun } from '../../trainer/run.js'
import { KEEP } from '../kept.js'

const [folder = '', from = '', to = '', wait] = process.argv.slice(2)
const run = createRun()
const { model, optimizer, sampler, rng } = run
const extras = { sampler, rng }
const tell = (message: object) => process.send?.(message)

await using manager = new CheckpointManager(folder, { keep: KEEP })
let step = Number(from)
if (from === 'resume') {
  const report = await manager.restoreLatest(model, optimizer, { extras })
  step = report?.step ?? 0
  tell({ resumed: step, skipped: report?.skipped.length ?? 0 })
}
while (step < Number(to)) {
  const [loss] = run.train(1)
  step++
  await manager.save(model, optimizer, { step, loss: loss!, extras })
  const durable = step
  void manager.flush().then(() => tell({ durable }))
  if (wait !== undefined && step === Number(from) + 1) {
    await manager.flush()
    tell({ waiting: true })
    await once(process, 'message')
  }
}
await manager.flush()
process.disconnect?.()
