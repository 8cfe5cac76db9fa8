import test from 'ava'
import { nextTurn } from '../../src/io/next-turn.js'

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
