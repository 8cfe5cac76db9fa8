import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import ava from 'ava'
import { loadCheckpoint } from '../../src/load/load.js'
import { CheckpointManager } from '../support/built.js'
import { fileName } from '../support/manager/folder-of-checkpoints.js'
import { startTraining } from '../support/manager/training-process.js'
import { Random } from '../support/random.js'
import { requires } from '../support/requires.js'
import { bucketOf, s3Server } from '../support/s3/bucket.js'
import { ballast, runInBucket } from '../support/s3/run-in-bucket.js'
import { S3_SERVER } from '../support/s3/server-need.js'
import { scratchFolder } from '../support/scratch.js'
import { SEED } from '../support/seed.js'
import { createRun } from '../support/trainer/run.js'

const test = requires(ava, S3_SERVER)

// As many as were recorded: KILLS=200.
const KILLS = Number(process.env.KILLS ?? 3)
// Saves between two kills, at most.
const MAX_SAVES = 5
// An upload takes about as many milliseconds, so that a kill hits any part of one.
const MAX_DELAY = 300
// More than the run gets to before the last kill.
const NEVER = '1000000'

test(`a run with a mirror that is killed ${KILLS} times, and loses its folder every other time, resumes at the newest complete step of both`, async (t) => {
  t.timeout(60_000 + KILLS * 15_000)
  const { environment } = await s3Server()
  Object.assign(process.env, environment)
  const { bucket } = await bucketOf('AwsClient')
  const MIRROR = `s3://${bucket}/run`
  const mirror = runInBucket(MIRROR, 'AwsClient')
  const folder = join(await scratchFolder(t), 'run')
  const random = new Random(SEED, 0)
  const resumedAt: number[] = []
  let expected = 0
  let durable = 0

  const train = async (to: string, saves: number): Promise<string | null> => {
    const { child, ended } = startTraining(
      t,
      [folder, 'resume', to],
      (message) => {
        if (message.resumed !== undefined) {
          resumedAt.push(message.resumed)
          t.true(message.resumed >= expected, `resumed at ${message.resumed}, not ${expected}`)
          durable = message.resumed
        }
        if (message.skipped !== undefined) t.is(message.skipped, 0)
        if (message.durable === undefined) return
        durable = Math.max(durable, message.durable)
        if (--saves === 0) setTimeout(() => child.kill('SIGKILL'), random.below(MAX_DELAY))
      },
      { MIRROR },
    )
    const { code, signal, errors } = await ended
    if (signal !== 'SIGKILL') t.is(code, 0, errors)
    return signal
  }
  /** The newest step of the mirror, where every checkpoint must be whole. */
  const mirrored = async (): Promise<number> => {
    await using manager = new CheckpointManager(mirror)
    const infos = await manager.list()
    t.is(infos.length, (await mirror.list()).length)
    for (const { step } of infos) {
      await using checkpoint = await loadCheckpoint({ store: mirror, name: fileName(step) })
      await checkpoint.verify()
    }
    return infos.at(-1)?.step ?? 0
  }

  for (let kill = 0; kill < KILLS; kill++) {
    t.is(await train(NEVER, random.between(1, MAX_SAVES)), 'SIGKILL')
    const newest = await mirrored()
    const isLost = kill % 2 === 0
    if (isLost) await rm(folder, { recursive: true, force: true })
    expected = isLost ? newest : durable
  }
  const last = Math.max(durable, expected) + 3
  t.is(await train(String(last), Number.POSITIVE_INFINITY), null)
  t.is(await mirrored(), last, 'close has waited for the last upload')
  t.log(`${KILLS} kills, ${last} steps; resumed at ${resumedAt}`)

  // On another machine the run goes on as one that never stopped.
  const whole = createRun()
  whole.train(last)
  const run = createRun()
  await using elsewhere = new CheckpointManager(join(folder, 'other'), { mirror })
  const extras = { sampler: run.sampler, rng: run.rng, ballast }
  t.is((await elsewhere.restoreLatest(run.model, run.optimizer, { extras }))?.step, last)
  t.deepEqual(run.train(5), whole.train(5))
})
