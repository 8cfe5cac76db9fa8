import test from 'ava'
import { checkResume, type ResumeCheckReport } from '../../src/resume-check/resume-check.js'
import type { Fault } from '../support/resume-check/trainer-run.js'
import '../support/resume-check/processes.js'

const module = new URL('../support/resume-check/trainer-run.ts', import.meta.url)
const BEFORE = 12
const AFTER = 3

function check(fault: Fault, options: object = {}): Promise<ResumeCheckReport> {
  return checkResume(module, { before: BEFORE, after: AFTER, argument: fault, ...options })
}

test('a forgotten optimizer is named by its first buffer and its step', async (t) => {
  const report = await check({ forgets: 'optimizer' })
  t.false(report.identical)
  t.is(report.verdict, 'not-restored')
  t.is(report.step, BEFORE)
  t.deepEqual(report.attributes, [
    { state: 'optimizer', path: 'step', expected: BEFORE, actual: 0 },
  ])
  const first = report.tensors[0]!
  t.is(first.state, 'optimizer')
  t.is(first.tensor, 'exp_avg/layers.0.weight')
  t.is(first.index, 0)
  t.not(first.expected.value, 0)
  t.deepEqual(first.actual, { value: 0, bits: '0x00000000' })
  t.is(first.elements, 96)
  t.regex(
    report.message,
    /^directly after the restore at step 12, something differs from the saved state:\n/,
  )
  t.regex(report.message, / optimizer: attribute step is 12 without a break, 0 after the restore\n/)
  t.regex(
    report.message,
    / optimizer: exp_avg\/layers\.0\.weight\[0\] is \S+ \(0x[0-9a-f]{8}\) without a break, 0 \(0x00000000\) after the restore; 96 of 96 elements differ/,
  )
})

test('wrong numbers and modules that make no run are refused', async (t) => {
  await t.throwsAsync(checkResume(module, { before: -1, after: 1 }), { instanceOf: RangeError })
  await t.throwsAsync(checkResume(module, { before: 1, after: 0 }), {
    instanceOf: RangeError,
    message: 'after must be an integer of at least 1, not 0',
  })
  await t.throwsAsync(checkResume(module, { before: 1, after: 1, steps: 2 } as never), {
    instanceOf: TypeError,
    message: /^checkResume has no option "steps"/,
  })
  const noRun = new URL('../support/scratch.ts', import.meta.url)
  await t.throwsAsync(checkResume(noRun, { before: 1, after: 1 }), {
    message: /scratch\.ts must export a function createRun, found undefined/,
  })
})
