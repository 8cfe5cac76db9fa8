import test from 'ava'
import type { Attribute } from '../../src/format/attributes.js'
import {
  boolean,
  checkedAttributes,
  counter,
  finiteOrNull,
  nonNegative,
  rates,
  uint64,
} from '../support/trainer/attributes.js'

const CHECKS = { lr: nonNegative, step: counter }

test('attributes that pass their checks come back', (t) => {
  t.deepEqual(checkedAttributes({ lr: 0.1, step: 3 }, 'SGD', CHECKS), { lr: 0.1, step: 3 })
})

test('an attribute that is missing, unknown or wrong is named', (t) => {
  const message = (attributes: { [key: string]: Attribute }) =>
    t.throws(() => checkedAttributes(attributes, 'SGD', CHECKS), { instanceOf: TypeError })!.message
  t.is(message({ lr: 0.1 }), "SGD: the attribute 'step' is missing")
  t.is(message({ lr: 0.1, step: 3, momentum: 0 }), "SGD has no attribute 'momentum'")
  t.is(message({ lr: 0.1, step: 1.5 }), "SGD: 'step' must be a whole number of at least 0, not 1.5")
  t.is(
    message({ lr: 'big', step: 1 }),
    'SGD: \'lr\' must be a finite number of at least 0, not "big"',
  )
})

const EXAMPLES = [
  { check: boolean, accepted: [true, false], refused: [0, null, 'true'] },
  { check: nonNegative, accepted: [0, 1.5], refused: [-1, Number.NaN, Infinity, 1n, '1'] },
  { check: rates, accepted: [[0, 0.999]], refused: [0.9, [0.9], [0.9, 1], [-0.1, 0.9], [0, 0, 0]] },
  { check: counter, accepted: [0, 7], refused: [-1, 0.5, 2 ** 53, 7n] },
  { check: uint64, accepted: [0n, 2n ** 64n - 1n], refused: [-1n, 2n ** 64n, 1] },
  { check: finiteOrNull, accepted: [null, -1.5], refused: [Number.NaN, -Infinity, 1n] },
]

for (const { check, accepted, refused } of EXAMPLES) {
  test(`${check.wanted} is that and nothing else`, (t) => {
    for (const value of accepted) t.true(check.accepts(value), String(value))
    for (const value of refused) t.false(check.accepts(value), String(value))
  })
}
