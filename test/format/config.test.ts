import test from 'ava'
import { CheckpointError } from '../../src/errors.js'
import { configText, parseConfig } from '../../src/format/config.js'
import fc from '../support/fast-check.js'
import { anyText, objectOf } from '../support/format/contents.js'
import { holds } from '../support/format/property.js'

test('whatever JSON can hold comes back as it was, -0 and __proto__ included', (t) => {
  const anyJson = fc.letrec<{ tree: unknown }>((tie) => ({
    tree: fc.oneof(
      { maxDepth: 5, depthSize: 'small' },
      fc.constant(null),
      fc.boolean(),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.maxSafeInteger(),
      fc.constant(-0),
      anyText,
      fc.array(tie('tree'), { maxLength: 4 }),
      fc
        .uniqueArray(fc.tuple(anyText, tie('tree')), { selector: ([key]) => key, maxLength: 4 })
        .map(objectOf),
    ),
  })).tree
  holds(
    t,
    // In an array, since a string by itself is text already.
    fc.property(anyJson, (value) => {
      t.deepEqual(parseConfig(configText([value])), [value])
    }),
  )
})

test('an object becomes compact JSON, its keys in their order', (t) => {
  t.is(
    configText({ model: 'gpt2', layers: [12, 0.5, -0], dropout: null, tied: true }),
    '{"model":"gpt2","layers":[12,0.5,-0],"dropout":null,"tied":true}',
  )
  t.is(configText({ b: 1, a: 2 }), '{"b":1,"a":2}')
})

test('what is no object is JSON as well', (t) => {
  t.is(configText(null), 'null')
  t.is(configText(false), 'false')
  t.is(configText(1e21), '1e+21')
  t.is(configText([]), '[]')
  t.is(configText({}), '{}')
})

test('text is kept to the letter: spaces, order, duplicates, escapes, long numbers', (t) => {
  for (const text of [
    ' {\n\t"lr" : 1.0e-3\r\n} ',
    '{"a":1,"a":2}',
    '{"b":1,"a":2,"1":3}',
    '"\\u0061\\/"',
    '12345678901234567890',
    '1.10',
    'null',
    '"text"',
  ]) {
    t.is(configText(text), text)
  }
  t.deepEqual(parseConfig('{"a":1,"a":2}'), { a: 2 })
})

test('a string that is no JSON text is refused, with the reason as its cause', (t) => {
  for (const text of ['', ' ', 'gpt2', "{'lr': 1}", '{"lr": 1,}', '{"lr": NaN}', '[1', '{} {}']) {
    const error = t.throws(() => configText(text), {
      instanceOf: TypeError,
      message: 'a config that is a string must be JSON text',
    })
    t.true(error.cause instanceof SyntaxError)
  }
})

class Optimizer {
  lr = 0.1
}

const refused: readonly (readonly [what: string, value: unknown, name: string])[] = [
  ['NaN', Number.NaN, 'NaN'],
  ['Infinity', Infinity, 'Infinity'],
  ['-Infinity', -Infinity, '-Infinity'],
  ['undefined', undefined, 'undefined'],
  ['a bigint', 1n, 'a bigint'],
  ['a function', () => 1, 'a function'],
  ['a symbol', Symbol('a'), 'a symbol'],
  ['a Date', new Date(0), 'an instance of Date'],
  ['a Map', new Map(), 'an instance of Map'],
  ['an instance of a class', new Optimizer(), 'an instance of Optimizer'],
  ['a typed array', new Float32Array(1), 'an instance of Float32Array'],
  ['a boxed string', Object('a'), 'an instance of String'],
  ['an object that says its own JSON', { toJSON: () => 1 }, 'an object'],
]

for (const [what, value, name] of refused) {
  test(`${what} is refused with the path to it, and not turned into something else`, (t) => {
    t.throws(() => configText({ optimizer: { schedule: [0, value] } }), {
      instanceOf: TypeError,
      message: `config.optimizer.schedule[1] is ${name}, which JSON cannot hold`,
    })
    t.throws(() => configText(value), {
      instanceOf: TypeError,
      message: `config is ${name}, which JSON cannot hold`,
    })
  })
}

test('a key toJSON that is no function is a key', (t) => {
  t.is(configText({ toJSON: 1 }), '{"toJSON":1}')
})

test('a hole in a list is refused, and not turned into null', (t) => {
  const list = [1, 2, 3]
  delete list[1]
  t.throws(() => configText({ list }), { message: /^config\.list\[1\] is undefined/ })
})

test('text with half of a surrogate pair is refused, wherever it stands', (t) => {
  const fault = 'contains half of a surrogate pair, which UTF-8 cannot encode'
  t.throws(() => configText({ a: ['\ud800'] }), {
    instanceOf: TypeError,
    message: `config.a[0] ${fault}`,
  })
  t.throws(() => configText({ a: { '\udc00': 1 } }), {
    instanceOf: TypeError,
    message: `the key "config.a.\\udc00" ${fault}`,
  })
  t.throws(() => configText('"\ud800"'), { instanceOf: TypeError, message: `config ${fault}` })
  // As an escape it is ASCII, and the caller's to answer for.
  t.is(configText('"\\ud800"'), '"\\ud800"')
})

test('what contains itself is refused; what is only deep is not', (t) => {
  const cyclic: Record<string, unknown> = {}
  cyclic.self = { list: [cyclic] }
  t.throws(() => configText(cyclic), { instanceOf: TypeError, message: /\(or in itself\)$/ })
  for (const [wrap, open, close, step] of [
    [(inner: unknown) => [inner], '[', ']', '[0]'],
    [(inner: unknown) => ({ k: inner }), '{"k":', '}', '.k'],
  ] as const) {
    let deep: unknown = 1
    for (let i = 0; i < 201; i++) deep = wrap(deep)
    t.is(configText(deep), `${open.repeat(201)}1${close.repeat(201)}`)
    t.throws(() => configText(wrap(deep)), {
      instanceOf: TypeError,
      message: `config${step.repeat(201)} is nested more than 200 levels deep (or in itself)`,
    })
  }
})

test('a config in a file that is no JSON is a fault of the file', (t) => {
  for (const text of ['', '{', 'NaN']) {
    const error = t.throws(() => parseConfig(text), {
      instanceOf: CheckpointError,
      code: 'CKPT_FORMAT',
    })
    t.is(error.rule, 'config.json')
    t.true(error.cause instanceof SyntaxError)
  }
})

test('what is wrong with a config of a file is told without what could steer a terminal', (t) => {
  const error = t.throws(() => parseConfig('{"\u001b[2J": \u202e}'), {
    instanceOf: CheckpointError,
    code: 'CKPT_FORMAT',
  })
  const { message } = error.cause as SyntaxError
  t.false(/[\p{Cc}\p{Cf}]/u.test(message), message)
})

test('a config in a file may be as deep as it likes without harm', (t) => {
  const depth = 1_000_000
  let value = parseConfig(`${'['.repeat(depth)}${']'.repeat(depth)}`)
  let found = 0
  for (; Array.isArray(value); value = value[0]) found++
  t.is(found, depth)
})
