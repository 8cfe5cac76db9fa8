import { isDeepStrictEqual } from 'node:util'
import test from 'ava'
import fc from 'fast-check'
import { jsonDocument, jsonOutline } from '../../src/cli/json-text.js'
import { outlineLines } from '../../src/cli/outline.js'

const pretty = (text: string, width = 40): string | undefined => {
  const outline = jsonOutline(text)
  return outline === undefined ? undefined : outlineLines(outline, width).join('\n')
}

test('what fits on a line stays on one, and the rest is indented', (t) => {
  t.is(pretty(' { "a" : [ 1 , 2 ],"b":{}, "c" : [] } '), '{"a": [1, 2], "b": {}, "c": []}')
  t.is(
    pretty('{"layers":[{"type":"linear","size":[128,256]},{"type":"gelu"}],"name":"x"}', 44),
    `{
  "layers": [
    {"type": "linear", "size": [128, 256]},
    {"type": "gelu"}
  ],
  "name": "x"
}`,
  )
})

test('a long list of words has as many on a line as fit', (t) => {
  t.is(
    pretty(JSON.stringify({ order: Array.from({ length: 20 }, (_, i) => i) }), 30),
    `{
  "order": [
    0, 1, 2, 3, 4, 5, 6, 7, 8,
    9, 10, 11, 12, 13, 14, 15,
    16, 17, 18, 19
  ]
}`,
  )
})

test('the digits of a number, repeated keys and escapes stay as they are', (t) => {
  t.is(
    pretty('{"a":1.0,"a":12345678901234567890,"b":-0,"\\u0041\\n":1e400}', 80),
    '{"a": 1.0, "a": 12345678901234567890, "b": -0, "\\u0041\\n": 1e400}',
  )
})

test('what is no JSON has no outline', (t) => {
  for (const text of ['', '{', 'lr: 1', '[1,]', '{"a" 1}', "{'a': 1}"]) {
    t.is(jsonOutline(text), undefined)
  }
  t.is(jsonOutline('['.repeat(100_000) + ']'.repeat(100_000)), undefined)
})

test('any JSON text means the same after it was laid out, and is safe to print', (t) => {
  const unit = fc.oneof(
    fc.constantFrom(
      '"',
      '\\',
      '{',
      ']',
      ',',
      ':',
      ' ',
      '\n',
      '\u001b',
      '\u202e',
      '\u2028',
      '\u{e0041}',
    ),
    fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
  )
  const text = fc.string({ unit }).map((each) => each.toWellFormed())
  const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
    tree: fc.oneof(
      { maxDepth: 6 },
      fc.constantFrom(null, true, false),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      text,
      fc.array(tie('tree')),
      fc.dictionary(text, tie('tree'), { noNullPrototype: true }),
    ),
  }))
  fc.assert(
    fc.property(tree, fc.constantFrom(undefined, 1, '\t'), fc.nat(120), (value, space, width) => {
      const json = JSON.stringify(value, null, space)
      const laidOut = pretty(json, width)!
      t.true(isDeepStrictEqual(JSON.parse(laidOut), JSON.parse(json)))
      t.notRegex(laidOut, /[^\P{Cc}\n]|[\p{Cf}\p{Zl}\p{Zp}]/u)
      t.true(isDeepStrictEqual(JSON.parse(jsonDocument(value)), JSON.parse(json)))
    }),
    { numRuns: 500 },
  )
})

test('a very long list and a very long text are no trouble', (t) => {
  const value = { list: Array.from({ length: 500_000 }, (_, i) => i), text: 'x"'.repeat(1_000_000) }
  t.true(isDeepStrictEqual(JSON.parse(jsonDocument(value)), value))
})
