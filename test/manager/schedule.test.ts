import test from 'ava'
import { checkSaveRules, type SaveRules, SaveSchedule } from '../../src/manager/schedule.js'

/** The steps of a run at which a save is due; a step takes `millis`, and every save succeeds. */
function due(
  rules: SaveRules,
  steps: number,
  { millis = 0, empty = true }: { readonly millis?: number; readonly empty?: boolean } = {},
): number[] {
  const schedule = new SaveSchedule(rules, 0)
  const found: number[] = []
  for (let step = 1; step <= steps; step++) {
    if (!schedule.isDue(step, step * millis, empty)) continue
    schedule.saved(step, step * millis)
    found.push(step)
  }
  return found
}

test('without a rule nothing is due', (t) => {
  t.deepEqual(due({}, 100), [])
})

test('every so many steps: at the multiples, wherever the run began', (t) => {
  t.deepEqual(due({ everySteps: 4 }, 10), [4, 8])
  t.true(new SaveSchedule({ everySteps: 4 }, 0).isDue(0, 0, true))
})

test('every so many steps: at the first one that is asked about after a multiple', (t) => {
  const asked = (schedule: SaveSchedule, ...steps: number[]) =>
    steps.filter((step) => {
      const isDue = schedule.isDue(step, 0, false)
      if (isDue) schedule.saved(step, 0)
      return isDue
    })
  const rules = { everySteps: 50 }
  const epochs = Array.from({ length: 26 }, (_, i) => 4 * (i + 1))
  t.deepEqual(asked(new SaveSchedule(rules, 0), ...epochs), [52, 100])
  const resumed = new SaveSchedule(rules, 0)
  resumed.resumed(96)
  t.deepEqual(asked(resumed, 102, 104), [102])
  const anew = new SaveSchedule(rules, 0)
  anew.resumed(0)
  t.deepEqual(asked(anew, 60, 120), [60, 120])
  // Where it began is not known: only a multiple is due.
  t.deepEqual(asked(new SaveSchedule(rules, 0), 1001, 1002, 1050), [1050])
  const back = new SaveSchedule(rules, 0)
  t.deepEqual(asked(back, 150, 20, 49, 51), [150, 51])
})

test('every so many seconds: since the last save began, or since the start', (t) => {
  t.deepEqual(due({ everySeconds: 2.5 }, 10, { millis: 1000 }), [3, 6, 9])
})

test('every so many seconds: a save for another reason starts the time anew', (t) => {
  t.deepEqual(due({ everySeconds: 3, steps: [2] }, 8, { millis: 1000 }), [2, 5, 8])
})

test('certain steps', (t) => {
  t.deepEqual(due({ steps: [7, 3, 100] }, 10), [3, 7])
})

test('the first step, where there is no checkpoint yet', (t) => {
  t.deepEqual(due({ firstStep: true }, 10), [1])
  t.deepEqual(due({ firstStep: true }, 10, { empty: false }), [])
  t.deepEqual(due({ firstStep: false }, 10), [])
})

test('a rule of the caller', (t) => {
  t.deepEqual(due({ custom: (step) => Number.isInteger(Math.log2(step)) }, 10), [1, 2, 4, 8])
})

test('any of several rules', (t) => {
  t.deepEqual(due({ firstStep: true, everySteps: 5, steps: [6] }, 10), [1, 5, 6, 10])
})

test('a step that has been saved is not due again; one whose save did not begin is', (t) => {
  const schedule = new SaveSchedule({ everySteps: 5 }, 0)
  t.true(schedule.isDue(5, 0, true))
  t.true(schedule.isDue(5, 0, true))
  schedule.saved(5, 0)
  t.false(schedule.isDue(5, 0, true))
  t.true(schedule.isDue(10, 0, true))
})

test('invalid rules are refused, with the name of the rule', (t) => {
  const wrong: [unknown, RegExp][] = [
    [null, /save must be an object of rules, not null/],
    [{ everyStep: 5 }, /save has no option "everyStep"/],
    [{ everySteps: 0 }, /save\.everySteps must be an integer of at least 1, not 0/],
    [{ everySteps: 1.5 }, /save\.everySteps/],
    [{ everySeconds: -1 }, /save\.everySeconds must be a number above 0, not -1/],
    [{ everySeconds: '1' }, /save\.everySeconds/],
    [{ steps: 5 }, /save\.steps/],
    [{ steps: [1, -1] }, /save\.steps/],
    [{ firstStep: 1 }, /save\.firstStep/],
    [{ custom: true }, /save\.custom/],
  ]
  for (const [rules, message] of wrong) t.throws(() => checkSaveRules(rules), { message })
  checkSaveRules({ everySteps: 1, everySeconds: 0.5, steps: [0], firstStep: true })
})

test('whether the first step is due is not known while it is not known whether there is a checkpoint', (t) => {
  const asked = (rules: SaveRules) => new SaveSchedule(rules, 0).isDue(1, 0, undefined)
  t.is(asked({ firstStep: true }), undefined)
  t.is(asked({ firstStep: true, custom: () => false }), undefined)
  t.true(asked({ firstStep: true, custom: () => true }))
  t.true(asked({ firstStep: true, everySteps: 1 }))
  t.false(asked({ everySteps: 2 }))
  const schedule = new SaveSchedule({ firstStep: true }, 0)
  t.is(schedule.isDue(1, 0, undefined), undefined)
  t.false(schedule.isDue(2, 0, undefined))
})
