import test from 'ava'
import { type PathSegment, segmentsOf, treePath } from '../../../src/adapters/tree/leaves.js'
import { anyWellFormedString } from '../../support/any-string.js'
import fc from '../../support/fast-check.js'

const segment = fc.oneof(
  anyWellFormedString(),
  fc.string({
    unit: fc.constantFrom('.', '[', ']', '"', '\\', '$', 'a', '0', ' ', '\0', '\ud800'),
  }),
  fc.nat(),
)

test('a path reads like the code that would reach the leaf', (t) => {
  for (const [segments, path] of [
    [['layers', 0, 'weight'], 'layers[0].weight'],
    [[1, 2], '[1][2]'],
    [['m', 'dense_1/kernel'], 'm.dense_1/kernel'],
    [['h', '0'], 'h.0'],
    [['größe'], 'größe'],
    [['h.0', 'w'], '["h.0"].w'],
    [['', 'a b'], '[""]["a b"]'],
    [['$'], '["$"]'],
    [[], '$'],
  ] as [PathSegment[], string][]) {
    t.is(treePath(segments), path)
  }
})

test('every path leads back to the segments that it was made of, and has no characters that names cannot have', (t) => {
  fc.assert(
    fc.property(fc.array(segment), (segments) => {
      const path = treePath(segments)
      t.deepEqual(segmentsOf(path), segments)
      t.false(path.includes('\0'))
      t.true(path.isWellFormed())
    }),
  )
})

test('a path has one spelling', (t) => {
  for (const other of [
    '',
    '.a',
    'a.',
    'a..b',
    '["a"]',
    '[01]',
    '[1].[2]',
    'a[b]',
    'a b',
    '$.a',
    '["\\q"]',
    '["\\u0061 "]',
    '[1]a',
    '["a b]',
    '[99999999999999999999]',
  ]) {
    t.is(segmentsOf(other), undefined, other)
  }
})
