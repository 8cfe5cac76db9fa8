import { setImmediate } from 'node:timers/promises'
import test from 'ava'
import { InFlight } from '../../src/io/in-flight.js'

test('so many calls are under way at once, and no more', async (t) => {
  for (const limit of [1, 3]) {
    const calls = new InFlight(limit)
    let underWay = 0
    let most = 0
    let done = 0
    for (let i = 0; i < 10; i++) {
      await calls.add(async () => {
        most = Math.max(most, ++underWay)
        for (let turn = 0; turn < (i * 7) % 4; turn++) await setImmediate()
        underWay--
        done++
      })
    }
    await calls.done()
    t.is(most, limit)
    t.is(done, 10)
  }
})

test('after a failure no call is begun, and the failure is told each time', async (t) => {
  const calls = new InFlight(2)
  await calls.add(async () => {
    throw new Error('first')
  })
  await setImmediate()
  let begun = false
  const add = calls.add(async () => {
    begun = true
  })
  await t.throwsAsync(add, { message: 'first' })
  t.false(begun)
  await calls.settled()
  await t.throwsAsync(calls.done(), { message: 'first' })
})

test('to be settled is to have nothing under way, whatever has failed', async (t) => {
  const calls = new InFlight(2)
  let ended = false
  await calls.add(async () => {
    for (let turn = 0; turn < 10; turn++) await setImmediate()
    ended = true
  })
  await calls.add(async () => {
    throw new Error('failed')
  })
  await calls.settled()
  t.true(ended)
})
