import * as fs from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import test from 'ava'
import { requires } from '../support/requires.js'
import { scratchFolder } from '../support/scratch.js'
import { watchThreads } from '../support/threads.js'

const threads = watchThreads()

// A thread cannot load TypeScript: as built.
const built = new URL('../../dist/src/', import.meta.url)
type Library = typeof import('../../src/index.js')
const { loadCheckpoint, restoreCheckpoint, saveCheckpoint }: Library = await import(
  new URL('index.js', built).href
)
const { openFile }: typeof import('../../src/io/file/file-source.js') = await import(
  new URL('io/file/file-source.js', built).href
)
const { mapFile }: typeof import('../../src/io/file/map-source.js') = await import(
  new URL('io/file/map-source.js', built).href
)
const { checksumHelpers }: typeof import('../../src/threads/checksum-pool.js') = await import(
  new URL('threads/checksum-pool.js', built).href
)
const { crc32 }: typeof import('../../src/format/checksum.js') = await import(
  new URL('format/checksum.js', built).href
)

// Linux 5.14 has the call without which nobody touches a map that may be gone.
const onLinux = requires(test.serial, 'linux', 'memory maps')

const MIB = 2 ** 20

function longState(fill: number) {
  const tensors = Object.fromEntries(
    [150 * MIB, 12, 130 * MIB, 2 ** 18].map((length, i) => [
      String(i),
      { shape: [length / 4], data: new Float32Array(length / 4).fill(fill + i) },
    ]),
  )
  return { stateDict: () => tensors }
}

onLinux('threads verify a long restore, whatever their next request is', async (t) => {
  const path = join(await scratchFolder(t), 'a.ckpt')
  await saveCheckpoint(path, longState(1), null, { durable: false })
  for (let i = 0; i < 3; i++) {
    const state = longState(0)
    await using checkpoint = await loadCheckpoint(path)
    await restoreCheckpoint(checkpoint, state)
    t.deepEqual(state.stateDict()['2']!.data.subarray(-2), new Float32Array([3, 3]))
  }
  // The same ones each time.
  t.is(threads.length, 2)
})

onLinux(
  'damage that a thread finds is reported like any other, and nothing is restored',
  async (t) => {
    const path = join(await scratchFolder(t), 'a.ckpt')
    await saveCheckpoint(path, longState(1), null, { durable: false })
    const fd = fs.openSync(path, 'r+')
    fs.writeSync(fd, Uint8Array.of(77), 0, 1, 200 * MIB)
    fs.closeSync(fd)
    const state = longState(0)
    await using checkpoint = await loadCheckpoint(path)
    await t.throwsAsync(restoreCheckpoint(checkpoint, state), {
      code: 'CKPT_TENSOR_CHECKSUM',
      message: /"2"/,
    })
    t.true(state.stateDict()['0']!.data.every((value) => value === 0))
  },
)

onLinux('a file that is cut short is an error, and not the end of the process', async (t) => {
  const path = join(await scratchFolder(t), 'a.ckpt')
  await saveCheckpoint(path, longState(1), null, { durable: false })
  await using checkpoint = await loadCheckpoint(path)
  fs.truncateSync(path, 100 * MIB)
  await t.throwsAsync(restoreCheckpoint(checkpoint, longState(0)), { code: 'CKPT_FILE_CHANGED' })
})

onLinux('threads that die leave the work to this one, and others take their place', async (t) => {
  const path = join(await scratchFolder(t), 'a.ckpt')
  await saveCheckpoint(path, longState(1), null, { durable: false })
  await using checkpoint = await loadCheckpoint(path)
  const before = threads.length
  let first = true
  await checkpoint.verify({
    onProgress: () => {
      if (first) for (const thread of threads) void thread.terminate()
      first = false
    },
  })
  await checkpoint.verify()
  t.is(threads.length, before + 2)
})

onLinux('ranges are those of the file, also where it is longer than one view', async (t) => {
  const path = join(await scratchFolder(t), 'file')
  fs.writeFileSync(path, '')
  const length = 2 ** 32 + 2 ** 30 + 12_345
  fs.truncateSync(path, length)
  const marks = [0, 2 ** 30 - 3, 2 ** 31 + 7, 2 ** 32 - 1, length - 1]
  const fd = fs.openSync(path, 'r+')
  for (const [i, at] of marks.entries()) fs.writeSync(fd, Uint8Array.of(i + 1), 0, 1, at)
  fs.closeSync(fd)
  const source = (await mapFile(await openFile(path), checksumHelpers))!
  t.teardown(() => source.close())
  const helpers = await Promise.all(source.helpers!(length))
  const ranges = marks.map((at) => ({
    start: Math.max(0, at - 5 * MIB),
    end: Math.min(length, at + MIB),
  }))
  const expected = ranges.map(({ start, end }) => crc32(source.view(start, end - start)!))
  for (const helper of helpers) {
    t.deepEqual(await helper!.checksums(ranges), expected)
    t.deepEqual(await helper!.checksums([...ranges].reverse()), [...expected].reverse())
    t.deepEqual(await helper!.checksums([]), [])
    // What is no part of the file is nothing that a thread could look at.
    t.is(await helper!.checksums([{ start: length - 5, end: length + 5 }]), undefined)
    // Both threads read, wherever the file is in memory.
    const reads = marks.map((at) => ({
      position: Math.min(at, length - MIB),
      target: new Uint8Array(MIB).fill(0x55),
    }))
    const filled = helper!.readCached!([
      ...reads,
      { position: length - 5, target: new Uint8Array(MIB) },
    ])
    t.is(filled.at(-1), false)
    for (const [i, { position, target }] of reads.entries()) {
      if (filled[i]) t.deepEqual(target, source.view(position, MIB)!.slice())
    }
    await helper!.close()
  }
})

onLinux(
  'there are two helpers for 256 MiB or more, where there is more than one core',
  async (t) => {
    const path = join(await scratchFolder(t), 'file')
    fs.writeFileSync(path, new Uint8Array(100))
    const source = (await mapFile(await openFile(path), checksumHelpers))!
    t.teardown(() => source.close())
    t.deepEqual(source.helpers!(256 * MIB - 1), [])
    const helpers = source.helpers!(256 * MIB)
    t.is(helpers.length, availableParallelism() === 1 ? 0 : 2)
    for (const helper of await Promise.all(helpers)) await helper?.close()
  },
)

onLinux('the threads release a file when it is closed', async (t) => {
  const path = join(await scratchFolder(t), 'a.ckpt')
  await saveCheckpoint(path, longState(1), null, { durable: false })
  const maps = () =>
    fs
      .readFileSync('/proc/self/maps', 'utf8')
      .split('\n')
      .filter((line) => line.endsWith(` ${path}`)).length
  {
    await using checkpoint = await loadCheckpoint(path)
    await checkpoint.verify()
  }
  for (let tries = 0; tries < 500 && maps() > 0; tries++) await setTimeout(10)
  t.is(maps(), 0)
})
