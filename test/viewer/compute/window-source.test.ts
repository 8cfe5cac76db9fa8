import test from 'ava'
import { BlobSource } from '../../../src/io/blob-source.js'
import type { Source } from '../../../src/io/source.js'
import { WindowSource } from '../../../viewer/src/compute/window-source.js'
import { sourceConforms } from '../../support/source-conformance.js'

sourceConforms('a source with blocks announced', async (_t, bytes) => {
  const source = new WindowSource(new BlobSource(new Blob([bytes.slice()])))
  source.plan([
    { start: 100, end: 300 },
    { start: 5_000, end: 900_000 },
    { start: 1_500_000, end: bytes.length },
  ])
  return { source }
})

/** A source that counts what it is asked for. */
function counted(size: number): { source: Source; asked: [position: number, length: number][] } {
  const asked: [number, number][] = []
  const source: Source = {
    kind: 'blob',
    size,
    async read(target, position) {
      asked.push([position, target.byteLength])
      for (let i = 0; i < target.length; i++) target[i] = (position + i) % 251
    },
    checkUnchanged: async () => {},
    close: () => {},
  }
  return { source, asked }
}

test('small ranges that lie near each other are one read', async (t) => {
  const { source, asked } = counted(10_000_000)
  const window = new WindowSource(source)
  const ranges = Array.from({ length: 100 }, (_, i) => ({ start: i * 1_000, end: i * 1_000 + 900 }))
  window.plan(ranges)
  for (const { start, end } of ranges) {
    const target = new Uint8Array(end - start)
    await window.read(target, start)
    t.is(target[0], start % 251)
  }
  t.deepEqual(asked, [[0, 99_900]])
})

test('blocks stay for the next plan, which asks for what is new alone', async (t) => {
  const { source, asked } = counted(10_000_000)
  const window = new WindowSource(source)
  window.plan([{ start: 0, end: 1_000 }])
  await window.read(new Uint8Array(1_000), 0)
  window.plan([
    { start: 0, end: 500 },
    { start: 5_000_000, end: 5_001_000 },
  ])
  await window.read(new Uint8Array(500), 0)
  await window.read(new Uint8Array(1_000), 5_000_000)
  t.deepEqual(asked, [
    [0, 1_000],
    [5_000_000, 1_000],
  ])
})

test('the first block that was announced can be read before it is asked for', async (t) => {
  const { source, asked } = counted(10_000_000)
  const window = new WindowSource(source)
  window.plan([
    { start: 0, end: 1_000 },
    { start: 5_000_000, end: 5_001_000 },
  ])
  window.begin()
  t.deepEqual(asked, [[0, 1_000]])
  // Announced again, it is not read again.
  window.plan([{ start: 0, end: 1_000 }])
  const target = new Uint8Array(1_000)
  await window.read(target, 0)
  t.is(target[999], 999 % 251)
  t.deepEqual(asked, [[0, 1_000]])
})

test('a range that was not announced is read as it is, and a long one in blocks', async (t) => {
  const { source, asked } = counted(100_000_000)
  const window = new WindowSource(source)
  await window.read(new Uint8Array(10), 50)
  const block = 15 * 1024 * 1024
  window.plan([{ start: 100, end: 2 * block + 200 }])
  const piece = new Uint8Array(3 * 1024 * 1024)
  for (let at = 100; at < 2 * block + 100; at += piece.length) {
    await window.read(piece, at)
    t.is(piece[0], at % 251)
    t.is(piece.at(-1), (at + piece.length - 1) % 251)
  }
  t.deepEqual(asked, [
    [50, 10],
    [100, block],
    [block + 100, block],
  ])
  await window.read(new Uint8Array(100), 2 * block + 100)
  t.deepEqual(asked.at(-1), [2 * block + 100, 100])
})

test('memory of blocks is used again, but not while a read waits for it', async (t) => {
  const { source } = counted(200_000_000)
  const window = new WindowSource(source)
  const block = 15 * 1024 * 1024
  window.plan([{ start: 0, end: 12 * block }])
  const reads = Array.from({ length: 12 }, async (_, i) => {
    const target = new Uint8Array(1000)
    await window.read(target, i * block + i)
    return target.every((byte, k) => byte === (i * block + i + k) % 251)
  })
  t.deepEqual(await Promise.all(reads), Array(12).fill(true))
})
