import test from 'ava'
import { CheckpointError } from '../../src/errors.js'
import { decodeText, MAX_NAME_BYTES, nameFault, textFault } from '../../src/format/text.js'
import fc from '../support/fast-check.js'
import { anyText, CURIOUS_NAMES } from '../support/format/contents.js'
import { holds } from '../support/format/property.js'

const encoder = new TextEncoder()

test('any text comes back from its UTF-8 as it was', (t) => {
  holds(
    t,
    fc.property(anyText, (text) => decodeText(encoder.encode(text), 'it') === text),
  )
})

test('text comes back whatever its length is, and wherever in it a character takes more bytes', (t) => {
  for (let length = 60; length < 70; length++) {
    for (const last of ['a', 'é', '𝛉']) {
      const text = 'x'.repeat(length) + last
      t.is(decodeText(encoder.encode(text), 'it'), text)
      t.is(decodeText(encoder.encode(last + text), 'it'), last + text)
    }
  }
})

test('a byte order mark is a character like any other, in short text and in long', (t) => {
  for (const rest of ['', 'weight', 'w'.repeat(100)]) {
    const text = decodeText(encoder.encode(`\ufeff${rest}`), 'it')
    t.is(text.charCodeAt(0), 0xfeff)
    t.is(text.length, rest.length + 1)
  }
})

test('composed and decomposed letters stay two texts', (t) => {
  t.not(decodeText(encoder.encode('\u00e9'), 'a'), decodeText(encoder.encode('e\u0301'), 'b'))
})

const broken: readonly (readonly [what: string, bytes: readonly number[]])[] = [
  ['a byte that never stands in UTF-8', [0xff]],
  ['a byte that only continues', [0x61, 0x80]],
  ['a character that is cut off', [0x61, 0xe2, 0x82]],
  ['an overlong slash', [0xc0, 0xaf]],
  ['an overlong zero', [0xc0, 0x80]],
  ['half of a surrogate pair', [0xed, 0xa0, 0x80]],
  ['two halves of a surrogate pair, as CESU-8 has them', [0xed, 0xa0, 0x81, 0xed, 0xb0, 0x80]],
  ['a code point beyond U+10FFFF', [0xf4, 0x90, 0x80, 0x80]],
]

for (const [what, bytes] of broken) {
  test(`${what} is refused, in short text and in long, and never replaced`, (t) => {
    for (const before of ['', 'a'.repeat(100)]) {
      const error = t.throws(
        () =>
          decodeText(Uint8Array.of(...encoder.encode(before), ...bytes), 'the name of a tensor'),
        { instanceOf: CheckpointError, code: 'CKPT_FORMAT' },
      )
      t.is(error.rule, 'text.utf8')
      t.true(error.message.includes('the name of a tensor'))
      t.truthy(error.cause)
    }
  })
}

test('text cannot be written where it has half of a surrogate pair', (t) => {
  t.regex(textFault('a\ud800')!, /surrogate/)
  t.regex(textFault('\udc00a')!, /surrogate/)
  t.regex(textFault('\udc00\ud800')!, /surrogate/)
  t.is(textFault('\u{1f600}'), undefined)
  t.is(textFault(''), undefined)
  t.is(textFault('\0'), undefined)
})

test('text that can be written is exactly the text that UTF-8 keeps', (t) => {
  holds(
    t,
    fc.property(fc.array(fc.integer({ min: 0, max: 0xffff })), (units) => {
      const text = String.fromCharCode(...units)
      const kept = decodeText(encoder.encode(text), 'it') === text
      return (textFault(text) === undefined) === kept
    }),
  )
})

test('names may be in any script, and look like anything', (t) => {
  for (const name of CURIOUS_NAMES) t.is(nameFault(name), undefined, name)
})

test('a name has at least one character, no U+0000, and is text', (t) => {
  t.is(nameFault(''), 'is empty')
  t.is(nameFault('\0'), 'contains U+0000')
  t.is(nameFault('weight\0'), 'contains U+0000')
  t.regex(nameFault('\ud800')!, /surrogate/)
})

test('a name may be 65,535 bytes long and no longer, whatever its characters take', (t) => {
  t.is(MAX_NAME_BYTES, 65_535)
  const tooLong = 'is longer than 65535 bytes'
  t.is(nameFault('a'.repeat(65_535)), undefined)
  t.is(nameFault('a'.repeat(65_536)), tooLong)
  t.is(nameFault(`a${'é'.repeat(32_767)}`), undefined)
  t.is(nameFault('é'.repeat(32_768)), tooLong)
  t.is(nameFault('€'.repeat(21_845)), undefined)
  t.is(nameFault(`${'€'.repeat(21_845)}a`), tooLong)
  t.is(nameFault('𝛉'.repeat(16_383)), undefined)
  t.is(nameFault('𝛉'.repeat(16_384)), tooLong)
})
