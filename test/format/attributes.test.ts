import vm from 'node:vm'
import test from 'ava'
import {
  type Attribute,
  copyAttributes,
  describe,
  INT64_MAX,
  INT64_MIN,
  isPlainObject,
  sameAttributes,
  setKey,
  UINT64_MAX,
} from '../../src/format/attributes.js'
import fc from '../support/fast-check.js'
import { anyAttributes, CURIOUS_NAMES, objectOf } from '../support/format/contents.js'
import { holds } from '../support/format/property.js'

const PATH = 'optimizer.attributes'

/** Copies an object with one key, `a`. */
const copied = (value: unknown) => copyAttributes({ a: value }, PATH).a

/** `depth` containers, one in the other. */
function nested(depth: number, wrap: (inner: unknown) => unknown, innermost: unknown): unknown {
  let value = innermost
  for (let i = 0; i < depth; i++) value = wrap(value)
  return value
}

test('a copy has everything that the original has, in the same order', (t) => {
  holds(
    t,
    fc.property(anyAttributes, (attributes) => {
      const copy = copyAttributes(attributes, PATH)
      return (
        sameAttributes(copy, attributes) &&
        Object.keys(copy).join() === Object.keys(attributes).join()
      )
    }),
  )
})

test('a change of the original does not reach the copy', (t) => {
  const group = { lr: 0.1, betas: [0.9, 0.999] }
  const original = { groups: [group], names: ['a'] }
  const copy = copyAttributes(original, PATH)
  group.lr = 1
  group.betas[0] = 1
  original.names.push('b')
  t.deepEqual(copy, { groups: [{ lr: 0.1, betas: [0.9, 0.999] }], names: ['a'] })
})

test('numbers that JSON loses are kept: NaN, the infinities, -0, and bigints', (t) => {
  for (const value of [Number.NaN, Infinity, -Infinity, -0, 0, 5e-324, 2 ** 53, 0n, -1n]) {
    t.is(copied(value), value)
  }
})

test('a bigint fits an int64 or a uint64', (t) => {
  t.is(INT64_MIN, -9223372036854775808n)
  t.is(INT64_MAX, 9223372036854775807n)
  t.is(UINT64_MAX, 18446744073709551615n)
  for (const value of [INT64_MIN, INT64_MAX, INT64_MAX + 1n, UINT64_MAX]) t.is(copied(value), value)
  for (const value of [INT64_MIN - 1n, UINT64_MAX + 1n, 2n ** 200n]) {
    t.throws(() => copyAttributes({ step: value }, PATH), {
      instanceOf: RangeError,
      message: `${PATH}.step is ${value}, which fits neither an int64 nor a uint64`,
    })
  }
})

test('the attributes as a whole are a plain object', (t) => {
  const wrong: [unknown, string][] = [
    [null, 'null'],
    [undefined, 'undefined'],
    [[], 'an array'],
    [new Map(), 'an instance of Map'],
    ['lr', 'a string'],
    [() => ({}), 'a function'],
  ]
  for (const [value, name] of wrong) {
    t.throws(() => copyAttributes(value, PATH), {
      instanceOf: TypeError,
      message: `${PATH} must be a plain object, not ${name}`,
    })
  }
})

class Schedule {
  warmup = 10
}

const refused: readonly (readonly [what: string, value: unknown, name: string])[] = [
  ['undefined', undefined, 'undefined'],
  ['a function', () => 1, 'a function'],
  ['a symbol', Symbol('lr'), 'a symbol'],
  ['an instance of a class', new Schedule(), 'an instance of Schedule'],
  ['a Date', new Date(0), 'an instance of Date'],
  ['a Map', new Map([['lr', 1]]), 'an instance of Map'],
  ['a Set', new Set([1]), 'an instance of Set'],
  ['a boxed number', Object(1), 'an instance of Number'],
  ['a promise', Promise.resolve(1), 'a Promise (is an await missing?)'],
  ['an object that inherits keys', Object.create({ lr: 1 }), 'an object'],
]

for (const [what, value, name] of refused) {
  test(`${what} is refused with the path to it`, (t) => {
    const message =
      `${PATH}.groups[1].schedule is ${name}, which attributes cannot hold: ` +
      'null, booleans, numbers, bigints, strings, and lists and plain objects of these'
    t.throws(() => copyAttributes({ groups: [{}, { schedule: value }] }, PATH), {
      instanceOf: TypeError,
      message,
    })
  })
}

test('an array of numbers is refused with a word on where it belongs', (t) => {
  for (const value of [new Float32Array(2), new DataView(new ArrayBuffer(1)), Buffer.alloc(1)]) {
    t.throws(() => copyAttributes({ state: [value] }, PATH), {
      instanceOf: TypeError,
      message: new RegExp(
        `^${PATH}\\.state\\[0\\] is an instance of ${value.constructor.name}, .*` +
          'put arrays of numbers into the tensors$',
      ),
    })
  }
})

test('a hole in a list is found, and not skipped or closed', (t) => {
  const list = [1, 2, 3]
  delete list[1]
  t.throws(() => copied(list), {
    instanceOf: TypeError,
    message: /attributes\.a\[1\] is undefined/,
  })
})

test('text with half of a surrogate pair is refused, in a value and in a key', (t) => {
  t.throws(() => copyAttributes({ names: ['ok', 'a\ud800'] }, PATH), {
    instanceOf: TypeError,
    message: `${PATH}.names[1] contains half of a surrogate pair, which UTF-8 cannot encode`,
  })
  t.throws(() => copyAttributes({ names: { 'a\ud800': 1 } }, PATH), {
    instanceOf: TypeError,
    message: `the key "${PATH}.names.a\\ud800" contains half of a surrogate pair, which UTF-8 cannot encode`,
  })
})

test('every key is kept: empty, with U+0000, and those that objects inherit', (t) => {
  for (const key of ['', '\0', 'a.b', 'a[0]', ...CURIOUS_NAMES]) {
    const copy = copyAttributes(objectOf([[key, 1]]), PATH)
    t.deepEqual(Object.keys(copy), [key])
    t.is(Object.getOwnPropertyDescriptor(copy, key)?.value, 1)
  }
})

test('__proto__ is a key like any other and changes nothing about the object', (t) => {
  const hostile = JSON.parse('{"__proto__": {"polluted": true}, "b": 1}')
  const copy = copyAttributes(hostile, PATH)
  t.deepEqual(Object.keys(copy), ['__proto__', 'b'])
  t.is(Object.getPrototypeOf(copy), Object.prototype)
  t.is((copy as Record<string, unknown>).polluted, undefined)
  t.is(({} as Record<string, unknown>).polluted, undefined)
  t.true(sameAttributes(copy, hostile))
})

test('a key that is set can be set again, listed and deleted', (t) => {
  const object: { [key: string]: number } = {}
  for (const key of ['__proto__', 'a']) {
    setKey(object, key, 1)
    setKey(object, key, 2)
    t.is(Object.getOwnPropertyDescriptor(object, key)?.value, 2)
    t.true(Object.keys(object).includes(key))
    t.true(delete object[key])
    t.false(Object.hasOwn(object, key))
  }
})

test('lists and maps may be nested as deep as readers take them, and no deeper', (t) => {
  const inList = (inner: unknown) => [inner]
  const inMap = (inner: unknown) => ({ k: inner })
  for (const [wrap, step, deepest] of [
    [inList, '[0]', 60],
    [inMap, '.k', 30],
  ] as const) {
    for (const innermost of [1, null, []]) {
      t.notThrows(() => copied(nested(deepest, wrap, innermost)))
      const error = t.throws(() => copied(nested(deepest + 1, wrap, innermost)), {
        instanceOf: TypeError,
      })
      const at = `${PATH}.a${step.repeat(deepest + 1)}`
      t.true(
        error?.message.startsWith(`${at} is nested too deep (or in itself): expected at most 64`),
      )
    }
  }
})

test('what contains itself is refused, and not followed for ever', (t) => {
  const map: Record<string, unknown> = {}
  map.self = map
  const list: unknown[] = []
  list.push(list)
  for (const cyclic of [map, list, { a: [map] }]) {
    t.throws(() => copied(cyclic), { instanceOf: TypeError, message: /\(or in itself\)/ })
  }
})

test('the same object at two places is copied twice', (t) => {
  const betas = [0.9, 0.999]
  const copy = copyAttributes({ a: betas, b: betas }, PATH)
  t.deepEqual(copy, { a: [0.9, 0.999], b: [0.9, 0.999] })
  t.not(copy.a, copy.b)
})

test('a getter is asked once', (t) => {
  let asked = 0
  const source = {
    get lr() {
      return ++asked
    },
  }
  t.deepEqual(copyAttributes(source, PATH), { lr: 1 })
  t.is(asked, 1)
})

test('an object without a prototype, or of another realm, is plain', (t) => {
  t.true(isPlainObject({}))
  t.true(isPlainObject(Object.create(null)))
  t.true(isPlainObject(vm.runInNewContext('({ lr: 0.1 })')))
  t.true(isPlainObject({ constructor: 1 }))
  for (const value of [
    null,
    undefined,
    1,
    'a',
    [],
    new Schedule(),
    new Map(),
    () => 1,
    new Date(),
  ]) {
    t.false(isPlainObject(value), String(value))
  }
  t.false(isPlainObject(vm.runInNewContext('[]')))
  t.false(isPlainObject(vm.runInNewContext('new Map()')))
  t.deepEqual(copied(vm.runInNewContext('({ lr: [0.1] })')), { lr: [0.1] })
})

test('a message says what a value is', (t) => {
  const named: [unknown, string][] = [
    [null, 'null'],
    [undefined, 'undefined'],
    [1, 'a number'],
    [1n, 'a bigint'],
    ['', 'a string'],
    [true, 'a boolean'],
    [Symbol.iterator, 'a symbol'],
    [() => 1, 'a function'],
    [[], 'an array'],
    [{}, 'an object'],
    [Object.create(null), 'an object'],
    [new Schedule(), 'an instance of Schedule'],
    [new Float32Array(1), 'an instance of Float32Array'],
  ]
  for (const [value, name] of named) t.is(describe(value), name)
})

const different: readonly (readonly [Attribute, Attribute])[] = [
  [0, -0],
  [1, 1n],
  [1, true],
  [1, '1'],
  [0, null],
  [0, false],
  ['', null],
  [Number.NaN, null],
  [1, {}],
  ['', []],
  ['a', { 0: 'a' }],
  [[], {}],
  [[], { length: 0 }],
  [[], null],
  [{}, null],
  [[1], [1, 1]],
  [
    [1, 2],
    [2, 1],
  ],
  [[1], { 0: 1 }],
  [{ a: 1 }, {}],
  [{ a: 1 }, { b: 1 }],
  [{ a: 1 }, { a: 1, b: 1 }],
  [{ a: null }, { b: null }],
  [{ a: { b: [0] } }, { a: { b: [-0] } }],
  [{ toString: null }, {}],
  [objectOf([['__proto__', {}]]), { a: {} }],
]

test('trees that differ in any value, type or key are not the same', (t) => {
  for (const [i, [a, b]] of different.entries()) {
    t.false(sameAttributes(a, b), `pair ${i}`)
    t.false(sameAttributes(b, a), `pair ${i}, the other way`)
  }
})

test('trees are the same bit for bit, NaN included, whatever the order of their keys', (t) => {
  t.true(sameAttributes(Number.NaN, Number.NaN))
  t.true(sameAttributes({ a: [-0, 1n], b: 'x' }, { b: 'x', a: [-0, 1n] }))
  holds(
    t,
    fc.property(anyAttributes, anyAttributes, (a, b) => {
      const same = sameAttributes(a, b)
      return sameAttributes(a, a) && same === sameAttributes(b, a)
    }),
  )
})
