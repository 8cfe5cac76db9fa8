/** docs/scale.md: its formulas of time, against saves and restores over a network that carries as much as they say. */

import ava, { type ExecutionContext } from 'ava'
import { S3Store } from '../../src/io/s3/s3-store.js'
import { loadCheckpoint } from '../../src/load/load.js'
import { restoreCheckpoint } from '../../src/restore/restore.js'
import { saveCheckpoint } from '../../src/save/save.js'
import { startChild } from '../support/child.js'
import { memoryState } from '../support/memory-state.js'
import { requires } from '../support/requires.js'
import { bucketOf, clientOf, s3Server } from '../support/s3/bucket.js'
import { S3_SERVER } from '../support/s3/server-need.js'
import { scratchFolder } from '../support/scratch.js'

const test = requires(ava.serial, S3_SERVER)

// SCALE_TIMES=21,150,1500 for a recorded run: lengths in MB.
const isRecorded = process.env.SCALE_TIMES !== undefined
const LENGTHS = (process.env.SCALE_TIMES ?? '4').split(',').map((mb) => Number(mb) * 1e6)

const MIB = 2 ** 20
const NAME = 'a.ckpt'
const TENSOR = 1_000_000

/** What a network carries: bytes per second in all and by one connection, and seconds of a round trip. */
interface Network {
  readonly W: number
  readonly w: number
  readonly r: number
}

// The formulas of the page, without `s`: requests of up to `unit` bytes, `atOnce` of them at once.
const seconds = (B: number, unit: number, atOnce: number, { W, w }: Network) =>
  Math.max(B / W, (Math.ceil(B / unit / atOnce) * Math.min(B, unit)) / w)
const saveTime = (B: number, network: Network) => seconds(B, 8 * MIB, 8, network) + 3 * network.r
const readTime = (B: number, network: Network) => seconds(B, 16 * MIB, 4, network)
const restoreTime = (B: number, network: Network) => 2 * readTime(B, network) + 3 * network.r
const cacheTime = (B: number, network: Network) => readTime(B, network) + 3 * network.r

// Seconds of a network's bandwidth that it may carry at once, after pauses: those of slow-proxy.ts.
const BURSTS = 0.4

const NETWORKS: readonly (Network & { readonly name: string })[] = [
  { name: '`W` = 20 MB/s', W: 20e6, w: Number.POSITIVE_INFINITY, r: 0.04 },
  { name: '`w` = 4 MB/s', W: Number.POSITIVE_INFINITY, w: 4e6, r: 0.04 },
]

/** A store behind such a network. */
async function storeBehind(t: ExecutionContext, { W, w, r }: Network): Promise<S3Store> {
  const { bucket } = await bucketOf('AwsClient')
  const port = Number(new URL((await s3Server()).endpoint).port)
  // JSON has no infinity: null stands for it.
  const limits = JSON.stringify({ port, total: W, each: w, roundTrip: r * 1000 })
  const proxy = startChild(t, 'slow-proxy', [limits])
  const endpoint = `http://127.0.0.1:${(await proxy.lines.next()).value}`
  const options = { endpoint, bucket, sweepAfter: Number.POSITIVE_INFINITY }
  return new S3Store({ client: await clientOf('AwsClient'), ...options })
}

/** Memory of so many bytes, in tensors. */
function stateOf(byteLength: number): { [name: string]: Float32Array } {
  const count = Math.round(byteLength / 4 / TENSOR)
  const length = Math.floor(byteLength / 4 / count)
  return Object.fromEntries(
    Array.from({ length: count }, (_, i) => [`w${i}`, new Float32Array(length).fill(i + 1)]),
  )
}

// In so short a run the first one would show nothing.
for (const network of isRecorded ? NETWORKS : NETWORKS.slice(1)) {
  test(`saves and restores take the time that the formulas give, ${network.name}`, async (t) => {
    t.timeout(600_000)
    const store = await storeBehind(t, network)
    for (const length of LENGTHS) {
      const state = stateOf(length)
      const timed = async (run: () => Promise<void>): Promise<number> => {
        const start = performance.now()
        await run()
        return (performance.now() - start) / 1000
      }
      const restore = (cache?: string) => async (): Promise<void> => {
        for (const data of Object.values(state)) data.fill(0)
        await using checkpoint = await loadCheckpoint({ store, name: NAME }, { cache })
        await restoreCheckpoint(checkpoint, memoryState(state))
        t.true(Object.values(state).every((data, i) => data.at(-1) === i + 1))
      }
      let B = 0
      const measured = [
        await timed(async () => {
          B = (await saveCheckpoint({ store, name: NAME }, memoryState(state))).byteLength
        }),
        await timed(restore()),
        await timed(restore(await scratchFolder(t))),
      ]
      const said = [saveTime(B, network), restoreTime(B, network), cacheTime(B, network)]
      const cells = said.map((time, i) => `${time.toFixed(2)} / ${measured[i]!.toFixed(2)}`)
      const row = `| ${network.name} | ${Math.round(B / 1e6)} MB | ${cells.join(' | ')} |`
      t.log(row)
      for (const [i, time] of said.entries()) {
        // Nothing is faster than the network. A busy machine may take longer, so that only a recorded run shows how much.
        t.true(measured[i]! > 0.95 * time - BURSTS, row)
      }
    }
  })
}
