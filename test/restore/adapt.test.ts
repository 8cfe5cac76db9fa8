import test from 'ava'
import { loadCheckpoint, MemorySink, saveCheckpoint } from '../../src/index.js'
import type { Attributes, DType, LoadedState, Stateful } from '../../src/public.js'
import type { StateMismatchError } from '../../src/restore/compare.js'
import { restoreCheckpoint } from '../../src/restore/restore.js'
import type { RestoreOptions } from '../../src/restore/restore-options.js'

type Arrays = { [name: string]: ArrayBufferView & { readonly length: number } }

/** A state of vectors. `dtype` names what a Uint16Array holds. */
function vectors(arrays: Arrays, dtype?: DType, attributes: Attributes = {}): Stateful {
  return {
    stateDict: () => ({
      attributes,
      tensors: Object.fromEntries(
        Object.entries(arrays).map(([name, data]) => [
          name,
          { shape: [data.length], data, ...(dtype && { dtype }) },
        ]),
      ),
    }),
  }
}

async function savedOf(model: Stateful, optimizer?: Stateful) {
  const sink = new MemorySink()
  await saveCheckpoint(sink, model, optimizer, { step: 3 })
  return loadCheckpoint(sink.bytes)
}

const one = () => Float32Array.of(1, 2)
const zero = () => new Float32Array(2)

test('prefixes are taken off, in the order in which they are given', async (t) => {
  const weight = zero()
  const buffer = zero()
  await using checkpoint = await savedOf(
    vectors({ '_orig_mod.module.layer.weight': one() }),
    vectors({ 'exp_avg/_orig_mod.module.layer.weight': Float32Array.of(3, 4) }),
  )
  const model = vectors({ 'layer.weight': weight })
  const optimizer = vectors({ 'exp_avg/layer.weight': buffer })
  await t.throwsAsync(restoreCheckpoint(checkpoint, model, optimizer), {
    code: 'CKPT_STATE_MISMATCH',
  })
  const rename = { '_orig_mod.': '', 'module.': '' }
  const { renamed, leftOut, converted } = await restoreCheckpoint(checkpoint, model, optimizer, {
    rename,
  })
  t.deepEqual([...weight], [1, 2])
  t.deepEqual([...buffer], [3, 4])
  t.deepEqual(renamed, [
    { state: 'model', tensor: 'layer.weight', from: '_orig_mod.module.layer.weight' },
    {
      state: 'optimizer',
      tensor: 'exp_avg/layer.weight',
      from: 'exp_avg/_orig_mod.module.layer.weight',
    },
  ])
  t.deepEqual([leftOut, converted], [[], []])
})

test('a function renames by name and state', async (t) => {
  const kernel = zero()
  await using checkpoint = await savedOf(vectors({ weight: one() }))
  const states: string[] = []
  const rename = (name: string, state: string) => {
    states.push(state)
    return name.replace('weight', 'kernel')
  }
  await restoreCheckpoint(checkpoint, vectors({ kernel }), null, { rename })
  t.deepEqual([...kernel], [1, 2])
  t.deepEqual(states, ['model'])
})

test('attributes that are the names of tensors follow', async (t) => {
  let taken: Attributes = {}
  const optimizer: Stateful = {
    ...vectors({}, undefined, { order: ['new'], groups: { new: 1 } }),
    loadAttributes: (attributes) => {
      taken = attributes
    },
  }
  await using checkpoint = await savedOf(
    vectors({ old: one() }),
    vectors({}, undefined, { order: ['old', 'older'], groups: { old: 2 } }),
  )
  const rename = { old: 'new' }
  await restoreCheckpoint(checkpoint, vectors({ new: zero() }), optimizer, { rename })
  t.deepEqual(taken, { order: ['new', 'older'], groups: { new: 2 } })
})

test('two tensors do not get one name, and a name is a string', async (t) => {
  const a = zero()
  await using checkpoint = await savedOf(vectors({ a: one(), b: one() }))
  for (const [rename, message] of [
    [() => 'a', /two tensors of model the name "a", "a" and "b"/],
    [() => undefined, /rename must return a name for "a", not undefined/],
    [['a'], /rename must be a function or an object of prefixes/],
    [{ a: 1 }, /rename must be a function or an object of prefixes/],
  ] as const) {
    await t.throwsAsync(
      restoreCheckpoint(checkpoint, vectors({ a }), null, { rename, strict: false } as never),
      { instanceOf: TypeError, message },
    )
  }
  t.deepEqual([...a], [0, 0])
})

test('another float dtype is refused, and converted where that is asked for', async (t) => {
  for (const [from, data, to, target, expected] of [
    [
      undefined,
      Float32Array.of(1.5, Infinity, 1.00390625),
      'bfloat16',
      new Uint16Array(3),
      [0x3fc0, 0x7f80, 0x3f80],
    ],
    [
      undefined,
      Float32Array.of(1.5, -Infinity, 65520),
      'float16',
      new Uint16Array(3),
      [0x3e00, 0xfc00, 0x7c00],
    ],
    [
      'bfloat16',
      Uint16Array.of(0x3fc0, 0x7fc0, 0x8000),
      undefined,
      new Float32Array(3),
      [1.5, NaN, -0],
    ],
    [
      'float16',
      Uint16Array.of(0x3e00, 0xfc00, 1),
      undefined,
      new Float32Array(3),
      [1.5, -Infinity, 2 ** -24],
    ],
    [
      undefined,
      Float64Array.of(1.5, 1e300, 0.1),
      undefined,
      new Float32Array(3),
      [1.5, Infinity, Math.fround(0.1)],
    ],
  ] as const) {
    await using checkpoint = await savedOf(vectors({ w: data }, from))
    const model = vectors({ w: target }, to)
    const error = await t.throwsAsync(restoreCheckpoint(checkpoint, model), {
      code: 'CKPT_STATE_MISMATCH',
    })
    t.is((error as StateMismatchError).mismatched.length, 1)
    t.deepEqual([...target], [0, 0, 0])
    const report = await restoreCheckpoint(checkpoint, model, null, {
      convert: true,
      readBack: true,
    })
    t.deepEqual([...target], [...expected])
    t.like(report.converted[0], { state: 'model', tensor: 'w' })
    t.is(report.converted.length, 1)
  }
})

test('a trainer that takes its state over gets converted tensors, by every way to read them', async (t) => {
  await using checkpoint = await savedOf(vectors({ w: Float64Array.of(0.1, 2) }))
  const w = zero()
  const read: number[][] = []
  const model: Stateful = {
    ...vectors({ w }),
    async loadStateDict(state: LoadedState) {
      const tensor = state.get('w')
      t.like(tensor, { dtype: 'float32', byteLength: 8 })
      read.push([...(tensor.data as Float32Array)], [...((await tensor.read()) as Float32Array)])
      await tensor.readInto(w)
    },
  }
  await restoreCheckpoint(checkpoint, model, null, { convert: true })
  read.push([...w])
  for (const elements of read) t.deepEqual(elements, [Math.fround(0.1), 2])
})

test('integers, and other shapes, are not converted', async (t) => {
  await using checkpoint = await savedOf(
    vectors({ a: Int32Array.of(1, 2), b: Float64Array.of(1, 2, 3) }),
  )
  const model = vectors({ a: zero(), b: zero() })
  const error = await t.throwsAsync(
    restoreCheckpoint(checkpoint, model, null, { convert: true, strict: false }),
  )
  t.deepEqual(
    (error as StateMismatchError).mismatched.map(({ tensor }) => tensor),
    ['a', 'b'],
  )
})

test('a part of the model is restored, and the rest stays', async (t) => {
  await using checkpoint = await savedOf(
    vectors({ 'encoder.w': one(), 'head.w': Float32Array.of(9, 9, 9) }, undefined, { classes: 3 }),
    vectors({ 'm/encoder.w': one() }),
  )
  for (const only of [['encoder.'], (name: string) => name !== 'head.w' && name !== 'head.b']) {
    const [encoder, head] = [zero(), Float32Array.of(5, 5)]
    const model: Stateful = {
      ...vectors({ 'encoder.w': encoder, 'head.w': head, 'head.b': zero() }, undefined, {
        classes: 2,
      }),
      loadAttributes: () => t.fail(),
    }
    const { leftOut, missing, tensors } = await restoreCheckpoint(checkpoint, model, null, {
      only,
    })
    t.deepEqual([...encoder], [1, 2])
    t.deepEqual([...head], [5, 5])
    t.deepEqual(leftOut, [{ state: 'model', tensor: 'head.w' }])
    t.deepEqual([missing, tensors], [[], 1])
  }
})

test('what is missing from the part itself is still an error, before anything is written', async (t) => {
  await using checkpoint = await savedOf(vectors({ 'encoder.w': one() }))
  const encoder = zero()
  const model = vectors({ 'encoder.w': encoder, 'encoder.b': zero(), head: zero() })
  const error = await t.throwsAsync(
    restoreCheckpoint(checkpoint, model, null, { only: ['encoder.'] }),
    { code: 'CKPT_STATE_MISMATCH' },
  )
  t.deepEqual((error as StateMismatchError).missing, [{ state: 'model', tensor: 'encoder.b' }])
  t.deepEqual([...encoder], [0, 0])
  await t.throwsAsync(restoreCheckpoint(checkpoint, model, null, { only: 'encoder.' } as never), {
    instanceOf: TypeError,
    message: /only must be a list of prefixes or a function/,
  })
})

test('renamed, converted and in part, all at once', async (t) => {
  await using checkpoint = await savedOf(
    vectors({ 'module.a': Float64Array.of(1, 2), 'module.b': Float64Array.of(3, 4) }),
  )
  const [a, b] = [zero(), zero()]
  const options: RestoreOptions = { rename: { 'module.': '' }, convert: true, only: ['a'] }
  const report = await restoreCheckpoint(checkpoint, vectors({ a, b }), null, options)
  t.deepEqual([...a, ...b], [1, 2, 0, 0])
  t.deepEqual(report.renamed, [{ state: 'model', tensor: 'a', from: 'module.a' }])
  t.deepEqual(report.converted, [{ state: 'model', tensor: 'a', from: 'float64', to: 'float32' }])
  t.deepEqual(report.leftOut, [{ state: 'model', tensor: 'module.b' }])
})

test('one tensor of two names is converted into the memory that they share', async (t) => {
  const shared = Float64Array.of(1, 2)
  await using tied = await savedOf(vectors({ a: shared, b: shared }))
  const memory = zero()
  const model = vectors({ a: memory, b: memory })
  await restoreCheckpoint(tied, model, null, { convert: true })
  t.deepEqual([...memory], [1, 2])
  await using untied = await savedOf(vectors({ a: shared, b: Float64Array.of(7, 8) }))
  await t.throwsAsync(restoreCheckpoint(untied, model, null, { convert: true }), {
    code: 'CKPT_STATE_MISMATCH',
  })
  t.deepEqual([...memory], [1, 2])
})
