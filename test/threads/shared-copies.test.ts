import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import test from 'ava'
import fc from 'fast-check'
import type { Copy } from '../../src/io/concurrency.js'
import { libc, type MemoryCalls } from '../../src/io/file/libc.js'
import { copyTogether, helpToCopy } from '../../src/threads/shared-copies.js'
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

const areMade = (copies: readonly Copy[]) =>
  copies.every(({ target, source }) => Buffer.compare(target, source) === 0)

const lengthsOfCopies = fc.array(fc.nat(40), { maxLength: 20 })

test('all copies are made, by either thread', (t) => {
  fc.assert(
    fc.property(
      lengthsOfCopies,
      fc.constantFrom('nobody comes', 'the other thread makes them', 'it comes too late'),
      fc.option(fc.nat(20)),
      (lengths, who, failAt) => {
        const copies = copiesOf(lengths)
        const { calls, copied } = pretendedMemory(failAt ?? undefined)
        let list: SharedArrayBuffer | undefined
        copyTogether(copies, calls, (sent) => {
          list = sent
          if (who === 'the other thread makes them') helpToCopy(sent, calls)
        })
        const made = copied()
        if (who === 'it comes too late') {
          for (const { target } of copies) target.fill(99)
          helpToCopy(list!, calls)
          // By then the memory may be used for something else.
          return copied() === made && copies.every(({ target }) => target.every((x) => x === 99))
        }
        if (who === 'the other thread makes them' && failAt === null) {
          t.is(copied(), copies.length)
        }
        return areMade(copies)
      },
    ),
  )
})

// A thread cannot load TypeScript.
const built = (path: string) => new URL(`../../dist/src/${path}.js`, import.meta.url).href
const HELPER = `
  const { parentPort } = require('node:worker_threads')
  const modules = ['${built('threads/shared-copies')}', '${built('io/file/libc')}']
  Promise.all(modules.map((url) => import(url))).then(async ([{ helpToCopy }, { libc }]) => {
    const { memory: calls } = await libc()
    parentPort.on('message', (list) => helpToCopy(list, calls))
    parentPort.postMessage('ready')
  })`

// Where files can be mapped there is koffi.
const withKoffi = requires(test, 'memory maps')

withKoffi('what another thread has begun to copy is waited for', async (t) => {
  const calls = (await libc()).memory!
  const worker = new Worker(HELPER, { eval: true, execArgv: [] })
  t.teardown(() => worker.terminate())
  await once(worker, 'message')
  for (let round = 0; round < 20; round++) {
    // One that takes long, and is the other thread's.
    const copies = copiesOf([64 * 2 ** 20, 3 * 2 ** 20, 2 ** 20])
    copyTogether(copies, calls, (list) => {
      worker.postMessage(list)
      const next = new Int32Array(list, 0, 1)
      while (Atomics.load(next, 0) === 0);
    })
    t.true(areMade(copies))
  }
})
