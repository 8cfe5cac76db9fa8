/** Text of any characters. fast-check's `unit: 'binary'` strings do the same, but take a second to set up. */

import fc from './fast-check.js'

const from = (code: number) => String.fromCodePoint(code)

// What shrinks a value asks for the number behind it.
function to(unit: unknown): number {
  const code = typeof unit === 'string' ? unit.codePointAt(0) : undefined
  if (code === undefined || from(code) !== unit) throw new TypeError('not a code point')
  return code
}

const anyCodePoint = fc.oneof(
  fc.integer({ min: 0x20, max: 0x7e }).map(from, to),
  fc.integer({ min: 0, max: 0xffff }).map(from, to),
  fc.integer({ min: 0, max: 0x10ffff }).map(from, to),
)

interface Lengths {
  readonly minLength?: number
  readonly maxLength?: number
}

/** Any string; it may contain lone surrogates. Lengths are in code points. */
export function anyString(lengths: Lengths = {}): fc.Arbitrary<string> {
  return fc.string({ unit: anyCodePoint, ...lengths })
}

/** Any string that UTF-8 can hold. */
export function anyWellFormedString(lengths: Lengths = {}): fc.Arbitrary<string> {
  return fc.string({ unit: anyCodePoint.filter((unit) => unit.isWellFormed()), ...lengths })
}
