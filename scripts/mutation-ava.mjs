/**
 * The meaning of `import test from 'ava'` while mutants are counted: tests are collected, and mutation-runner.mjs runs
 * them in this process, one after another. It has only what this project's tests use; they pass in AVA first.
 */

import assert from 'node:assert/strict'

/** The tests of the file that is being imported. The importer sets its name. */
export const collected = { file: '', tests: [] }

export default function test(title, run, ...args) {
  collected.tests.push({ id: `${collected.file}: ${title}`, title, run: (t) => run(t, ...args) })
}
test.serial = test
// As in AVA: a test that this machine cannot run finds no mutant on it.
test.skip = () => {}

/** Runs a test and its teardowns. Throws the failure. */
export async function runTest({ title, run }) {
  const teardowns = []
  let failure
  const t = executionContext(title, teardowns, (error) => {
    failure ??= { error }
  })
  const attempt = async (call) => {
    try {
      await call()
    } catch (error) {
      failure ??= { error }
    }
  }
  await attempt(() => run(t))
  for (const teardown of teardowns.reverse()) await attempt(teardown)
  if (failure !== undefined) throw failure.error
}

function executionContext(title, teardowns, onFailure) {
  // Recorded as well: a test must not pass by catching an assertion's error.
  const check = (holds, message) => {
    if (holds) return true
    const error = new assert.AssertionError({ message: message ?? 'an assertion failed' })
    onFailure(error)
    throw error
  }
  const equal = (actual, expected) => {
    try {
      assert.deepStrictEqual(actual, expected)
      return true
    } catch {
      return false
    }
  }
  const like = (actual, expected) =>
    typeof expected === 'object' && expected !== null && !(expected instanceof RegExp)
      ? Reflect.ownKeys(expected).every((key) => like(actual?.[key], expected[key]))
      : equal(actual, expected)
  const fits = (error, { instanceOf = Error, message, code, name, is } = {}) =>
    error instanceof instanceOf &&
    (message === undefined ||
      (typeof message === 'string'
        ? error.message === message
        : message instanceof RegExp
          ? message.test(error.message)
          : message(error.message))) &&
    (code === undefined || error.code === code) &&
    (name === undefined || error.name === name) &&
    (is === undefined || error === is)
  const thrown = (outcome, expectations) => {
    check(outcome !== undefined, 'nothing was thrown')
    check(fits(outcome.error, expectations), `another error was thrown: ${outcome.error}`)
    return outcome.error
  }
  const started = (call) => (typeof call === 'function' ? call() : call)
  return {
    title,
    is: (actual, expected, message) => check(Object.is(actual, expected), message),
    not: (actual, expected, message) => check(!Object.is(actual, expected), message),
    deepEqual: (actual, expected, message) => check(equal(actual, expected), message),
    notDeepEqual: (actual, expected, message) => check(!equal(actual, expected), message),
    like: (actual, expected, message) => check(like(actual, expected), message),
    true: (actual, message) => check(actual === true, message),
    false: (actual, message) => check(actual === false, message),
    truthy: (actual, message) => check(Boolean(actual), message),
    falsy: (actual, message) => check(!actual, message),
    regex: (text, pattern, message) => check(pattern.test(text), message),
    notRegex: (text, pattern, message) => check(!pattern.test(text), message),
    pass: () => true,
    fail: (message) => check(false, message ?? 't.fail()'),
    throws(call, expectations) {
      let outcome
      try {
        call()
      } catch (error) {
        outcome = { error }
      }
      return thrown(outcome, expectations)
    },
    async throwsAsync(call, expectations) {
      let outcome
      try {
        await started(call)
      } catch (error) {
        outcome = { error }
      }
      return thrown(outcome, expectations)
    },
    notThrows(call, message) {
      try {
        call()
      } catch (error) {
        check(false, message ?? String(error))
      }
    },
    async notThrowsAsync(call, message) {
      try {
        await started(call)
      } catch (error) {
        check(false, message ?? String(error))
      }
    },
    teardown: (call) => teardowns.push(call),
    timeout() {},
    log() {},
  }
}
