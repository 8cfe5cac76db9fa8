import { open } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { diffCheckpoints } from '../../src/diff/diff.js'
import { saveCheckpoint } from '../support/built.js'
import { scratchFolder } from '../support/scratch.js'
import { watchThreads } from '../support/threads.js'

type Library = typeof import('../../src/index.js')
type Diff = typeof import('../../src/diff/node/diff.js')

const built = (path: string) => import(new URL(`../../dist/src/${path}`, import.meta.url).href)
const { loadCheckpoint }: Library = await built('index.js')
const inThreads: Diff = await built('diff/node/diff.js')

// Elements of the longest tensor: with both files, enough bytes for threads.
const LONG = 17 * 2 ** 20 + 5

/** Two checkpoints of which no tensor is equal: a long one, many short ones, other dtypes, one without an element. */
async function twoFiles(t: ExecutionContext): Promise<readonly [string, string]> {
  const folder = await scratchFolder(t)
  const paths = ['a.ckpt', 'b.ckpt'].map((name) => join(folder, name)) as [string, string]
  const long = Float32Array.from({ length: LONG }, (_, i) => Math.sin(i))
  for (const [k, path] of paths.entries()) {
    long[LONG - 1] = Number.NaN
    for (let i = k; i < LONG - 1; i += 7) long[i]! += 0.25
    const short = Array.from({ length: 2_000 }, (_, i) => {
      return [`short.${i}`, { shape: [3], data: Int16Array.of(i, k, -k) }] as const
    })
    const half = { dtype: k === 0 ? 'bfloat16' : 'float32', shape: [1000] } as const
    const tensors = [
      ['long', { shape: [LONG], data: long }] as const,
      ...short,
      ['half', { ...half, data: k === 0 ? new Uint16Array(1000) : new Float32Array(1000).fill(1) }],
      ['whole', { shape: [100_000], data: new BigInt64Array(100_000).fill(BigInt(k)) }],
    ] as const
    await saveCheckpoint(path, { stateDict: () => ({ tensors }) }, null, { durable: false })
  }
  return paths
}

test.serial(
  'threads find the same differences as the calling thread alone, to the last bit',
  async (t) => {
    t.timeout(120_000)
    const paths = await twoFiles(t)
    const started = watchThreads()
    for (const map of [true, false]) {
      const [a, b] = await Promise.all(paths.map((path) => loadCheckpoint(path, { map })))
      let last = 0
      const found = await inThreads.diffCheckpoints(a!, b!, {
        onProgress({ done, total }) {
          t.true(done > last && done <= total)
          last = done
        },
      })
      t.is(found.states[0]!.tensors.length, 2_003)
      t.is(found.states[0]!.tensors[0]!.difference!.elements, LONG)
      t.deepEqual(found, await diffCheckpoints(a!, b!))
      for (const each of [a!, b!]) each.close()
    }
    t.is(started.length, 2 * Math.min(4, availableParallelism()))
  },
)

test.serial('a thread that dies leaves its ranges to the calling thread', async (t) => {
  t.timeout(120_000)
  const paths = await twoFiles(t)
  const [a, b] = await Promise.all(paths.map((path) => loadCheckpoint(path, { map: false })))
  const started = watchThreads()
  const found = await inThreads.diffCheckpoints(a!, b!, {
    onProgress: () => {
      for (const thread of started) void thread.terminate()
    },
  })
  t.true(started.length > 0)
  t.deepEqual(found, await diffCheckpoints(a!, b!))
  for (const each of [a!, b!]) each.close()
})

test.serial('damage and an abort end a comparison in threads as they end any other', async (t) => {
  t.timeout(120_000)
  const paths = await twoFiles(t)
  const load = () => Promise.all(paths.map((path) => loadCheckpoint(path, { map: false })))
  const [a, b] = await load()
  const { offset } = b!.model.get('long').segment()
  const file = await open(paths[1], 'r+')
  await file.write(Uint8Array.of(1), 0, 1, offset + 4 * LONG - 4)
  await file.close()
  const [, damaged] = await load()
  const error = await t.throwsAsync(inThreads.diffCheckpoints(a!, damaged!))
  t.like(error, { code: 'CKPT_TENSOR_CHECKSUM', tensor: 'long' })
  const control = new AbortController()
  const reason = new Error('stop')
  const { signal } = control
  const aborted = inThreads.diffCheckpoints(a!, damaged!, {
    signal,
    onProgress: ({ done, total }) => {
      if (done > total / 4) control.abort(reason)
    },
  })
  t.is(await t.throwsAsync(aborted), reason)
  for (const each of [a!, b!, damaged!]) each.close()
})
