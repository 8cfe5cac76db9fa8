import test from 'ava'
import { MemorySink } from '../../src/io/memory-sink.js'
import { StagingArea, stagingFor } from '../../src/save/staging-area.js'

const areaOf = (pieces: number, shared = false) =>
  new StagingArea({ pieceLength: 100, pieces, shared })

test('there are pieces until the limit is reached, then as they come back', async (t) => {
  const area = areaOf(2)
  const [first, second] = [area.take()!, area.take()!]
  t.deepEqual([first.byteLength, second.byteLength], [100, 100])
  t.not(first.buffer, second.buffer)
  t.is(area.take(), undefined)
  let freed = 0
  const waiting = [0, 1].map(() => area.freed().then(() => freed++))
  await Promise.resolve()
  t.is(freed, 0)
  area.give(first)
  await Promise.all(waiting)
  t.is(area.take(), first, 'a piece that came back is used again')
  t.is(area.take(), undefined)
})

test('there is one piece, however low the limit', (t) => {
  const area = areaOf(0)
  t.true(area.take() instanceof Uint8Array)
  t.is(area.take(), undefined)
})

test('pieces are shared between threads where another one writes them', (t) => {
  t.true(areaOf(1, true).take()!.buffer instanceof SharedArrayBuffer)
  t.true(areaOf(1).take()!.buffer instanceof ArrayBuffer)
})

test('a ring has a piece for each write at once, and one to be filled', (t) => {
  for (const [writesAtOnce, expected] of [
    [undefined, 2],
    [2, 3],
  ] as const) {
    const sink = Object.assign(new MemorySink(), writesAtOnce && { writesAtOnce })
    const ring = stagingFor(sink)
    let pieces = 0
    while (ring.take(0) !== undefined) pieces++
    t.is(pieces, expected)
  }
})

test('a sink that lends its memory is given no other', (t) => {
  const staging = areaOf(1)
  t.is(stagingFor(Object.assign(new MemorySink(), { staging })), staging)
})
