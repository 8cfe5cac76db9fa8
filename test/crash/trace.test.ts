/** What the crash tests read out of strace's output. */

import test from 'ava'
import { parseTrace } from '../support/crash/trace.js'

const THREADS = { main: 7, worker: 8 }

const trace = (...calls: readonly string[]): string =>
  [
    '7 access("/lightwatch-save-begins", F_OK) = -1 ENOENT (No such file or directory)',
    ...calls,
    '7 access("/lightwatch-save-ends", F_OK) = -1 ENOENT (No such file or directory)',
    '',
  ].join('\n')

test('a call that strace writes in two lines is one call, where it began', (t) => {
  const whole = trace('8 pwrite64(5</a/x>, ""..., 100, 0) = 100', '7 close(5</a/x>)          = 0')
  const split = trace(
    '8 pwrite64(5</a/x>, ""..., 100, 0 <unfinished ...>',
    '7 close(5</a/x>)          = 0',
    '8 <... pwrite64 resumed>)  = 100',
  )
  t.deepEqual(parseTrace(split, THREADS, '/a'), parseTrace(whole, THREADS, '/a'))
  t.deepEqual(
    parseTrace(split, THREADS, '/a').map(({ thread, name, result }) => [thread, name, result]),
    [
      ['worker', 'pwrite64', 100],
      ['main', 'close', 0],
    ],
  )
})
