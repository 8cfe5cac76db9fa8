import test from 'ava'
import { CheckpointError } from '../../src/errors.js'
import { fromPlainError, toPlainError } from '../../src/threads/plain-error.js'

const sent = (error: unknown) => fromPlainError(structuredClone(toPlainError(error)))

test("an error of the sink is the same on the other side: class, code, path and the system's cause", (t) => {
  const cause = Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' })
  const error = new CheckpointError('CKPT_NOT_COMMITTED', 'nothing was saved', {
    path: 'run/a.ckpt',
    cause,
  })
  const received = sent(error)
  t.true(received instanceof CheckpointError)
  t.like(received, {
    name: 'CheckpointError',
    code: 'CKPT_NOT_COMMITTED',
    message: 'nothing was saved',
    path: 'run/a.ckpt',
  })
  t.like(received.cause, { message: cause.message, code: 'ENOSPC' })
})

test('an error without a path gets one later', (t) => {
  const received = sent(new CheckpointError('CKPT_NOT_DURABLE', 'uncertain'))
  t.is((received as CheckpointError).withPath('a').message, '"a": uncertain')
})

test('an error that is not a CheckpointError becomes a plain error, with its code if it has one', (t) => {
  const received = sent(Object.assign(new TypeError('wrong'), { code: 'ERR_WRONG' }))
  t.false(received instanceof CheckpointError)
  t.like(received, { message: 'wrong', code: 'ERR_WRONG' })
  t.is(sent('thrown text').message, 'thrown text')
})

test('the number that a DOMException has for a code is left out', (t) => {
  const controller = new AbortController()
  controller.abort()
  const received = sent(controller.signal.reason)
  t.regex(received.message, /aborted/)
  t.false('code' in received)
})
