import test from 'ava'
import { fromText, toText } from '../../../viewer/src/compute/wire.js'
import fc from '../../support/fast-check.js'

const leaf = fc.oneof(
  fc.double(),
  fc.bigInt(),
  fc.string(),
  fc.boolean(),
  fc.constantFrom(null, -0, Number.NaN, Number.POSITIVE_INFINITY),
  fc.uint8Array().map((bytes) => bytes.slice()),
  fc.float64Array().map((values) => values.slice()),
  fc.uint32Array().map((values) => values.slice()),
)

const { value } = fc.letrec((tie) => ({
  value: fc.oneof({ maxDepth: 4 }, leaf, tie('list'), tie('object')),
  list: fc.array(tie('value'), { maxLength: 5 }),
  object: fc.dictionary(fc.constantFrom('$', 'of', 'a', '__proto__', 'toString'), tie('value')),
}))

test('every value comes back from its text as it was, with whatever names', (t) => {
  fc.assert(
    fc.property(value, (value) => {
      const plain = structuredClone(value)
      const text = toText(plain)
      t.false(text.includes('\n'))
      t.deepEqual(fromText(text), plain)
    }),
  )
})

test('text that names an array of another kind is refused', (t) => {
  t.throws(() => fromText('{"$":"constructor","of":""}'), { instanceOf: SyntaxError })
})

test('a long array is a text of few characters for each byte', (t) => {
  const values = Float64Array.from({ length: 100_000 }, (_, i) => Math.sin(i))
  const text = toText({ values })
  t.true(text.length < 1.4 * values.byteLength)
  t.deepEqual(fromText(text), { values })
})
