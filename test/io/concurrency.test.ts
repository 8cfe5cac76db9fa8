import { setImmediate } from 'node:timers/promises'
import test from 'ava'
import { FirstFailure, InFlight, nextTurn, orAborted } from '../../src/io/concurrency.js'

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

test('of several failures the first is told, whatever it is', (t) => {
  const failure = new FirstFailure()
  t.false(failure.occurred)
  t.notThrows(() => failure.throwIfAny())
  failure.keep(undefined)
  failure.keep(new Error('second'))
  t.true(failure.occurred)
  let told: unknown = 'nothing'
  try {
    failure.throwIfAny()
  } catch (error) {
    told = error
  }
  t.is(told, undefined)
})

test('what never settles ends with an abort, for the signal’s reason', async (t) => {
  const never = new Promise<never>(() => {})
  const controller = new AbortController()
  const waiting = orAborted(never, controller.signal)
  const reason = new Error('enough')
  controller.abort(reason)
  t.is(await t.throwsAsync(waiting), reason)
  t.is(await t.throwsAsync(orAborted(never, controller.signal)), reason)
})

test('what settles before an abort settles as it does without a signal, and is no longer listened for', async (t) => {
  const controller = new AbortController()
  const { signal } = controller
  const listeners = new Set<unknown>()
  signal.addEventListener = ((_: string, listener: unknown) => listeners.add(listener)) as never
  signal.removeEventListener = ((_: string, listener: unknown) =>
    listeners.delete(listener)) as never
  const own = new Error('own')
  for (const given of [undefined, signal]) {
    t.is(await orAborted(Promise.resolve(3), given), 3)
    t.is(await t.throwsAsync(orAborted(Promise.reject(own), given)), own)
  }
  t.is(listeners.size, 0)
})
test.serial('others have their turn also where there is no setImmediate', async (t) => {
  const immediate = globalThis.setImmediate
  t.teardown(() => {
    globalThis.setImmediate = immediate
  })
  // As in a browser.
  Reflect.deleteProperty(globalThis, 'setImmediate')
  let turn = false
  setTimeout(() => {
    turn = true
  }, 0)
  await nextTurn()
  t.true(turn)
})

test.serial(
  'a turn takes no timer, which would take a millisecond, where it needs none',
  async (t) => {
    const timeout = globalThis.setTimeout
    t.teardown(() => {
      globalThis.setTimeout = timeout
    })
    globalThis.setTimeout = (() => t.fail()) as unknown as typeof setTimeout
    await nextTurn()
    t.pass()
  },
)
