import test from 'ava'
import { FirstFailure, nextTurn, orAborted } from '../../src/io/concurrency.js'

test('the first of several failures is thrown, whatever it is', (t) => {
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

test('a promise that settles before an abort settles as without a signal, and its listener is removed', async (t) => {
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

for (const [where, missing] of [
  ['without setImmediate, as in a browser', ['setImmediate']],
  ['with timers alone', ['setImmediate', 'MessageChannel']],
] as const) {
  test.serial(`yielding to the event loop works ${where}`, async (t) => {
    for (const name of missing) {
      const own = Object.getOwnPropertyDescriptor(globalThis, name)!
      t.teardown(() => Object.defineProperty(globalThis, name, own))
      Reflect.deleteProperty(globalThis, name)
    }
    let turn = false
    setTimeout(() => {
      turn = true
    }, 0)
    // A timer is due after a millisecond at the earliest, which is many turns.
    const end = performance.now() + 10_000
    while (!turn && performance.now() < end) await nextTurn()
    t.true(turn)
  })
}
