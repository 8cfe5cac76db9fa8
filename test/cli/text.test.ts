import { isDeepStrictEqual } from 'node:util'
import test from 'ava'
import {
  cutText,
  formatBytes,
  formatCount,
  formatSeconds,
  formatThings,
  jsonText,
  tableLines,
  textWidth,
} from '../../src/cli/text.js'
import { anyString } from '../support/any-string.js'
import fc from '../support/fast-check.js'

test('bytes are in the unit that suits them', (t) => {
  for (const [bytes, text] of [
    [0, '0 B'],
    [1023, '1023 B'],
    [1024, '1.0 KiB'],
    [1536, '1.5 KiB'],
    // Not 1024.0 KiB.
    [2 ** 20 - 1, '1.0 MiB'],
    [2 ** 20, '1.0 MiB'],
    [2.1 * 2 ** 30, '2.1 GiB'],
    [2 ** 40, '1.0 TiB'],
    [Number.MAX_SAFE_INTEGER, '8.0 PiB'],
    [2 ** 62, '4096.0 PiB'],
  ] as const) {
    t.is(formatBytes(bytes), text)
  }
})

test('counts are in groups of three', (t) => {
  t.deepEqual([0, 999, 1000, 124439808].map(formatCount), ['0', '999', '1,000', '124,439,808'])
  t.deepEqual(
    [0, 1, 2000].map((count) => formatThings(count, 'tensor')),
    ['0 tensors', '1 tensor', '2,000 tensors'],
  )
})

test('durations are in the units that suit them', (t) => {
  t.deepEqual([0, 0.44, 9.94, 9.96, 59.4, 59.6, 200, 3599, 3600, 7499].map(formatSeconds), [
    '0.0 s',
    '0.4 s',
    '9.9 s',
    '10 s',
    '59 s',
    '1 min 0 s',
    '3 min 20 s',
    '59 min 59 s',
    '1 h 0 min',
    '2 h 5 min',
  ])
})

test('any JSON text is the same value, and safe to print', (t) => {
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
    anyString({ minLength: 1, maxLength: 1 }),
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
    fc.property(tree, (value) => {
      const json = jsonText(value)
      t.true(isDeepStrictEqual(JSON.parse(json), JSON.parse(JSON.stringify(value))))
      t.notRegex(json, /[^\P{Cc}\n]|[\p{Cf}\p{Zl}\p{Zp}]/u)
    }),
    { numRuns: 500 },
  )
})

test('very long lists and texts are handled', (t) => {
  const value = { list: Array.from({ length: 500_000 }, (_, i) => i), text: 'x"'.repeat(1_000_000) }
  t.true(isDeepStrictEqual(JSON.parse(jsonText(value)), value))
})

test('width is counted in cells of a terminal', (t) => {
  for (const [text, width] of [
    ['', 0],
    ['h.0.attn.weight', 15],
    ['naïve', 5],
    ['nai\u0308ve', 5],
    ['重み', 4],
    ['ひらカタ', 8],
    ['ｶﾀ', 2],
    ['한국어', 6],
    // The same syllable, composed and in parts.
    ['\u1112\u1161\u11ab', 2],
    ['ｆｕｌｌ', 8],
    ['𠮷', 2],
    ['🎉', 2],
    ['αβγ', 3],
    ['עברית', 5],
    // A flag, of two regional indicators.
    ['🇯🇵', 2],
    ['…', 1],
  ] as const) {
    t.is(textWidth(text), width, text)
  }
})

test('cut text keeps both ends, and never takes more than the available width', (t) => {
  t.is(cutText('transformer.h.0.weight', 22), 'transformer.h.0.weight')
  t.is(cutText('transformer.h.0.weight', 13), 'transf…weight')
  t.is(cutText('重み.重み.重み', 8), '重….重み')
  t.is(cutText('abc', 1), '…')
  t.is(cutText('abc', 0), '')
  const text = 'ab重みe\u0301🎉한국어\u1112\u1161\u11abxyz'
  for (let width = 0; width < 40; width++) t.true(textWidth(cutText(text, width)) <= width)
})

const COLUMNS = [{ title: 'name' }, { title: 'n', align: 'right' }] as const

test('columns are as wide as their widest cell, and aligned', (t) => {
  const rows = [{ cells: ['a', '1'] }, { cells: ['long', '100'] }, { cells: ['b'], note: '= a' }]
  t.deepEqual(tableLines(COLUMNS, rows), [
    'name    n', //
    'a       1',
    'long  100',
    'b     = a',
  ])
})

test('one overlong cell stands out, and does not widen the others', (t) => {
  const [title, long, short] = tableLines(COLUMNS, [
    { cells: ['x'.repeat(1000), '1'] },
    { cells: ['y', '2'] },
  ])
  t.is(long, `${'x'.repeat(1000)}  1`)
  t.is(short!.length, 163)
  t.is(title!.length, 163)
})

test('names are cut to a width, but stay apart', (t) => {
  const cut = (names: string[], width: number) =>
    tableLines(
      COLUMNS,
      names.map((name) => ({ cells: [name, '1'] })),
      width,
    ).slice(1)
  t.deepEqual(cut(['abcdefghijklmnopqrstuvwxyz', 'b'], 23), [
    'abcdefghi…qrstuvwxyz  1',
    'b                     1',
  ])
  const ends = ['a'.repeat(20), 'b'.repeat(20)]
  const alike = ['1', '2'].map((digit) => ends.join(digit))
  t.deepEqual(
    cut(alike, 23).map((line) => line.includes('…')),
    [false, false],
  )
})
