/**
 * Trains to a step, from the newest checkpoint on, saving after every step. Tells its parent of every
 * step that is durable, and waits for it after the first where it is asked to.
 *
 *   train <folder> <from> <to> [wait]     `from`: the step to begin after, where nothing is restored
 *   train <folder> resume <to>
 *
 * <folder> may be s3://bucket/prefix, and MIRROR in the environment is such a location. The checkpoints then have 12 MiB
 * more, and are uploads of several parts.
 */

import { once } from 'node:events'
import { CheckpointManager } from '../../built.js'
import { ballast, runInBucket } from '../../s3/run-in-bucket.js'
import { createRun } from '../../trainer/run.js'
import { KEEP } from '../kept.js'

const [folder = '', from = '', to = '', wait] = process.argv.slice(2)
const run = createRun()
const { model, optimizer, sampler, rng } = run
const isInBucket = folder.startsWith('s3://')
const { MIRROR } = process.env
const mirror = MIRROR === undefined ? undefined : runInBucket(MIRROR, 'AwsClient')
const extras = { sampler, rng, ...(isInBucket || mirror ? { ballast } : {}) }
const place = isInBucket ? runInBucket(folder, 'AwsClient') : folder
const tell = (message: object) => process.send?.(message)

await using manager = new CheckpointManager(place, { keep: KEEP, mirror })
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
