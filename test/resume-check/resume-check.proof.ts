/**
 * A run that restores all is identical, every kind of state that one can forget is found, and a run that fails says why: by
 * whole runs in processes of their own.
 */

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

test('a run whose whole state is saved is identical, directly after the restore and after every step', async (t) => {
  const steps: string[] = []
  const report = await check(
    {},
    { onStep: (part: string, step: number) => steps.push(part + step) },
  )
  t.true(report.identical, report.message)
  t.is(report.verdict, 'identical')
  t.deepEqual([report.step, report.tensors, report.attributes, report.other], [null, [], [], []])
  t.is(
    report.message,
    'identical, bit for bit: 12 tensors and the attributes of model, optimizer, sampler, rng, ' +
      'directly after the restore at step 12 and after each of the 3 steps that follow',
  )
  t.deepEqual(steps.slice(-4), ['first12', 'second13', 'second14', 'second15'])
})

test('a forgotten sampler is named by its position, and a forgotten generator by its state', async (t) => {
  const sampler = await check({ forgets: 'sampler' })
  t.is(sampler.verdict, 'not-restored')
  t.deepEqual(sampler.tensors, [])
  t.deepEqual(sampler.attributes, [{ state: 'sampler', path: 'index', expected: 336, actual: 0 }])
  const rng = await check({ forgets: 'rng' })
  t.is(rng.verdict, 'not-restored')
  t.deepEqual(
    rng.attributes.map(({ state, path }) => `${state}.${path}`),
    ['rng.state'],
  )
  t.is(typeof rng.attributes[0]!.expected, 'bigint')
})

test('forgotten attributes are named where the tensors are right', async (t) => {
  const report = await check({ forgets: 'attributes' })
  t.is(report.verdict, 'not-restored')
  t.deepEqual(report.tensors, [])
  t.deepEqual(report.attributes, [
    { state: 'optimizer', path: 'step', expected: BEFORE, actual: 0 },
  ])
})

test('a state that nobody knows of shows in the first step after the restore', async (t) => {
  for (const hides of ['sampler', 'rng'] as const) {
    const report = await check({ hides })
    t.is(report.verdict, 'diverged')
    t.is(report.step, BEFORE + 1)
    t.is(report.tensors[0]!.state, 'model')
    t.is(report.tensors[0]!.tensor, 'layers.0.weight')
    t.regex(report.message, /after step 13 it differs, so something else has a state/)
  }
})

test('a run that is not the same twice is told from one that is not restored', async (t) => {
  const report = await check({ draws: true })
  t.is(report.verdict, 'not-reproducible')
  t.regex(report.message, /^two runs from the start differ after 12 steps, before anything was/)
})

test('an aborted check ends with the reason of its signal', async (t) => {
  const controller = new AbortController()
  const onStep = () => controller.abort(new Error('enough'))
  await t.throwsAsync(check({}, { onStep, signal: controller.signal }), { message: 'enough' })
})

test('a part that fails is an error with its reason', async (t) => {
  for (const [throws, message] of [
    ['step', /its run without a break failed: Error: the loss is not a number\n/],
    ['exit', /its run without a break failed: exit code 3/],
    ['restore', /its run from the restore on failed: Error: not yet written\n/],
  ] as const) {
    await t.throwsAsync(check({ throws }), { message })
  }
})
