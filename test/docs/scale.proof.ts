/** docs/scale.md: its formulas agree with the requests of real saves and restores, and its table with its formulas. */

import { readFileSync } from 'node:fs'
import ava from 'ava'
import { S3Store } from '../../src/io/s3/s3-store.js'
import { loadCheckpoint } from '../../src/load/load.js'
import type { CheckpointTensor } from '../../src/load/state.js'
import { CheckpointManager } from '../../src/manager/checkpoint-manager.js'
import { restoreCheckpoint } from '../../src/restore/restore.js'
import { saveCheckpoint } from '../../src/save/save.js'
import { memoryState } from '../support/memory-state.js'
import { requires } from '../support/requires.js'
import { bucketOf, s3Server } from '../support/s3/bucket.js'
import { countingClient } from '../support/s3/counting-client.js'
import { S3_SERVER } from '../support/s3/server-need.js'
import { scratchFolder } from '../support/scratch.js'

const test = requires(ava, S3_SERVER)

const MIB = 2 ** 20
const page = readFileSync(new URL('../../docs/scale.md', import.meta.url), 'utf8')

// The formulas of the page, by the names that it gives.
const partOf = (B: number) => Math.max(8, Math.ceil(B / 10_000 / MIB)) * MIB
const partsOf = (B: number) => Math.ceil(B / partOf(B))
const saveRequests = (B: number) => (B <= 8 * MIB ? 1 : partsOf(B) + 2)
const reads = (bytes: number) => Math.ceil(bytes / (16 * MIB))
const first = (M: number) => (M > 64 * 1024 ? 2 : 1)
const restoreRequests = (B: number, M: number) => first(M) + 2 * (reads(B - M) + 1)
const cacheRequests = (B: number) => 1 + reads(B) + 1

async function storeOf() {
  const { endpoint } = await s3Server()
  const { bucket } = await bucketOf('AwsClient')
  const client = await countingClient()
  // The sweep of unfinished uploads is one more LIST, and the probe of checksums one more PUT, once for each store.
  const once = { sweepAfter: Number.POSITIVE_INFINITY, checksums: true }
  const options = { endpoint, bucket, prefix: 'run', ...once }
  return { client, store: new S3Store({ client, ...options }) }
}

const names = (requests: string[]) => {
  const counts: Record<string, number> = {}
  for (const name of requests.splice(0)) counts[name] = (counts[name] ?? 0) + 1
  return counts
}

for (const { mib, tensors } of [
  { mib: 1, tensors: 1 },
  { mib: 20, tensors: 1 },
  { mib: 50, tensors: 1000 },
]) {
  test(`${mib} MiB in ${tensors} tensors take as many requests as the formulas say`, async (t) => {
    const { client, store } = await storeOf()
    const state = () =>
      memoryState(
        Object.fromEntries(
          Array.from({ length: tensors }, (_, i) => [
            `layer.${i}.weight`,
            new Float32Array((mib * MIB) / 4 / tensors).fill(i),
          ]),
        ),
      )
    const { byteLength } = await saveCheckpoint({ store, name: 'a.ckpt' }, state())
    const saved = client.requests.splice(0).length
    t.is(saved, saveRequests(byteLength))

    const checkpoint = await loadCheckpoint({ store, name: 'a.ckpt' })
    const opened = client.requests.length
    const [[, tensor]] = [...checkpoint.model] as [[string, CheckpointTensor]]
    const M = tensor.segment().start
    await restoreCheckpoint(checkpoint, state())
    checkpoint.close()
    t.is(opened, first(M))
    t.is(client.requests.splice(0).length, restoreRequests(byteLength, M))

    const cache = await scratchFolder(t)
    for (const requests of [cacheRequests(byteLength), 1]) {
      await using copy = await loadCheckpoint({ store, name: 'a.ckpt' }, { cache })
      await restoreCheckpoint(copy, state())
      t.is(client.requests.splice(0).length, requests)
    }
  })
}

test('what a manager adds to a save is as the page says', async (t) => {
  const { client, store } = await storeOf()
  const manager = new CheckpointManager(store, { keep: { newest: 2 } })
  const counts: Record<string, number>[] = []
  for (let step = 1; step <= 4; step++) {
    await manager.save(memoryState({ w: new Float32Array(10) }), null, { step })
    await manager.flush()
    counts.push(names(client.requests))
  }
  await manager.close()
  t.log(JSON.stringify(counts))
  t.deepEqual(counts.at(-1), { LIST: 2, PUT: 1, GET: 2, HEAD: 1, DELETE: 1 })
})

test('the table of costs has what the formulas give', (t) => {
  for (const [name, B] of [
    ['1 GB', 1e9],
    ['100 GB', 1e11],
    ['10 TB', 1e13],
  ] as const) {
    const count = (n: number) => n.toLocaleString('en')
    const writes = saveRequests(B)
    const twice = 2 + 2 * (reads(B) + 1)
    const once = cacheRequests(B)
    const money = (n: number) => `$${Number(n.toPrecision(2))}`
    const time = (rate: number) => {
      const s = B / rate
      return s < 100
        ? `${Number(s.toPrecision(2))} s`
        : s < 6000
          ? `${Math.round(s / 60)} min`
          : `${Math.round(s / 3600)} h`
    }
    const cells = [
      name,
      `${partOf(B) / MIB} MiB`,
      count(writes),
      money(writes * 5e-6),
      count(twice),
      count(once),
      money(twice * 4e-7),
      time(125e6),
      time(1.25e9),
    ]
    t.true(page.includes(`| ${cells.join(' | ')} |`), `| ${cells.join(' | ')} |`)
  }
})
