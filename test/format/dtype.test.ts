import test from 'ava'
import { DType as Code } from '../../generated/lightwatch/format/dtype.js'
import {
  arrayType,
  type DType,
  dtypeCode,
  dtypeOfArray,
  dtypeOfCode,
  dtypes,
  elementCount,
  isDType,
  tensorByteLength,
} from '../../src/format/dtype.js'
import fc from '../support/fast-check.js'
import { holds } from '../support/format/property.js'

// Written down once more, since files depend on it: a code that changes is a file that is misread.
const table: readonly [DType, code: number, bits: number, array: { readonly name: string }][] = [
  ['float64', 1, 64, Float64Array],
  ['float32', 2, 32, Float32Array],
  ['float16', 3, 16, Uint16Array],
  ['bfloat16', 4, 16, Uint16Array],
  ['float8_e4m3fn', 5, 8, Uint8Array],
  ['float8_e5m2', 6, 8, Uint8Array],
  ['float8_e4m3fnuz', 7, 8, Uint8Array],
  ['float8_e5m2fnuz', 8, 8, Uint8Array],
  ['float8_e8m0fnu', 9, 8, Uint8Array],
  ['float6_e2m3fn', 10, 6, Uint8Array],
  ['float6_e3m2fn', 11, 6, Uint8Array],
  ['float4_e2m1fn', 12, 4, Uint8Array],
  ['int8', 16, 8, Int8Array],
  ['int16', 17, 16, Int16Array],
  ['int32', 18, 32, Int32Array],
  ['int64', 19, 64, BigInt64Array],
  ['uint8', 20, 8, Uint8Array],
  ['uint16', 21, 16, Uint16Array],
  ['uint32', 22, 32, Uint32Array],
  ['uint64', 23, 64, BigUint64Array],
  ['bool', 24, 8, Uint8Array],
  ['complex64', 25, 64, Float32Array],
  ['complex128', 26, 128, Float64Array],
  ['int4', 27, 4, Uint8Array],
  ['uint4', 28, 4, Uint8Array],
]

for (const [dtype, code, bits, array] of table) {
  test(`${dtype} has the code ${code}, ${bits} bits, and is read as ${array.name}`, (t) => {
    t.is(dtypeCode(dtype), code)
    t.is(dtypeOfCode(code), dtype)
    // Eight elements fill whole bytes, whatever they are.
    t.is(tensorByteLength(dtype, [8]), bits)
    t.is(arrayType(dtype) as unknown, array)
    t.true(isDType(dtype))
  })
}

test('the dtypes are these and no others, in the order of their codes', (t) => {
  t.deepEqual(
    dtypes,
    table.map(([dtype]) => dtype),
  )
})

test('every dtype of the schema is one of ours, by its name', (t) => {
  const names = Object.keys(Code).filter((key) => Number.isNaN(Number(key)))
  t.deepEqual(names.filter((name) => name !== 'unknown').sort(), [...dtypes].sort())
  for (const dtype of dtypes) t.is(dtypeCode(dtype), Code[dtype])
})

test('no code but those means a dtype, zero least of all', (t) => {
  const known = new Set(table.map(([, code]) => code))
  for (let code = 0; code < 256; code++) {
    if (!known.has(code)) t.is(dtypeOfCode(code), undefined, `${code}`)
  }
})

test('an inherited property of an object is not a dtype', (t) => {
  for (const name of ['', 'unknown', 'float', 'constructor', '__proto__', 'toString', 1, null]) {
    t.false(isDType(name))
  }
})

test('a typed array says what its elements are', (t) => {
  const arrays: [ArrayBufferView, DType][] = [
    [new Float64Array(1), 'float64'],
    [new Float32Array(1), 'float32'],
    [new Int8Array(1), 'int8'],
    [new Int16Array(1), 'int16'],
    [new Int32Array(1), 'int32'],
    [new BigInt64Array(1), 'int64'],
    [new Uint8Array(1), 'uint8'],
    [new Uint8ClampedArray(1), 'uint8'],
    [Buffer.alloc(1), 'uint8'],
    [new Uint16Array(1), 'uint16'],
    [new Uint32Array(1), 'uint32'],
    [new BigUint64Array(1), 'uint64'],
  ]
  for (const [array, dtype] of arrays) t.is(dtypeOfArray(array), dtype)
})

test('a Float16Array is float16, on an engine that has one', (t) => {
  class Float16Array extends Uint16Array {
    // @ts-expect-error: an engine's own says its own name here, where a Uint16Array says its.
    override get [Symbol.toStringTag](): string {
      return 'Float16Array'
    }
  }
  t.is(dtypeOfArray(new Float16Array(1)), 'float16')
})

test('memory without typed elements implies no dtype', (t) => {
  class Float12Array extends Uint16Array {
    // @ts-expect-error: as above.
    override get [Symbol.toStringTag](): string {
      return 'Float12Array'
    }
  }
  const nothing = [
    new DataView(new ArrayBuffer(8)),
    new ArrayBuffer(8),
    new Float12Array(1),
    [1, 2],
    { [Symbol.toStringTag]: 'Float32Array' },
    'Float32Array',
    undefined,
    null,
  ]
  for (const value of nothing) t.is(dtypeOfArray(value), undefined)
})

test('a scalar is one element, and a zero anywhere is none', (t) => {
  t.is(elementCount([]), 1)
  t.is(elementCount([1, 1, 1]), 1)
  t.is(elementCount([2, 3, 4]), 24)
  t.is(elementCount([0]), 0)
  t.is(elementCount([5, 0, 7]), 0)
  t.is(elementCount([0, 0]), 0)
})

test('a dimension is an integer that is not negative, and safe', (t) => {
  for (const length of [-1, 0.5, Number.NaN, Infinity, 2 ** 53, -(2 ** 53)]) {
    t.is(elementCount([length]), undefined, `${length}`)
    t.is(elementCount([0, length]), undefined, `0, ${length}`)
    t.is(elementCount([length, 0]), undefined, `${length}, 0`)
  }
})

test('a product beyond 2^53 - 1 is no count', (t) => {
  t.is(elementCount([2 ** 53 - 1]), 2 ** 53 - 1)
  t.is(elementCount([2 ** 26, 2 ** 27]), undefined)
  t.is(elementCount([2 ** 26, 2 ** 26]), 2 ** 52)
  t.is(elementCount([2 ** 32, 2 ** 32]), undefined)
  t.is(elementCount(new Array(64).fill(2)), undefined)
  t.is(elementCount(new Array(64).fill(1)), 1)
  // In 32 or 64 bits this wraps around to something small.
  t.is(elementCount([2 ** 16, 2 ** 16, 2 ** 16, 2 ** 16]), undefined)
  t.is(elementCount([2 ** 32 + 1, 2 ** 32 - 1]), undefined)
})

test('a zero does not hide dimensions that are huge', (t) => {
  t.is(elementCount([0, 2 ** 32, 2 ** 32]), undefined)
  t.is(elementCount([2 ** 32, 0, 2 ** 32]), undefined)
  t.is(elementCount([2 ** 32, 2 ** 32, 0]), undefined)
  t.is(tensorByteLength('uint8', [2 ** 40, 2 ** 40, 0]), undefined)
  t.is(elementCount([0, 2 ** 52]), 0)
})

test('a count is the exact product wherever that is safe, and undefined elsewhere', (t) => {
  const dimension = fc.oneof(fc.nat(8), fc.integer({ min: 1, max: 2 ** 31 }), fc.maxSafeNat())
  holds(
    t,
    fc.property(fc.array(dimension, { maxLength: 6 }), (shape) => {
      const others = shape.filter((n) => n !== 0).reduce((product, n) => product * BigInt(n), 1n)
      const safe = others <= BigInt(Number.MAX_SAFE_INTEGER)
      const expected = safe ? (shape.includes(0) ? 0 : Number(others)) : undefined
      return elementCount(shape) === expected
    }),
  )
})

test('scalars and empty tensors have their bytes', (t) => {
  t.is(tensorByteLength('float64', []), 8)
  t.is(tensorByteLength('bool', []), 1)
  t.is(tensorByteLength('complex128', []), 16)
  for (const dtype of dtypes) t.is(tensorByteLength(dtype, [3, 0]), 0, dtype)
})

test('packed elements have to fill whole bytes', (t) => {
  t.is(tensorByteLength('float4_e2m1fn', [2]), 1)
  t.is(tensorByteLength('float4_e2m1fn', [3, 2]), 3)
  t.is(tensorByteLength('float4_e2m1fn', [3]), undefined)
  t.is(tensorByteLength('float4_e2m1fn', []), undefined)
  for (const dtype of ['float6_e2m3fn', 'float6_e3m2fn'] as const) {
    t.is(tensorByteLength(dtype, [4]), 3)
    t.is(tensorByteLength(dtype, [2, 2]), 3)
    t.is(tensorByteLength(dtype, [1]), undefined)
    t.is(tensorByteLength(dtype, [2]), undefined)
    t.is(tensorByteLength(dtype, [3]), undefined)
    t.is(tensorByteLength(dtype, []), undefined)
  }
})

test('bytes beyond 2^53 - 1 are no length, though the elements could be counted', (t) => {
  t.is(tensorByteLength('uint8', [2 ** 53 - 1]), 2 ** 53 - 1)
  t.is(tensorByteLength('uint16', [2 ** 52 - 1]), 2 ** 53 - 2)
  t.is(tensorByteLength('uint16', [2 ** 52]), undefined)
  t.is(tensorByteLength('float32', [2 ** 51]), undefined)
  t.is(tensorByteLength('float64', [2 ** 50]), undefined)
  t.is(tensorByteLength('complex128', [2 ** 49]), undefined)
  t.is(tensorByteLength('complex128', [2 ** 49 - 1]), 2 ** 53 - 16)
  t.is(tensorByteLength('float4_e2m1fn', [2 ** 53 - 1]), undefined)
})

test('a length is elements times bits, in whole bytes, wherever that is safe', (t) => {
  const bitsOf = new Map(table.map(([dtype, , bits]) => [dtype, BigInt(bits)]))
  const dimension = fc.oneof(fc.nat(9), fc.nat(2 ** 20))
  holds(
    t,
    fc.property(
      fc.constantFrom(...dtypes),
      fc.array(dimension, { maxLength: 4 }),
      (dtype, shape) => {
        const count = elementCount(shape)
        if (count === undefined) return tensorByteLength(dtype, shape) === undefined
        const bits = BigInt(count) * bitsOf.get(dtype)!
        const packed = bitsOf.get(dtype)! % 8n !== 0n
        // Of packed elements, the bits have to be safe as well.
        const limit = BigInt(Number.MAX_SAFE_INTEGER) * (packed ? 1n : 8n)
        const expected = bits % 8n === 0n && bits <= limit ? Number(bits / 8n) : undefined
        return tensorByteLength(dtype, shape) === expected
      },
    ),
    { numRuns: 500 },
  )
})
