import test from 'ava'
import { dtypes } from '../../src/format/dtype.js'
import { mayBeNonFinite, numbersOf } from '../../src/format/numbers.js'

const of = (dtype: (typeof dtypes)[number], ...bytes: number[]) =>
  Array.from(numbersOf(dtype, Uint8Array.from(bytes)), Number)

test('floats of 16 bits and fewer are read as their formats say', (t) => {
  const { NaN: nan, POSITIVE_INFINITY: infinity } = Number
  t.deepEqual(of('float16', 0, 0x3c, 1, 0, 0xff, 0x7b, 0, 0xfc), [1, 2 ** -24, 65504, -infinity])
  t.deepEqual(of('bfloat16', 0x80, 0x3f, 1, 0, 0xc0, 0x7f), [1, 2 ** -133, nan])
  t.deepEqual(of('float8_e4m3fn', 0x38, 0x7e, 0x7f, 0x81), [1, 448, nan, -(2 ** -9)])
  t.deepEqual(of('float8_e5m2', 0x3c, 0x7b, 0x7c, 0xfd), [1, 57344, infinity, nan])
  t.deepEqual(of('float8_e4m3fnuz', 0x40, 0x7f, 0x80), [1, 240, nan])
  t.deepEqual(of('float8_e5m2fnuz', 0x40, 0x7f, 0x80), [1, 57344, nan])
  t.deepEqual(of('float8_e8m0fnu', 0, 127, 254, 255), [2 ** -127, 1, 2 ** 127, nan])
  t.deepEqual(of('float4_e2m1fn', 0x72, 0xf1), [1, 6, 0.5, -6])
  // Four elements in three bytes, from the lowest bits up: 1, 2, 3 and 63.
  t.deepEqual(of('float6_e2m3fn', 0x81, 0x30, 0xfc), [0.125, 0.25, 0.375, -7.5])
  t.deepEqual(of('float6_e3m2fn', 0x81, 0x30, 0xfc), [0.0625, 0.125, 0.1875, -28])
})

test('integers are read as what they are, of 64 bits as bigints', (t) => {
  t.deepEqual(of('int4', 0xf7), [7, -1])
  t.deepEqual(of('uint4', 0xf7), [7, 15])
  t.deepEqual(of('int16', 0xff, 0xff), [-1])
  t.is(numbersOf('uint64', new Uint8Array(8).fill(0xff))[0], 2n ** 64n - 1n)
})

test('memory that is not aligned is read all the same', (t) => {
  const bytes = new Uint8Array(new Float32Array([0, 1.5]).buffer)
  const shifted = new Uint8Array(9)
  shifted.set(bytes, 1)
  t.deepEqual([...numbersOf('float32', shifted.subarray(1))], [0, 1.5])
})

test('which dtypes have NaN or infinities is what their numbers say', (t) => {
  for (const dtype of dtypes) {
    if (/64|32|128/.test(dtype)) continue
    const all = Uint8Array.from({ length: 2 ** 17 }, (_, i) => (i % 2 === 0 ? i >> 1 : i >> 9))
    const isThere = Array.from(numbersOf(dtype, all), Number).some((x) => !Number.isFinite(x))
    t.is(mayBeNonFinite(dtype), isThere, dtype)
  }
})
