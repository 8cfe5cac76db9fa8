/** Saves to a bucket over a network that fails. What the save says afterwards is true. */

import ava, { type ExecutionContext } from 'ava'
import { messageOf } from '../../../src/errors.js'
import { startChild } from '../../support/child.js'
import { Random } from '../../support/random.js'
import { requires } from '../../support/requires.js'
import { type ClientName, clientNames, s3Server } from '../../support/s3/bucket.js'
import { DisturbedBucket, eachAtOnce } from '../../support/s3/disturbed.js'
import type { Fault, Watcher } from '../../support/s3/fault-proxy.js'
import {
  type ConditionName,
  type FileName,
  NAME,
  saveGeneration,
} from '../../support/s3/generations.js'
import { S3_SERVER } from '../../support/s3/server-need.js'
import { SEED } from '../../support/seed.js'

const test = requires(ava, S3_SERVER)

const FAULTS: readonly Fault[] = [
  500,
  503,
  409,
  'reset',
  'truncated',
  'stall',
  'lost',
  'unanswered',
  'half',
  { flip: 7 },
]
// Milliseconds in which a stopped save ends. A recorded run keeps a machine busy, and may share it with others.
const SOON = process.env.S3_FAULTS === 'all' ? 100_000 : 15_000

const CONDITIONS: readonly ConditionName[] = ['none', 'absent', 'version']

interface Case {
  readonly file: FileName
  readonly condition: ConditionName
  readonly fault: Fault
  readonly index: number
}

/** What a save and its place have to do with each other. */
interface Outcome {
  readonly code: string | undefined
  readonly generation: number
}

/** S3_FAULTS=all runs all of them, which takes minutes; otherwise a random share. */
function share<T>(items: readonly T[], count: number): readonly T[] {
  if (process.env.S3_FAULTS === 'all') return items
  const random = new Random(SEED, items.length)
  const shuffled = [...items]
  for (let i = shuffled.length - 1; i > 0; i--) {
    const j = random.below(i + 1)
    ;[shuffled[i], shuffled[j]] = [shuffled[j]!, shuffled[i]!]
  }
  return shuffled.slice(0, count)
}

/** The number of requests of a save. The first one with a condition probes the server. */
async function requestsOf(
  client: ClientName,
  file: FileName,
  name: ConditionName,
): Promise<number> {
  await using bucket = await DisturbedBucket.make(client)
  const condition = await bucket.prepare(file, name)
  await saveGeneration({ store: bucket.store, name: NAME, condition }, file, 2)
  return bucket.proxy.requests.length
}

/** Every fault at every request, with each condition. */
async function casesOf(client: ClientName, faults: readonly Fault[]): Promise<Case[]> {
  const cases: Case[] = []
  for (const file of ['short', 'long'] as const) {
    const plain = await requestsOf(client, file, 'none')
    const probed = await requestsOf(client, file, 'absent')
    for (const [i, fault] of faults.entries()) {
      for (let index = 0; index < probed; index++) {
        const condition = CONDITIONS[(index + i) % 3]!
        if (index < plain) cases.push({ file, fault, index, condition })
        else cases.push({ file, fault, index, condition: index % 2 === 0 ? 'absent' : 'version' })
      }
    }
  }
  return cases
}

/** A moment of a save: a request that has arrived, one that the server has answered, one that it does not answer. */
interface Moment extends Case {
  readonly moment: 'before' | 'after' | 'stalled'
}

/** Every request of a save, before and after the server has carried it out. */
async function momentsOf(client: ClientName, stalls: readonly 'stall'[]): Promise<Moment[]> {
  const moments = ['before', 'after', ...stalls.map(() => 'stalled' as const)] as const
  const cases = await casesOf(client, ['lost'])
  return cases.flatMap((each) => moments.map((moment) => ({ ...each, moment })))
}

/** Runs a save of generation 2 over what is there, disturbed by the watcher, and returns what came of it. */
async function disturb(
  bucket: DisturbedBucket,
  { file, condition }: Case,
  watcher: Watcher,
  signal?: AbortSignal,
): Promise<Outcome> {
  const asked = await bucket.prepare(file, condition)
  bucket.proxy.reset(watcher)
  let code: string | undefined
  try {
    await saveGeneration({ store: bucket.store, name: NAME, condition: asked }, file, 2, signal)
  } catch (error) {
    code = (error as { code?: string }).code ?? messageOf(error)
  }
  bucket.proxy.reset()
  return { code, generation: await bucket.generation(file) }
}

/** Asserts that a save that failed said what is true. */
function isTrue(t: ExecutionContext, { file, condition }: Case, outcome: Outcome, what: string) {
  const { code, generation } = outcome
  const old = condition === 'absent' ? 0 : 1
  if (code === undefined) t.is(generation, 2, what)
  else if (code === 'CKPT_NOT_DURABLE') t.true([old, 2].includes(generation), what)
  else {
    t.is(code, 'CKPT_NOT_COMMITTED', `${what} ${file}`)
    t.is(generation, old, what)
  }
}

for (const client of clientNames) {
  test(`${client}: one request fails, in any way: the save succeeds, whatever its condition`, async (t) => {
    const cases = share(await casesOf(client, FAULTS), 10)
    await eachAtOnce(cases, 3, async (each) => {
      const what = JSON.stringify(each)
      await using bucket = await DisturbedBucket.make(client)
      const outcome = await disturb(bucket, each, {
        before: ({ index }) => (index === each.index ? each.fault : undefined),
      })
      // A request to commit that was changed can be one that no server takes.
      if (typeof each.fault === 'object') isTrue(t, each, outcome, what)
      else t.deepEqual(outcome, { code: undefined, generation: 2 }, what)
      // Only the upload of a creation whose answer was lost is left.
      t.true((await bucket.uploads()).length <= 1, what)
      t.deepEqual(await bucket.swept(), [], what)
    })
    t.log(`${cases.length} saves`)
  })

  test(`${client}: from one request on, all fail: what the save says is true`, async (t) => {
    const lasting: readonly Fault[] = [500, 'reset', 'lost', 'unanswered']
    const cases = share(await casesOf(client, lasting), 4)
    const codes: Record<string, number> = {}
    await eachAtOnce(cases, 8, async (each) => {
      const what = JSON.stringify(each)
      await using bucket = await DisturbedBucket.make(client, { stalledAfter: 300 })
      const outcome = await disturb(bucket, each, {
        before: ({ index }) => (index >= each.index ? each.fault : undefined),
      })
      isTrue(t, each, outcome, `${what} ${JSON.stringify(outcome)}`)
      t.deepEqual(await bucket.swept(), [], what)
      const code = outcome.code ?? 'saved'
      codes[code] = (codes[code] ?? 0) + 1
    })
    t.log(codes)
  })

  test(`${client}: a save that is stopped at a request leaves the old object or the new one, and no upload`, async (t) => {
    const cases = share(await momentsOf(client, ['stall']), 2)
    await eachAtOnce(cases, 4, async (each) => {
      const what = JSON.stringify(each)
      await using bucket = await DisturbedBucket.make(client, { stalledAfter: 30_000 })
      const stop = new AbortController()
      const reason = Object.assign(new Error('stopped'), { code: 'STOPPED' })
      let stopped = 0
      const at = (index: number) => {
        if (index !== each.index) return
        stopped = performance.now()
        stop.abort(reason)
      }
      const { code, generation } = await disturb(
        bucket,
        each,
        {
          before: ({ index }) => {
            if (each.moment !== 'after') at(index)
            return each.moment === 'stalled' && index === each.index ? 'stall' : undefined
          },
          after: ({ index }) => (each.moment === 'after' ? at(index) : undefined),
        },
        stop.signal,
      )
      // A save may need fewer requests than the one that the cases were taken from.
      if (stopped > 0) t.true(performance.now() - stopped < SOON, `${what} soon`)
      const old = each.condition === 'absent' ? 0 : 1
      if (code === 'STOPPED') t.is(generation, old, what)
      else if (code === undefined) t.is(generation, 2, what)
      else t.is(code, 'CKPT_NOT_DURABLE', what)
      // A probe of the server goes on, because other saves may wait for it.
      t.false((await bucket.uploads()).includes(NAME), what)
    })
    t.log(`${cases.length} saves`)
  })

  test(`${client}: a saver that is killed at a request leaves the old object or the new one`, async (t) => {
    const { region, accessKeyId, secretAccessKey } = await s3Server()
    const cases = share(await momentsOf(client, []), 2)
    const found = [0, 0, 0]
    await eachAtOnce(cases, 2, async (each) => {
      const what = JSON.stringify(each)
      await using bucket = await DisturbedBucket.make(client)
      const condition = await bucket.prepare(each.file, each.condition)
      const { endpoint } = bucket.proxy
      const { file } = each
      const place = { client, endpoint, bucket: bucket.api.bucket, file, condition }
      const child = startChild(t, 'save-to-bucket', [
        JSON.stringify({ ...place, region, accessKeyId, secretAccessKey }),
      ])
      const at = async (index: number, moment: string) => {
        if (index !== each.index || moment !== each.moment) return
        child.process.kill('SIGKILL')
        await child.ended
      }
      bucket.proxy.reset({
        before: async ({ index }) => {
          await at(index, 'before')
          return undefined
        },
        after: ({ index }) => at(index, 'after'),
      })
      const { signal, errors } = await child.ended
      await bucket.proxy.idle()
      const generation = await bucket.generation(file)
      // A save may need fewer requests than the one that the cases were taken from.
      if (signal === null) t.is(generation, 2, errors)
      else t.is(signal, 'SIGKILL', errors)
      t.true([each.condition === 'absent' ? 0 : 1, 2].includes(generation), what)
      found[generation]!++
      t.deepEqual(await bucket.swept(), [], what)
    })
    t.log(`${cases.length} savers: found nothing, the old one, the new one: ${found}`)
  })
}
