import { runInNewContext } from 'node:vm'
import test, { type ExecutionContext } from 'ava'
import {
  flattenTree,
  rebuildTree,
  restoreTree,
  treeState,
} from '../../../src/adapters/tree/tree.js'
import {
  type CheckpointState,
  loadCheckpoint,
  MemorySink,
  restoreCheckpoint,
  type Stateful,
  StateMismatchError,
  saveCheckpoint,
} from '../../../src/index.js'
import { anyWellFormedString } from '../../support/any-string.js'
import fc from '../../support/fast-check.js'

/** A tree, saved and loaded again. */
async function savedTree(tree: unknown): Promise<CheckpointState> {
  return (await savedFile(tree)).model
}

async function savedFile(tree: unknown) {
  const sink = new MemorySink()
  await saveCheckpoint(sink, { stateDict: () => flattenTree(tree) })
  return loadCheckpoint(sink.bytes)
}

async function mismatch(t: ExecutionContext, saved: unknown, template: unknown) {
  const before = structuredClone(template)
  const state = await savedTree(saved)
  const error = await t.throwsAsync(restoreTree(state, template), {
    instanceOf: StateMismatchError,
  })
  t.deepEqual(template, before)
  return error!
}

const parameters = () => ({
  layers: [
    { weight: { dtype: 'float32', shape: [2, 2], data: Float32Array.of(1, 2, 3, 4) } },
    { weight: { dtype: 'float32', shape: [2], data: Float32Array.of(5, 6) } },
  ],
  scale: { dtype: 'float64', shape: [], data: Float64Array.of(0.5) },
})

const optimizer = () => ({
  count: 3,
  chain: [{ mu: [Float32Array.of(1, 2)], nu: Float32Array.of(3) }, [], {}],
  best: null,
  rate: -0,
  ticket: 2n ** 64n - 1n,
  schedule: 'cosine',
  warm: true,
})

test('tensors are named by their paths, and a tree of tensors alone has no attributes', async (t) => {
  const state = await savedTree(parameters())
  t.deepEqual([...state.keys()], ['layers[0].weight', 'layers[1].weight', 'scale'])
  t.deepEqual(state.attributes, {})
  t.deepEqual(await rebuildTree(state), parameters())
})

test('values are attributes, and every leaf is listed with them in its place', async (t) => {
  const state = await savedTree(optimizer())
  t.deepEqual([...state.keys()], ['chain[0].mu[0]', 'chain[0].nu'])
  t.deepEqual(Object.entries(state.attributes), [
    ['count', 3],
    ['chain[0].mu[0]', 'Float32Array'],
    ['chain[0].nu', 'Float32Array'],
    ['chain[1]', []],
    ['chain[2]', {}],
    ['best', null],
    ['rate', -0],
    ['ticket', 2n ** 64n - 1n],
    ['schedule', 'cosine'],
    ['warm', true],
  ])
  t.deepEqual(await rebuildTree(state), optimizer())
})

test('a rebuilt tree has memory of its own', async (t) => {
  const state = await savedTree({ w: Float32Array.of(1, 2) })
  const one = (await rebuildTree(state)) as { w: Float32Array }
  one.w.fill(9)
  t.deepEqual(await rebuildTree(state), { w: Float32Array.of(1, 2) })
})

const typedArray = fc.oneof(
  fc.float32Array({ maxLength: 5 }),
  fc.float64Array({ maxLength: 5 }),
  fc.int8Array({ maxLength: 5 }),
  fc.uint8Array({ maxLength: 5 }),
  fc.uint8ClampedArray({ maxLength: 5 }),
  fc.int16Array({ maxLength: 5 }),
  fc.uint16Array({ maxLength: 5 }),
  fc.int32Array({ maxLength: 5 }),
  fc.uint32Array({ maxLength: 5 }),
  fc.bigInt64Array({ maxLength: 5 }),
  fc.bigUint64Array({ maxLength: 5 }),
)
const tensor = fc
  .tuple(
    fc.constantFrom([2, 3], [6], [1, 1, 6], [6, 1]),
    fc.float32Array({ minLength: 6, maxLength: 6 }),
  )
  .map(([shape, data]) => ({ dtype: 'float32', shape, data }))
const value = fc.oneof(
  fc.double(),
  anyWellFormedString(),
  fc.boolean(),
  fc.constant(null),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }),
)
const key = fc.oneof(
  anyWellFormedString({ maxLength: 4 }),
  fc.constantFrom('__proto__', 'constructor', '0', '10', 'a.b', 'a[0]', '"', '$', 'shape', 'data'),
)
/** Whether an object that was drawn is what flattenTree takes for a tensor, though its data need not fill its shape. */
const isLikeTensor = ({ shape, data, ...more }: Record<string, unknown>) =>
  Array.isArray(shape) && ArrayBuffer.isView(data) && Object.keys(more).length === 0
const { tree } = fc.letrec((tie) => ({
  tree: fc.oneof(
    { maxDepth: 5, depthSize: 'small' },
    typedArray,
    tensor,
    value,
    fc.array(tie('tree'), { maxLength: 4 }),
    fc
      .dictionary(key, tie('tree'), { maxKeys: 4, noNullPrototype: true })
      .filter((object) => !isLikeTensor(object)),
  ),
}))

test('flatten, save, load and rebuild is the identity, key order included', async (t) => {
  await fc.assert(
    fc.asyncProperty(tree, async (original) => {
      const rebuilt = await rebuildTree(await savedTree(original))
      t.deepEqual(rebuilt, original)
      t.deepEqual(orderOf(rebuilt), orderOf(original))
    }),
    { numRuns: 150 },
  )
})

test('restoring into a copy with other numbers is the identity as well, in the memory of the copy', async (t) => {
  await fc.assert(
    fc.asyncProperty(tree, async (original) => {
      const template = structuredClone(original)
      const arrays = arraysOf(template)
      for (const array of arrays) new Uint8Array(array.buffer).fill(77)
      const restored = await restoreTree(await savedTree(original), template)
      t.deepEqual(restored, original)
      t.true(arraysOf(restored).every((array, i) => array === arrays[i]))
    }),
    { numRuns: 100 },
  )
})

function orderOf(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return null
  return Object.entries(value).map(([name, child]) => [name, orderOf(child)])
}

function arraysOf(value: unknown): ArrayBufferView[] {
  if (ArrayBuffer.isView(value)) return [value]
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(arraysOf) : []
}

test('NaN payloads are kept', async (t) => {
  const bits = Uint32Array.of(0x7fc00123, 0xffc00001, 0x7f800001)
  const rebuilt = await rebuildTree(await savedTree([new Float32Array(bits.buffer)]))
  t.deepEqual(new Uint32Array((rebuilt as Float32Array[])[0]!.buffer), bits)
})

test('a value that is neither a container nor a leaf is refused, with its path', (t) => {
  for (const [bad, message] of [
    [{ a: [1, undefined] }, 'a[1] is undefined, which is not a leaf'],
    [{ 'a.b': () => 1 }, '["a.b"] is a function, which is not a leaf'],
    [{ when: new Date() }, /^when is an instance of Date: a tree is made of plain objects/],
    [{ m: new Map() }, /^m is an instance of Map/],
    [{ v: new DataView(new ArrayBuffer(1)) }, 'v is an instance of DataView, without a dtype'],
    [new Array(1), '[0] is undefined, which is not a leaf'],
  ] as const) {
    t.throws(() => flattenTree(bad), { instanceOf: TypeError, message })
  }
  const endless: unknown[] = []
  endless.push(endless)
  t.throws(() => flattenTree(endless), { message: /nested more than 100 levels deep/ })
})

test('one error lists every difference in structure, and nothing is changed', async (t) => {
  const saved = { a: Float32Array.of(1, 2), b: [], c: { d: 1 }, e: 5, f: Float32Array.of(1) }
  const template = {
    a: Float32Array.of(9),
    b: {},
    c: [1],
    e: Float32Array.of(7),
    f: Int32Array.of(1),
  }
  const error = await mismatch(t, saved, template)
  t.is(
    error.message,
    'the tree of model has another structure:\n' +
      '  missing from the checkpoint: c[0]\n' +
      '  unexpected in the checkpoint: c.d\n' +
      '  mismatched: a is float32 [1] here and float32 [2] in the checkpoint\n' +
      '  mismatched: b is an empty object here and an empty array in the checkpoint\n' +
      '  mismatched: e is float32 [1] here and a value in the checkpoint\n' +
      '  mismatched: f is int32 [1] here and float32 [1] in the checkpoint',
  )
  t.deepEqual(error.missing, [{ state: 'model', tensor: 'c[0]' }])
})

test('a tree state is restored by restoreCheckpoint: arrays stay, values are handed over', async (t) => {
  const file = await savedFile(optimizer())
  const first = optimizer()
  for (const array of arraysOf(first)) (array as Float32Array).fill(0)
  let current = { ...first, count: 0, best: 0.25 } as unknown as ReturnType<typeof optimizer>
  const arrays = arraysOf(current)
  await restoreCheckpoint(
    file,
    treeState(
      () => current,
      (restored) => {
        current = restored
      },
    ),
  )
  t.deepEqual(current, optimizer())
  t.true(arraysOf(current).every((array, i) => array === arrays[i]))
  t.is(first.count, 3)
})

/** A tree that stays where it is, until a restore puts another one there. */
function held(tree: unknown) {
  const holder: { tree: unknown; readonly state: Stateful } = {
    tree,
    state: treeState(
      () => holder.tree,
      (restored) => {
        holder.tree = restored
      },
    ),
  }
  return holder
}

async function savedStates(model: unknown, optimizer: unknown) {
  const sink = new MemorySink()
  await saveCheckpoint(sink, held(model).state, held(optimizer).state)
  return loadCheckpoint(sink.bytes)
}

test('an optimizer with one value more or less than the checkpoint leaves the model as it is', async (t) => {
  const file = await savedStates(
    { w: Float32Array.of(1) },
    { v: Float32Array.of(2), lr: 0.1, old: 1 },
  )
  const [model, optimizer] = [
    held({ w: Float32Array.of(0) }),
    held({ v: Float32Array.of(0), lr: 0.5, decay: 0.01 }),
  ]
  const before = structuredClone([model.tree, optimizer.tree])
  const error = await t.throwsAsync(restoreCheckpoint(file, model.state, optimizer.state), {
    instanceOf: StateMismatchError,
  })
  t.deepEqual(error!.missing, [{ state: 'optimizer', tensor: 'decay' }])
  t.deepEqual(error!.unexpected, [{ state: 'optimizer', tensor: 'old' }])
  t.deepEqual([model.tree, optimizer.tree], before)
})

test('without strictness, leaves that only one side has are skipped with one warning, values and tensors alike', async (t) => {
  const file = await savedStates(
    { w: Float32Array.of(1), gone: Float32Array.of(3) },
    { v: Float32Array.of(2), lr: 0.1, old: 1 },
  )
  const model = held({ w: Float32Array.of(0), fresh: Float32Array.of(7) })
  const optimizer = held({ v: Float32Array.of(0), lr: 0.5, decay: 0.01 })
  const warnings: string[] = []
  const report = await restoreCheckpoint(file, model.state, optimizer.state, {
    strict: false,
    onWarning: (message) => warnings.push(message),
  })
  t.deepEqual(model.tree, { w: Float32Array.of(1), fresh: Float32Array.of(7) })
  t.deepEqual(optimizer.tree, { v: Float32Array.of(2), lr: 0.1, decay: 0.01 })
  t.is(warnings.length, 1)
  t.deepEqual(
    report.missing.map(({ state, tensor }) => `${state} ${tensor}`),
    ['model fresh', 'optimizer decay'],
  )
  t.deepEqual(
    report.unexpected.map(({ state, tensor }) => `${state} ${tensor}`),
    ['model gone', 'optimizer old'],
  )
  t.is(report.tensors, 2)
})

test('a value on one side and a tensor on the other is an error even without strictness, and nothing is changed', async (t) => {
  const file = await savedStates({ w: Float32Array.of(1) }, { v: 3 })
  const [model, optimizer] = [held({ w: Float32Array.of(0) }), held({ v: Float32Array.of(0) })]
  const options = { strict: false, onWarning: () => {} }
  const error = await t.throwsAsync(
    restoreCheckpoint(file, model.state, optimizer.state, options),
    {
      instanceOf: StateMismatchError,
    },
  )
  t.deepEqual(error!.mismatched, [
    { state: 'optimizer', tensor: 'v', expected: 'float32 [1]', actual: 'a value' },
  ])
  t.deepEqual(error!.missing, [])
  t.deepEqual(model.tree, { w: Float32Array.of(0) })
})

test('an array in two places takes two saved tensors only if they are equal', async (t) => {
  const tied = Float32Array.of(0, 0)
  const target = held({ a: tied, b: tied })
  const same = await savedFile({ a: Float32Array.of(1, 2), b: Float32Array.of(1, 2) })
  await restoreCheckpoint(same, target.state)
  t.deepEqual(tied, Float32Array.of(1, 2))
  const other = await savedFile({ a: Float32Array.of(3, 4), b: Float32Array.of(5, 6) })
  const error = await t.throwsAsync(restoreCheckpoint(other, target.state), {
    instanceOf: StateMismatchError,
  })
  t.is(error!.mismatched[0]!.expected, 'the same tensor as a')
  t.deepEqual(tied, Float32Array.of(1, 2))
})

test('a leaf that a function fetches is refused before any memory is written', async (t) => {
  const file = await savedFile({
    a: Float32Array.of(1),
    b: { shape: [1], data: Float32Array.of(2) },
  })
  const a = Float32Array.of(0)
  const b = { dtype: 'float32', shape: [1], data: () => Float32Array.of(0) }
  await t.throwsAsync(restoreTree(file.model, { a, b }), {
    instanceOf: TypeError,
    message: /^b is fetched by a function/,
  })
  t.deepEqual(a, Float32Array.of(0))
})

test('a buffer of another realm is memory like any other', (t) => {
  const data = runInNewContext('Float32Array.of(1, 2).buffer')
  t.false(data instanceof ArrayBuffer)
  const leaf = { dtype: 'float32', shape: [2], data }
  t.deepEqual(flattenTree({ leaf }), { tensors: [['leaf', leaf]], attributes: {} })
})

test('within a loadStateDict that is not told about strictness, values are skipped only where tensors are', async (t) => {
  const { model } = await savedFile({ w: Float32Array.of(1), a: 1 })
  const within = (template: unknown) => restoreTree(model, template, { afterRestore: true })
  await t.throwsAsync(within({ w: Float32Array.of(0), b: 2 }), { instanceOf: StateMismatchError })
  const tensors = { w: Float32Array.of(0), v: Float32Array.of(7), b: 2 }
  t.deepEqual(await within(tensors), { w: Float32Array.of(1), v: Float32Array.of(7), b: 2 })
})

test('a state that is not a tree is refused, and one that has only names becomes one', async (t) => {
  const state = async (...names: string[]) => {
    const sink = new MemorySink()
    const shape: number[] = []
    const tensors = names.map((name) => [name, { shape, data: Float32Array.of(1) }] as const)
    await saveCheckpoint(sink, { stateDict: () => tensors })
    return (await loadCheckpoint(sink.bytes)).model
  }
  const leaf = { dtype: 'float32', shape: [], data: Float32Array.of(1) }
  t.deepEqual(await rebuildTree(await state('h.0.attn', 'h.1.attn', 'm/bias')), {
    h: { 0: { attn: leaf }, 1: { attn: leaf } },
    'm/bias': leaf,
  })
  for (const names of [
    ['a', 'a.b'],
    ['a.b', 'a'],
    ['a[0]', 'a.b'],
    ['a[1]'],
    ['a b'],
    ['$', 'a'],
  ]) {
    await t.throwsAsync(async () => rebuildTree(await state(...names)), {
      instanceOf: TypeError,
      message: /^this state is not a tree: ".*" does not fit into one$/,
    })
  }
})

test('wrong arguments are refused at once, with a remedy', async (t) => {
  const tree = { w: new Float32Array(2) }
  t.throws(() => treeState(tree as never, () => {}), {
    instanceOf: TypeError,
    message: /^treeState needs a function to get the tree, .*found an object$/,
  })
  t.throws(() => treeState(() => tree, undefined as never), {
    instanceOf: TypeError,
    message: /^treeState needs a function to set the tree/,
  })
  t.throws(
    () =>
      treeState(
        () => tree,
        () => {},
        { kinds: 'AdamW' } as never,
      ),
    {
      instanceOf: TypeError,
      message: /^treeState has no option "kinds"; did you mean "kind"\?/,
    },
  )
  t.throws(() => flattenTree(tree, { strict: true } as never), { message: /^flattenTree has no/ })
  for (const run of [rebuildTree, (state: never) => restoreTree(state, tree)]) {
    for (const state of [{ model: {}, optimizer: null }, Promise.resolve(), 'a.ckpt']) {
      await t.throwsAsync(run(state as never), {
        instanceOf: TypeError,
        message: /needs a state of a checkpoint, such as \(await loadCheckpoint\(path\)\)\.model/,
      })
    }
  }
})
