import ava from 'ava'
import { sweepUploads } from '../../src/io/s3/probe.js'
import { CheckpointManager } from '../support/built.js'
import { KEEP, keptOf } from '../support/manager/kept.js'
import { startTraining } from '../support/manager/training-process.js'
import { Random } from '../support/random.js'
import { requires } from '../support/requires.js'
import { bucketOf, s3Server } from '../support/s3/bucket.js'
import { ballast, runInBucket } from '../support/s3/run-in-bucket.js'
import { S3_SERVER } from '../support/s3/server-need.js'
import { SEED } from '../support/seed.js'
import { createRun } from '../support/trainer/run.js'

const test = requires(ava, S3_SERVER)

// As many as were recorded: KILLS=200.
const KILLS = Number(process.env.KILLS ?? 3)
// Saves between two kills, at most.
const MAX_SAVES = 5
// A save takes about as many milliseconds, so that a kill hits any request of one.
const MAX_DELAY = 150
// More than the run gets to before the last kill.
const NEVER = '1000000'

test(`a run in a bucket that is killed ${KILLS} times at random always resumes at the newest complete step`, async (t) => {
  t.timeout(60_000 + KILLS * 10_000)
  Object.assign(process.env, (await s3Server()).environment)
  const api = await bucketOf('AwsClient')
  const place = `s3://${api.bucket}/run`
  const store = runInBucket(place, 'AwsClient')
  const random = new Random(SEED, 0)
  let durable = 0
  const train = async (to: string, saves: number): Promise<string | null> => {
    const { child, ended } = startTraining(t, [place, 'resume', to], (message) => {
      if (message.resumed !== undefined) t.true(message.resumed >= durable)
      if (message.skipped !== undefined) t.is(message.skipped, 0)
      if (message.durable === undefined) return
      durable = Math.max(durable, message.durable)
      if (--saves === 0) setTimeout(() => child.kill('SIGKILL'), random.below(MAX_DELAY))
    })
    const { code, signal, errors } = await ended
    if (signal !== 'SIGKILL') t.is(code, 0, errors)
    return signal
  }
  /** Resumes in this process; returns the step. */
  const resume = async (): Promise<number> => {
    const warnings: string[] = []
    const onWarning = (message: string) => void warnings.push(message)
    await using manager = new CheckpointManager(store, { keep: KEEP, onWarning })
    const { model, optimizer, sampler, rng } = createRun()
    const extras = { sampler, rng, ballast }
    const report = await manager.restoreLatest(model, optimizer, { extras })
    t.deepEqual(warnings, [])
    const steps = (await manager.list()).map(({ step }) => step)
    t.is(report?.step ?? 0, Math.max(0, ...steps))
    return report?.step ?? 0
  }

  for (let kills = 0; kills < KILLS; ) {
    if ((await train(NEVER, random.between(1, MAX_SAVES))) === 'SIGKILL') kills++
    const step = await resume()
    t.true(step >= durable, `resumes at step ${step}, but ${durable} was durable`)
  }
  const last = durable + 3
  t.is(await train(String(last), Number.POSITIVE_INFINITY), null)
  t.is(await resume(), last)
  const { Uploads } = await api.send('ListMultipartUploads', { Prefix: 'run/' })
  t.log(`${KILLS} kills, ${last} steps, ${Uploads.length} unfinished uploads before the sweep`)

  // The run has ended the same as one that never stopped, and nothing is left of the kills.
  const whole = createRun()
  const losses = whole.train(last)
  const files = await store.list()
  const kept = keptOf(losses).map((step) => `step-${String(step).padStart(12, '0')}.ckpt`)
  t.deepEqual(files.map(({ name }) => name).sort(), kept)
  const run = createRun()
  await using manager = new CheckpointManager(store)
  const extras = { sampler: run.sampler, rng: run.rng, ballast }
  await manager.restoreLatest(run.model, run.optimizer, { extras })
  t.deepEqual(run.train(5), whole.train(5))
  await sweepUploads(api, 'run/', 0)
  t.deepEqual((await api.send('ListMultipartUploads', { Prefix: 'run/' })).Uploads, [])
})
