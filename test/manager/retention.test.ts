import test from 'ava'
import {
  checkKeepPolicy,
  type KeepCandidate,
  type KeepRules,
} from '../../src/manager/keep-policy.js'
import { bestOf, inOrder, retain } from '../../src/manager/retention.js'
import fc from '../support/fast-check.js'

const NOW = 1_000_000_000

const candidate = (step: number, fields: Partial<KeepCandidate> = {}): KeepCandidate => ({
  path: `step-${step}`,
  epoch: 0,
  step,
  loss: null,
  metrics: {},
  sequence: null,
  savedAt: NOW,
  isTimeRecorded: true,
  modifiedAt: NOW,
  ...fields,
})

const numbered = (count: number, fields: (step: number) => Partial<KeepCandidate> = () => ({})) =>
  Array.from({ length: count }, (_, i) => candidate(i + 1, fields(i + 1)))

const discardable = (...args: Parameters<typeof retain<KeepCandidate>>) => retain(...args).discard

/** Saved one after the other, at so many seconds from now. */
const seconds = (...times: readonly number[]) =>
  times.map((time, i) => {
    const at = NOW + time * 1000
    return candidate(i + 1, { sequence: i, savedAt: at, modifiedAt: at })
  })

/** The steps that stay. */
function kept(candidates: readonly KeepCandidate[], rules: KeepRules): number[] {
  const gone = new Set(discardable(candidates, rules, NOW))
  return candidates.filter((c) => !gone.has(c)).map(({ step }) => step)
}

test('all: everything stays', (t) => {
  t.deepEqual(discardable(numbered(100), 'all', NOW), [])
})

test('no rule: the newest stays, because a run resumes from it', (t) => {
  t.deepEqual(kept(numbered(5), {}), [5])
  t.deepEqual(kept([], {}), [])
})

test('newest: so many, by their steps and not by their order', (t) => {
  t.deepEqual(kept(numbered(5).reverse(), { newest: 2 }), [5, 4])
  t.deepEqual(kept(numbered(2), { newest: 5 }), [1, 2])
})

test('best: so many with the largest or the smallest value, beside the newest', (t) => {
  const candidates = numbered(6, (step) => ({
    metrics: { accuracy: [1, 9, 3, 8, 2, 0][step - 1]! },
  }))
  t.deepEqual(kept(candidates, { best: { count: 2, metric: 'accuracy', mode: 'max' } }), [2, 4, 6])
  t.deepEqual(kept(candidates, { best: { count: 2, metric: 'accuracy', mode: 'min' } }), [1, 6])
})

test('best: by the loss', (t) => {
  const candidates = numbered(4, (step) => ({ loss: [0.3, 0.1, 0.2, 0.4][step - 1]! }))
  t.deepEqual(kept(candidates, { best: { count: 1, metric: 'loss', mode: 'min' } }), [2, 4])
})

test('best: of two equally good ones, the newer', (t) => {
  const candidates = numbered(4, () => ({ loss: 1 }))
  const best = { count: 2, metric: 'loss', mode: 'min' } as const
  t.deepEqual(
    bestOf(candidates, best).map(({ step }) => step),
    [4, 3],
  )
})

test('best: checkpoints without a value, or with NaN, do not count; infinities are ordered', (t) => {
  const values = [Number.NaN, Number.POSITIVE_INFINITY, 5, Number.NEGATIVE_INFINITY, null]
  const candidates = numbered(5, (step) => ({ loss: values[step - 1]! }))
  const steps = (mode: 'min' | 'max') =>
    bestOf(candidates, { count: 5, metric: 'loss', mode }).map(({ step }) => step)
  t.deepEqual(steps('min'), [4, 3, 2])
  t.deepEqual(steps('max'), [2, 3, 4])
  t.deepEqual(bestOf(candidates, { count: 5, metric: 'toString', mode: 'max' }), [])
})

test('best: checkpoints without a value stay as well with keepUnmeasured', (t) => {
  const candidates = numbered(6, (step) => ({ loss: [null, 3, Number.NaN, 1, 2, 4][step - 1]! }))
  const best = { count: 1, metric: 'loss', mode: 'min', keepUnmeasured: true } as const
  t.deepEqual(kept(candidates, { best }), [1, 3, 4, 6])
})

test('best: while none has a value, all stay, with a reason', (t) => {
  const best = { count: 1, metric: 'accuracy', mode: 'max' } as const
  const messageOf = (candidates: KeepCandidate[], rules: KeepRules = { best }) => {
    const { discard, doubts } = retain(candidates, rules, NOW)
    t.deepEqual(discard, [])
    return doubts.map(({ message }) => message).join()
  }
  t.regex(messageOf(numbered(5)), /no checkpoint has the metric "accuracy" \(none has a metric\)/)
  const other = numbered(5, () => ({ loss: 1, metrics: { acc: 1 } }))
  t.regex(messageOf(other), /\(they have "acc", "loss"\)/)
  const worthless = numbered(5, () => ({ metrics: { accuracy: Number.NaN } }))
  t.regex(messageOf(worthless), /every checkpoint has NaN as its "accuracy"/)
  // Nothing would go anyway, so nothing is said.
  t.is(messageOf(numbered(1)), '')
  t.is(messageOf(numbered(5), { best, newest: 5 }), '')
})

test('best: once some have a value, those without one are removed', (t) => {
  const candidates = numbered(6, (step) => (step % 2 === 0 ? { metrics: { accuracy: step } } : {}))
  t.deepEqual(kept(candidates, { best: { count: 1, metric: 'accuracy', mode: 'max' } }), [6])
  t.deepEqual(kept(candidates, { best: { count: 2, metric: 'accuracy', mode: 'min' } }), [2, 4, 6])
})

for (const loss of [Number.NaN, Number.POSITIVE_INFINITY]) {
  test(`after the loss has become ${loss}, the last one before stays, with a reason`, (t) => {
    const candidates = numbered(9, (step) => ({ loss: step < 5 ? 1 : loss }))
    t.deepEqual(kept(candidates, { newest: 3 }), [4, 7, 8, 9])
    const { doubts } = retain(candidates, { newest: 3 }, NOW)
    t.regex(doubts[0]!.message, /step 4, the last one with a finite loss, stays/)
    t.deepEqual(kept(candidates, { newest: 7 }), [3, 4, 5, 6, 7, 8, 9])
    t.deepEqual(retain(candidates, { newest: 7 }, NOW).doubts, [])
  })
}

test('a loss that has become finite again, or that was never recorded, keeps nothing', (t) => {
  const again = numbered(9, (step) => ({ loss: step === 5 ? Number.NaN : 1 }))
  t.deepEqual(kept(again, { newest: 2 }), [8, 9])
  t.deepEqual(kept(numbered(9), { newest: 2 }), [8, 9])
  const never = numbered(9, () => ({ loss: Number.NaN }))
  t.deepEqual(kept(never, { newest: 2 }), [8, 9])
})

test('a rule of the caller that throws keeps the one that it threw for', (t) => {
  const custom = ({ step }: KeepCandidate) => {
    if (step === 2) throw new Error('what is this?')
    return step === 3
  }
  t.deepEqual(kept(numbered(5), { custom }), [2, 3, 5])
  const { doubts } = retain(numbered(5), { custom }, NOW)
  t.regex(doubts[0]!.message, /keep\.custom threw for step 2, which stays: what is this\?/)
})

test('every so many steps: the multiples', (t) => {
  t.deepEqual(kept(numbered(11), { everySteps: 4 }), [4, 8, 11])
})

test('every so many seconds: the first, and each that was saved so much later', (t) => {
  const candidates = seconds(1, 2, 3, 4, 5, 6, 7, 8, 9)
  t.deepEqual(kept(candidates, { everySeconds: 3 }), [1, 4, 7, 9])
})

test('every so many seconds: a clock that was ahead, or was set back, costs nothing', (t) => {
  const everySeconds = 3600
  const hour = 3660
  const ahead = seconds(86_400, ...Array.from({ length: 9 }, (_, i) => i * hour), 9 * hour + 1)
  t.deepEqual(kept(ahead, { everySeconds }), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11])
  // Both sides of the step back stay, because nobody knows what lies between them; no others do.
  const back = seconds(0, 600, 1200, 1800, 300, 900, 1500, 2100)
  t.deepEqual(kept(back, { everySeconds }), [1, 4, 5, 8])
})

test('every so many seconds: what lies close together by one time and far apart by the other stays', (t) => {
  const copied = seconds(0, 60, 4000, 4060, 4120).map((c) => ({ ...c, modifiedAt: NOW }))
  t.deepEqual(kept(copied, { everySeconds: 3600 }), [1, 3, 5])
  const stopped = seconds(0, 4000, 8000, 8060, 8120).map((c) => ({ ...c, savedAt: NOW }))
  t.deepEqual(kept(stopped, { everySeconds: 3600 }), [1, 2, 3, 5])
})

test('rules about time: a checkpoint without a recorded time stays, with a reason', (t) => {
  const candidates = seconds(-9000, -8000, -7000, -60).map((c, i) => ({
    ...c,
    isTimeRecorded: i % 2 === 1,
  }))
  for (const rules of [{ everySeconds: 3600 }, { newerThanSeconds: 3600 }]) {
    t.true(kept(candidates, rules).includes(1))
    t.true(kept(candidates, rules).includes(3))
    const { doubts } = retain(candidates, rules, NOW)
    t.regex(doubts[0]!.message, /step 1 has no recorded time, and stays/)
  }
  t.deepEqual(kept(candidates, { newerThanSeconds: 3600 }), [1, 3, 4])
  t.deepEqual(kept(candidates, { newest: 1 }), [4])
})

test('newer than so many seconds: none is older than one that was saved before it', (t) => {
  // The third was saved by a clock that had not been set yet; the first by one that was ahead.
  const candidates = seconds(5000, -100, -1_000_000, -50)
  t.deepEqual(kept(candidates, { newerThanSeconds: 3600 }), [1, 2, 3, 4])
  t.deepEqual(kept(seconds(5000, -9000, -8000, -50), { newerThanSeconds: 3600 }), [1, 4])
})

test('newest: those that were saved last, whatever their steps', (t) => {
  const steps = [100, 200, 300, 400, 500, 310, 320, 330]
  const branch = steps.map((step, sequence) => candidate(step, { sequence }))
  t.deepEqual(kept(branch, { newest: 3 }), [310, 320, 330])
  t.deepEqual(kept(branch.toReversed(), { newest: 4 }), [330, 320, 310, 500])
})

test('those without a number are older than those with one, and stay until their steps are passed', (t) => {
  const old = [100, 200, 300].map((step) => candidate(step))
  const branch = [150, 250].map((step, sequence) => candidate(step, { sequence }))
  t.deepEqual(kept([...old, ...branch], { newest: 1 }), [200, 300, 250])
  const { doubts } = retain([...old, ...branch], { newest: 1 }, NOW)
  t.regex(doubts[0]!.message, /step 200 has no place in the order/)
  const passed = [350, 450].map((step, sequence) => candidate(step, { sequence }))
  t.deepEqual(kept([...old, ...passed], { newest: 1 }), [450])
})

test('newer than so many seconds', (t) => {
  const candidates = numbered(5, (step) => ({ savedAt: NOW - (5 - step) * 1000 }))
  t.deepEqual(kept(candidates, { newerThanSeconds: 2 }), [3, 4, 5])
})

test('certain steps', (t) => {
  t.deepEqual(kept(numbered(9), { steps: [2, 3, 77] }), [2, 3, 9])
})

test('a rule of the caller', (t) => {
  const candidates = numbered(6, (step) => ({ epoch: Math.floor(step / 2) }))
  t.deepEqual(kept(candidates, { custom: ({ epoch }) => epoch === 1 }), [2, 3, 6])
})

test('any of several rules', (t) => {
  const candidates = numbered(20, (step) => ({ loss: Math.abs(step - 7) }))
  const best = { count: 1, metric: 'loss', mode: 'min' } as const
  t.deepEqual(kept(candidates, { newest: 2, best, everySteps: 10 }), [7, 10, 19, 20])
})

const candidates = fc.uniqueArray(
  fc.record({
    path: fc.string(),
    epoch: fc.nat(5),
    step: fc.nat(200),
    loss: fc.oneof(fc.constant(null), fc.double()),
    metrics: fc.oneof(fc.constant({}), fc.record({ accuracy: fc.double() })),
    sequence: fc.option(fc.nat(100)),
    savedAt: fc.integer({ min: NOW - 60_000, max: NOW }),
    isTimeRecorded: fc.boolean(),
    modifiedAt: fc.integer({ min: NOW - 60_000, max: NOW }),
  }),
  { selector: ({ step }) => step, maxLength: 30 },
)

const rules: fc.Arbitrary<KeepRules> = fc.record(
  {
    newest: fc.integer({ min: 1, max: 10 }),
    best: fc.record({
      count: fc.integer({ min: 1, max: 5 }),
      metric: fc.constantFrom('loss', 'accuracy', 'none'),
      mode: fc.constantFrom('min' as const, 'max' as const),
      keepUnmeasured: fc.boolean(),
    }),
    everySteps: fc.integer({ min: 1, max: 50 }),
    everySeconds: fc.integer({ min: 1, max: 30 }),
    newerThanSeconds: fc.integer({ min: 1, max: 60 }),
    steps: fc.array(fc.nat(200), { maxLength: 5 }),
    custom: fc.constantFrom(({ step }: KeepCandidate) => step % 3 === 1),
  },
  { requiredKeys: [] },
)

test('law: the newest stays under every policy', (t) => {
  fc.assert(
    fc.property(candidates, rules, (all, policy) => {
      const newest = inOrder(all).at(-1)
      return discardable(all, policy, NOW).every((c) => c !== newest)
    }),
  )
  t.pass()
})

test('law: what stays, stays when the same policy is applied again', (t) => {
  fc.assert(
    fc.property(candidates, rules, (all, policy) => {
      const gone = new Set(discardable(all, policy, NOW))
      return (
        discardable(
          [...all].filter((c) => !gone.has(c)),
          policy,
          NOW,
        ).length === 0
      )
    }),
  )
  t.pass()
})

test('law: of several rules each keeps what it keeps alone, and nothing else stays', (t) => {
  fc.assert(
    fc.property(candidates, rules, (all, policy) => {
      const union = new Set(kept(all, {}))
      for (const [name, value] of Object.entries(policy)) {
        for (const step of kept(all, { [name]: value })) union.add(step)
      }
      return kept(all, policy).every((step) => union.delete(step)) && union.size === 0
    }),
  )
  t.pass()
})

test('law: the order of the candidates does not matter, and is not changed', (t) => {
  fc.assert(
    fc.property(candidates, rules, (all, policy) => {
      const before = [...all]
      const forwards = discardable(all, policy, NOW)
      const backwards = discardable([...all].reverse(), policy, NOW)
      return (
        all.every((c, i) => c === before[i]) &&
        forwards.length === backwards.length &&
        forwards.every((c, i) => c === backwards[i])
      )
    }),
  )
  t.pass()
})

test('law: the best of all that was ever saved is there at the end, whatever "newest" says', (t) => {
  fc.assert(
    fc.property(candidates, fc.integer({ min: 1, max: 3 }), (all, newest) => {
      const best = { count: 1, metric: 'loss', mode: 'min' } as const
      let present: KeepCandidate[] = []
      for (const saved of inOrder(all)) {
        present.push(saved)
        const gone = new Set(discardable(present, { newest, best }, NOW))
        present = present.filter((c) => !gone.has(c))
      }
      return bestOf(all, best).every((c) => present.includes(c))
    }),
  )
  t.pass()
})

test('law: what is kept for good is not removed by what is saved later', (t) => {
  fc.assert(
    fc.property(candidates, fc.integer({ min: 1, max: 50 }), (all, everySteps) => {
      const bySaved = all
        // Without a loss: the last one with a finite loss stays until the loss is finite again.
        .map((c, i) => ({
          ...c,
          loss: null,
          sequence: i,
          savedAt: NOW + i * 700,
          isTimeRecorded: true,
          modifiedAt: NOW + i * 700,
        }))
        .map((c, i, list) => ({
          ...c,
          step: [...list].map(({ step }) => step).sort((a, b) => a - b)[i]!,
        }))
      const policy = { everySteps, everySeconds: 2, steps: [10, 20] }
      let present: KeepCandidate[] = []
      const forGood = new Set<number>()
      for (const saved of bySaved) {
        present.push(saved)
        const gone = new Set(discardable(present, policy, NOW))
        present = present.filter((c) => !gone.has(c))
        for (const c of present.slice(0, -1)) forGood.add(c.step)
      }
      return [...forGood].every((step) => present.some((c) => c.step === step))
    }),
  )
  t.pass()
})

test('an invalid policy is refused, with the name of the rule', (t) => {
  const best = { count: 1, metric: 'loss', mode: 'min' }
  const wrong: [unknown, RegExp][] = [
    ['none', /keep must be 'all' or an object of rules/],
    [{ latest: 3 }, /keep has no option "latest"/],
    [{ newest: 0 }, /keep\.newest must be an integer of at least 1, not 0/],
    [{ everySteps: 2.5 }, /keep\.everySteps/],
    [{ everySeconds: 0 }, /keep\.everySeconds/],
    [{ newerThanSeconds: Number.NaN }, /keep\.newerThanSeconds/],
    [{ best: 3 }, /keep\.best must be an object/],
    [{ best: { ...best, count: undefined } }, /keep\.best\.count/],
    [{ best: { ...best, metric: '' } }, /keep\.best\.metric/],
    [{ best: { ...best, mode: 'best' } }, /keep\.best\.mode/],
    [{ best: { ...best, keepUnmeasured: 1 } }, /keep\.best\.keepUnmeasured/],
    [{ steps: [1.5] }, /keep\.steps/],
    [{ custom: 'yes' }, /keep\.custom/],
  ]
  for (const [policy, message] of wrong) t.throws(() => checkKeepPolicy(policy), { message })
  checkKeepPolicy('all')
  checkKeepPolicy({
    newest: 1,
    best,
    everySteps: 1,
    everySeconds: 0.1,
    steps: [],
    newerThanSeconds: 1,
  })
})
