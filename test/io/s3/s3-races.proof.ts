/** Two savers of one name, whose commits are on their way to a real server at the same time. */

import ava from 'ava'
import { slowTimes } from '../../support/effort.js'
import { Random } from '../../support/random.js'
import { requires } from '../../support/requires.js'
import { DisturbedBucket } from '../../support/s3/disturbed.js'
import { NAME, saveGeneration } from '../../support/s3/generations.js'
import { S3_SERVER } from '../../support/s3/server-need.js'
import { SEED } from '../../support/seed.js'

const test = requires(ava, S3_SERVER)

const random = new Random(SEED, 0)
// S3_RACES=1000 for a recorded run.
const RACES = Number(process.env.S3_RACES ?? slowTimes(2))

/** Holds the commits of both savers until both have arrived, and tells whether the server had both at once. */
class Start {
  #arrived = 0
  #sent = 0
  #open: () => void = () => {}
  readonly #both = new Promise<void>((resolve) => {
    this.#open = resolve
  })
  /** Whether both were sent on before one was answered. */
  isTogether: boolean | undefined

  async arrive(): Promise<undefined> {
    this.#arrived++
    if (this.#arrived === 2) this.#open()
    await this.#both
    // Otherwise the first to arrive would always be the first to reach the server.
    if (random.oneIn(2)) await new Promise(setImmediate)
    this.#sent++
    return undefined
  }

  answered(): void {
    this.isTogether ??= this.#sent === 2
  }
}

test('of two uploads with If-None-Match that commit at once, exactly one wins', async (t) => {
  await using bucket = await DisturbedBucket.make('AwsClient')
  const stores = [bucket.store, await bucket.storeBy('S3Client')] as const
  const pairs = [
    [stores[0], stores[0]],
    [stores[0], stores[1]],
    [stores[1], stores[1]],
  ] as const
  const wins = [0, 0]
  let together = 0
  for (let race = 0; race < RACES; race++) {
    const condition = await bucket.prepare('long', 'absent')
    const start = new Start()
    // Not that of the probe object: held, it would be cut off, and sent again beside itself.
    const isCommit = (method: string, url: string) =>
      method === 'POST' && url.includes(`/${NAME}?`) && url.includes('uploadId=')
    bucket.proxy.reset({
      before: ({ method, url }) => (isCommit(method, url) ? start.arrive() : undefined),
      after: ({ method, url }) => (isCommit(method, url) ? start.answered() : undefined),
    })
    const results = await Promise.allSettled(
      pairs[race % 3]!.map((store, i) =>
        saveGeneration({ store, name: NAME, condition }, 'long', i + 1),
      ),
    )
    bucket.proxy.reset()
    const won = results.flatMap(({ status }, i) => (status === 'fulfilled' ? [i] : []))
    t.is(won.length, 1, JSON.stringify(results))
    const lost = results.find((result) => result.status === 'rejected')
    t.is(lost?.reason.code, 'CKPT_EXISTS')
    t.is(await bucket.generation('long'), won[0]! + 1)
    t.deepEqual(await bucket.uploads(), [])
    wins[won[0]!]!++
    if (start.isTogether) together++
  }
  t.is(together, RACES)
  t.log(`${RACES} races, both commits on their way at once in ${together}; won by ${wins}`)
})
