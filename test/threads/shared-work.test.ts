import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import test from 'ava'
import type { Copy } from '../../src/io/concurrency.js'
import { libc, type MemoryCalls } from '../../src/io/file/libc.js'
import { copyBy, helpToWork, readCachedBy, workTogether } from '../../src/threads/shared-work.js'
import { times } from '../support/effort.js'
import fc from '../support/fast-check.js'
import { requires } from '../support/requires.js'

/** Memory whose addresses are numbers of our own, where the copy with this number fails. */
function pretendedMemory(failAt = Number.POSITIVE_INFINITY) {
  const known: Uint8Array[] = []
  let copied = 0
  const calls: MemoryCalls = {
    addressOf: (bytes) => BigInt(known.push(bytes) - 1),
    copy(target, source, length) {
      if (copied === failAt) throw new Error('it cannot be read')
      copied++
      known[Number(target)]!.set(known[Number(source)]!.subarray(0, length))
    },
  }
  return { calls, copied: () => copied }
}

function copiesOf(lengths: readonly number[]): Copy[] {
  return lengths.map((length, i) => ({
    target: new Uint8Array(length),
    source: new Uint8Array(length).fill(i + 1),
  }))
}

/** The copies as tasks over `calls`. */
const tasksOf = (copies: readonly Copy[], calls: MemoryCalls) =>
  copies.map(({ target, source }) => ({
    target: calls.addressOf(target),
    source: calls.addressOf(source),
    length: source.byteLength,
  }))

const areMade = (copies: readonly Copy[]) =>
  copies.every(({ target, source }) => Buffer.compare(target, source) === 0)

const lengthsOfCopies = fc.array(fc.nat(40), { maxLength: 20 })

test('each task is done once, by either thread, or said not to be done', (t) => {
  fc.assert(
    fc.property(
      lengthsOfCopies,
      fc.constantFrom('nobody comes', 'the other thread makes them', 'it comes too late'),
      fc.option(fc.nat(20)),
      (lengths, who, failAt) => {
        const copies = copiesOf(lengths)
        const { calls, copied } = pretendedMemory(failAt ?? undefined)
        let list: SharedArrayBuffer | undefined
        const done = workTogether(tasksOf(copies, calls), copyBy(calls), (sent) => {
          list = sent
          if (who !== 'the other thread makes them') return
          helpToWork(sent, copyBy(calls))
          // Nothing is left to this thread.
          if (failAt === null) t.is(copied(), copies.length)
        })
        const made = copied()
        if (made !== done.filter((isDone) => isDone).length) return false
        if (who === 'it comes too late') {
          for (const { target } of copies) target.fill(99)
          helpToWork(list!, copyBy(calls))
          // By then the memory may be used for something else.
          return copied() === made && copies.every(({ target }) => target.every((x) => x === 99))
        }
        return areMade(copies.filter((_, i) => done[i]))
      },
    ),
  )
})

test('what the system does not hold in memory, or only in part, is said not to be read', (t) => {
  const held = 1000n
  const tasks = [0n, 100n, 990n, 1000n, 2000n].map((source) => ({ target: 7n, source, length: 20 }))
  const asked: unknown[] = []
  const read = readCachedBy((fd, address, length, position) => {
    asked.push([fd, address, length, position])
    return Math.min(length, Math.max(0, Number(held) - position))
  }, 5)
  t.deepEqual(
    workTogether(tasks, read, () => {}),
    [true, true, false, false, false],
  )
  t.deepEqual(
    asked,
    tasks.map(({ source }) => [5, 7n, 20, Number(source)]),
  )
})

// A thread cannot load TypeScript.
const built = (path: string) => new URL(`../../dist/src/${path}.js`, import.meta.url).href
const HELPER = `
  const { parentPort } = require('node:worker_threads')
  const modules = ['${built('threads/shared-work')}', '${built('io/file/libc')}']
  Promise.all(modules.map((url) => import(url))).then(async ([{ copyBy, helpToWork }, { libc }]) => {
    const { memory: calls } = await libc()
    parentPort.on('message', (list) => helpToWork(list, copyBy(calls)))
    parentPort.postMessage('ready')
  })`

// Where files can be mapped there is koffi.
const withKoffi = requires(test, 'memory maps')

withKoffi('what another thread has begun to copy is waited for', async (t) => {
  const calls = (await libc()).memory!
  const worker = new Worker(HELPER, { eval: true, execArgv: [] })
  t.teardown(() => worker.terminate())
  await once(worker, 'message')
  for (let round = 0; round < times(4); round++) {
    // One that takes long, and is the other thread's.
    const copies = copiesOf([64 * 2 ** 20, 3 * 2 ** 20, 2 ** 20])
    const done = workTogether(tasksOf(copies, calls), copyBy(calls), (list) => {
      worker.postMessage(list)
      const next = new Int32Array(list, 0, 1)
      while (Atomics.load(next, 0) === 0);
    })
    t.deepEqual(done, [true, true, true])
    t.true(areMade(copies))
  }
})
