import { runInNewContext } from 'node:vm'
import test from 'ava'
import { CheckpointError, isCheckpointError, messageOf, withPath } from '../src/errors.js'
import { printable, quote } from '../src/printable.js'
import { StateMismatchError } from '../src/restore/compare.js'
import { anyString } from './support/any-string.js'
import fc from './support/fast-check.js'

test('an error has a code, a message, the fields that apply and its cause', (t) => {
  const cause = new Error('below')
  const fields = { tensor: 'w', offset: 64, expected: 1, actual: 2 }
  const error = new CheckpointError('CKPT_FORMAT', 'what is wrong', { ...fields, cause })
  t.true(error instanceof Error)
  t.is(error.name, 'CheckpointError')
  t.is(error.message, 'what is wrong')
  t.like(error, { code: 'CKPT_FORMAT', ...fields })
  t.is(error.cause, cause)
  t.regex(error.stack!, /what is wrong/)
  // What does not apply is absent, and not undefined.
  for (const absent of ['path', 'rule', 'state', 'restored']) t.false(absent in error)
  t.false('cause' in new CheckpointError('CKPT_FORMAT', 'no cause'))
})

test('a path is put before the message once, and stays the first that was given', (t) => {
  const error = new CheckpointError('CKPT_READ', 'could not be read')
  t.is(error.withPath('/runs/a.ckpt'), error)
  t.is(error.path, '/runs/a.ckpt')
  t.is(error.message, '"/runs/a.ckpt": could not be read')
  error.withPath('/elsewhere')
  t.is(error.path, '/runs/a.ckpt')
  t.is(error.message, '"/runs/a.ckpt": could not be read')
})

test('a path is added to a CheckpointError alone, and a message is found whatever was thrown', (t) => {
  const error = new CheckpointError('CKPT_READ', 'could not be read')
  t.is(withPath(error, 'a.ckpt'), error)
  t.is(error.path, 'a.ckpt')
  const other = new Error('no space')
  t.is(withPath(other, 'a.ckpt'), other)
  t.is(other.message, 'no space')
  t.is(messageOf(other), 'no space')
  t.is(messageOf(runInNewContext('new TypeError("of another realm")')), 'of another realm')
  t.is(messageOf('text'), 'text')
  t.is(messageOf(undefined), 'undefined')
})

test('isCheckpointError knows the family, of this copy of the library or another, of this realm or another', (t) => {
  const comparison = { missing: [], unexpected: [], mismatched: [], missingStates: [] }
  t.true(isCheckpointError(new CheckpointError('CKPT_READ', '')))
  t.true(isCheckpointError(new StateMismatchError('', comparison)))
  const ofAnotherCopy = Object.assign(new Error(), { name: 'CheckpointError', code: 'CKPT_READ' })
  t.true(isCheckpointError(ofAnotherCopy))
  const ofAnotherRealm = runInNewContext(
    'Object.assign(new Error(), { name: "CheckpointError", code: "CKPT_READ" })',
  )
  t.false(ofAnotherRealm instanceof Error)
  t.true(isCheckpointError(ofAnotherRealm))
  for (const other of [
    new Error('CheckpointError'),
    Object.assign(new Error(), { code: 'ENOENT' }),
    { name: 'CheckpointError', code: 'CKPT_READ' },
    'CKPT_READ',
    null,
    undefined,
  ]) {
    t.false(isCheckpointError(other))
  }
})

test('text is printed as it is, in any script', (t) => {
  for (const text of ['layers.0.weight', 'スキップ接続', 'größe', 'שכבה', '🚀', '\\u{1b}', '']) {
    t.is(printable(text), text)
  }
})

test('what steers a terminal, turns the text around or is not seen is spelled out', (t) => {
  t.is(printable('a\u001b[2Jb'), 'a\\u{1b}[2Jb')
  t.is(printable('one\ntwo\r\n\t'), 'one\\u{a}two\\u{d}\\u{a}\\u{9}')
  t.is(printable('ckpt\u202Etxt.exe'), 'ckpt\\u{202e}txt.exe')
  t.is(printable('w\u200B'), 'w\\u{200b}')
  t.is(printable('w\uFEFF'), 'w\\u{feff}')
  t.is(printable('w\u2028\u2029\u0085'), 'w\\u{2028}\\u{2029}\\u{85}')
  t.is(printable('\u0000\u007f'), '\\u{0}\\u{7f}')
  // Beyond the basic plane as well: the tags in which text can be hidden.
  t.is(printable('w\u{E0041}'), 'w\\u{e0041}')
})

test('whatever a name is made of, its quotation is one line of well-formed text', (t) => {
  const anything = fc.oneof(
    anyString(),
    fc.array(fc.nat(0xffff)).map((units) => String.fromCharCode(...units)),
  )
  fc.assert(
    fc.property(anything, (text) => {
      const quoted = quote(text)
      return (
        quoted.isWellFormed() &&
        quoted.startsWith('"') &&
        quoted.endsWith('"') &&
        !/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(quoted)
      )
    }),
  )
  t.pass()
})

test('a quotation escapes quotes, and ends after 200 characters', (t) => {
  t.is(quote('a "b"'), '"a \\"b\\""')
  t.is(quote('n'.repeat(200)), `"${'n'.repeat(200)}"`)
  t.is(quote('n'.repeat(201)), `"${'n'.repeat(200)}…"`)
  t.true(quote('\u001b'.repeat(1_000_000)).length < 2_000)
})
