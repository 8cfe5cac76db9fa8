import test from 'ava'
import {
  type Colour,
  decadesOf,
  diverging,
  logPart,
  sequential,
} from '../../../viewer/src/plots/ramp.js'
import { digits, percent } from '../../../viewer/src/plots/text.js'
import fc from '../../support/fast-check.js'

/** The luminance of WCAG. */
function luminance(colour: Colour): number {
  const [r, g, b] = colour.map((value) => {
    const part = value / 255
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4
  }) as [number, number, number]
  return 0.2126 * r + 0.7152 * g + 0.0722 * b
}

test('more change is always lighter in the dark, and darker in the light: colour is not needed', (t) => {
  for (const isDark of [true, false]) {
    for (let i = 0; i < 200; i++) {
      const [less, more] = [sequential(i / 200, isDark), sequential((i + 1) / 200, isDark)]
      const rises = luminance(more) - luminance(less)
      t.true(isDark ? rises > 0 : rises < 0, `${isDark} ${i}`)
    }
  }
})

test('a number and its opposite are of like lightness, and zero is the ground', (t) => {
  for (const isDark of [true, false]) {
    const ground = luminance(diverging(0, isDark))
    for (const part of [0.3, 0.6, 1]) {
      const [less, more] = [luminance(diverging(-part, isDark)), luminance(diverging(part, isDark))]
      t.is(less > ground, isDark)
      t.is(more > ground, isDark)
    }
  }
})

test('the ends of the colours are powers of ten that hold nearly all numbers', (t) => {
  t.deepEqual(decadesOf([0.0002, 0.005, 0.03]), [-4, -1])
  t.deepEqual(decadesOf([0.02]), [-2, 0])
  t.deepEqual(decadesOf([0, Number.NaN, Number.POSITIVE_INFINITY]), [-6, 0])
  fc.assert(
    fc.property(fc.double({ min: 1e-300, max: 1e300, noNaN: true }), (value) => {
      const part = logPart(value, [-4, 0])
      return part >= 0 && part <= 1
    }),
  )
  t.is(logPart(1e-2, [-4, 0]), 0.5)
})

test('numbers are short', (t) => {
  t.deepEqual([0.00123, 12345.6, 1e-5, -2e-7, 1e9, 0, Number.NaN].map(digits), [
    '0.00123',
    '12300',
    '1.0e−5',
    '−2.0e−7',
    '1.0e9',
    '0',
    'NaN',
  ])
  t.deepEqual([0.2, 0.676, -22].map(digits), ['0.200', '0.676', '−22.0'])
  t.is(digits(Number.NEGATIVE_INFINITY), '−∞')
  t.deepEqual([0, 0.00001, 0.5, 0.9999, 1].map(percent), ['0%', '<0.1%', '50.0%', '>99.9%', '100%'])
})
