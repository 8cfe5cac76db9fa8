import test from 'ava'
import { cutText, padText, textWidth } from '../../src/cli/text-width.js'

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

test('text is padded on either side', (t) => {
  t.is(padText('重み', 6), '重み  ')
  t.is(padText('8 B', 6, 'right'), '   8 B')
  t.is(padText('too long', 3), 'too long')
})

test('what is cut keeps both ends, and never takes more room than there is', (t) => {
  t.is(cutText('transformer.h.0.weight', 22), 'transformer.h.0.weight')
  t.is(cutText('transformer.h.0.weight', 13), 'transf…weight')
  t.is(cutText('重み.重み.重み', 8), '重….重み')
  t.is(cutText('abc', 1), '…')
  t.is(cutText('abc', 0), '')
  const text = 'ab重みe\u0301🎉한국어\u1112\u1161\u11abxyz'
  for (let width = 0; width < 40; width++) t.true(textWidth(cutText(text, width)) <= width)
})
