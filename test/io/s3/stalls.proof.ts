/** Parts that stall: after which time they are cut off and sent again. */

import ava from 'ava'
import { requires } from '../../support/requires.js'
import { clientNames } from '../../support/s3/bucket.js'
import { DisturbedBucket } from '../../support/s3/disturbed.js'
import { NAME, PART, saveGeneration } from '../../support/s3/generations.js'
import { S3_SERVER } from '../../support/s3/server-need.js'

const test = requires(ava, S3_SERVER)

// In milliseconds.
const STALLED_AFTER = 1500
// What a part may take before another one has shown how fast they are: as long again for each 2 MiB.
const LONGEST = STALLED_AFTER * (1 + PART / 2 ** 21)

for (const client of clientNames) {
  test(`${client}: a part that stalls is cut off sooner, once others have shown how fast they are`, async (t) => {
    await using bucket = await DisturbedBucket.make(client, {
      stalledAfter: STALLED_AFTER,
      partsAtOnce: 1,
    })
    const arrivals = new Map<string, number[]>()
    bucket.proxy.reset({
      before({ method, url }) {
        const number = /[?&]partNumber=(\d+)/.exec(url)?.[1]
        if (method !== 'PUT' || number === undefined) return undefined
        const times = arrivals.get(number) ?? []
        arrivals.set(number, [...times, performance.now()])
        // The second part comes first, with the first one; the third when one of them has arrived.
        return /^[23]$/.test(number) && times.length === 0 ? 'stall' : undefined
      },
    })
    await saveGeneration({ store: bucket.store, name: NAME }, 'longer', 2)
    t.is(await bucket.generation('longer'), 2)
    const waitOf = (number: string): number => {
      const [first, second, ...more] = arrivals.get(number)!
      t.deepEqual(more, [], 'sent twice')
      return second! - first!
    }
    const [before, after] = [waitOf('2'), waitOf('3')]
    t.log(`${Math.round(before)} ms before, ${Math.round(after)} ms after`)
    // A request is timed from its beginning. The proxy counts from the arrival of its last byte.
    t.true(before > LONGEST * 0.8)
    t.true(after > STALLED_AFTER * 0.5)
    t.true(after < LONGEST * 0.8)
  })
}
