import test from 'ava'
import { PIECE_LENGTH, StagingArea } from '../../../src/save/background/staging-area.js'

test('pieces are given at once until the limit is reached, then as they come back', async (t) => {
  const area = new StagingArea(2 * PIECE_LENGTH)
  const [first, second, third] = [area.take(), area.take(), area.take()]
  if (!(first instanceof Uint8Array)) return t.fail('the first piece has to be there at once')
  t.true(second instanceof Uint8Array)
  t.true(third instanceof Promise)
  area.give(first)
  t.is(await third, first)
})

test('those who wait get their pieces in the order in which they came', async (t) => {
  const area = new StagingArea(1)
  const piece = area.take() as Uint8Array
  const order: number[] = []
  const waiting = [0, 1, 2].map(async (n) => {
    const taken = await area.take()
    order.push(n)
    area.give(taken)
  })
  area.give(piece)
  await Promise.all(waiting)
  t.deepEqual(order, [0, 1, 2])
})

test('there is one piece, however low the limit', (t) => {
  const area = new StagingArea(1)
  t.true(area.take() instanceof Uint8Array)
  t.true(area.take() instanceof Promise)
})

test('a piece that came back is used again, and is memory that threads share', (t) => {
  const area = new StagingArea(Number.POSITIVE_INFINITY)
  const piece = area.take() as Uint8Array
  t.true(piece.buffer instanceof SharedArrayBuffer)
  area.give(piece)
  t.is(area.take(), piece)
})
