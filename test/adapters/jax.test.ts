import test from 'ava'
import { type JaxArray, jaxTree } from '../../src/adapters/jax.js'
import {
  loadCheckpoint,
  MemorySink,
  restoreCheckpoint,
  type Stateful,
  saveCheckpoint,
} from '../../src/index.js'
import { INSTALL_MS, jax, type Untyped } from '../support/adapters/jax-install.js'
import { createTraining } from '../support/adapters/jax-training.js'

let np: Untyped
let tree: Untyped
test.before('jax-js is installed', async (t) => {
  t.timeout(INSTALL_MS, 'npm ci in examples/jax')
  ;({ numpy: np, tree } = await jax())
})

async function saved(state: Stateful) {
  const sink = new MemorySink()
  await saveCheckpoint(sink, state)
  return loadCheckpoint(sink.bytes)
}

/** A tree that stays where it is, until a restore puts another one there. */
function held<Tree>(initial: Tree): { tree: Tree; readonly state: Stateful } {
  const holder: { tree: Tree; readonly state: Stateful } = {
    tree: initial,
    state: jaxTree(
      np,
      () => holder.tree,
      (restored) => {
        holder.tree = restored
      },
    ),
  }
  return holder
}

const references = (value: unknown): number[] =>
  tree
    .leaves(value)
    .filter((leaf: JaxArray) => typeof leaf === 'object')
    .map((leaf: JaxArray) => leaf.refCount)

const elements = async (array: JaxArray) => [...((await array.ref.data()) as Float32Array)]

test('a save leaves every reference as it was, and the training can continue', async (t) => {
  const training = await createTraining('wasm')
  training.train(1)
  const before = references(training.trees())
  t.deepEqual(new Set(before), new Set([1]))
  const sink = new MemorySink()
  await saveCheckpoint(sink, training.model, training.optimizer, { extras: training.extras })
  t.deepEqual(references(training.trees()), before)
  t.notThrows(() => training.train(1))
})

test('a restore disposes of what it replaces, once for each place, and makes arrays with one reference', async (t) => {
  const file = await saved(held({ w: np.array([1, 2]), chain: [3, []] }).state)
  const old = np.array([0, 0])
  const target = held({ w: old, chain: [0, [] as never[]] })
  await restoreCheckpoint(file, target.state)
  t.is(old.refCount, 0)
  t.is(target.tree.w.refCount, 1)
  t.deepEqual(await elements(target.tree.w), [1, 2])
  t.deepEqual(target.tree.chain, [3, []])
})

test('an array that other code holds a reference to outlives the restore', async (t) => {
  const file = await saved(held({ w: np.array([1, 2]) }).state)
  const shared = np.array([5, 6])
  await restoreCheckpoint(file, held({ w: shared.ref }).state)
  t.is(shared.refCount, 1)
  t.deepEqual(await elements(shared), [5, 6])
})

test('one array in two places is one array again, with a reference for each', async (t) => {
  const tied = np.array([1, 2])
  const file = await saved(held({ a: tied, b: tied.ref }).state)
  const other = np.array([0, 0])
  const target = held({ a: other, b: other.ref })
  await restoreCheckpoint(file, target.state)
  t.is(other.refCount, 0)
  t.is(target.tree.a, target.tree.b)
  t.is(target.tree.a.refCount, 2)
})

test('one array in two places is one segment of the file, and refuses two tensors', async (t) => {
  const tied = np.array([1, 2])
  const file = await saved(held({ a: tied, b: tied.ref }).state)
  const segments = new Set([...file.model].map(([, tensor]) => tensor.segment()))
  t.is(segments.size, 1)
  const untied = await saved(held({ a: np.array([1, 2]), b: np.array([3, 4]) }).state)
  const other = np.array([0, 0])
  const target = held({ a: other, b: other.ref })
  await t.throwsAsync(restoreCheckpoint(untied, target.state), { code: 'CKPT_STATE_MISMATCH' })
  t.is(other.refCount, 2)
  t.deepEqual(await elements(other), [0, 0])
})

test('an array that is used up before it is read is a CheckpointError, not an error of the engine', async (t) => {
  const w = np.array([1, 2])
  const { state } = held({ w })
  const sink = new MemorySink()
  const disposing = {
    async stateDict() {
      const dict = await state.stateDict()
      w.dispose()
      return dict
    },
  }
  await t.throwsAsync(saveCheckpoint(sink, disposing), { code: 'CKPT_TENSOR_CHANGED' })
})

test('a value that the checkpoint lacks leaves the model and its arrays as they are', async (t) => {
  const sink = new MemorySink()
  await saveCheckpoint(sink, held({ w: np.array([1]) }).state, held({ m: np.array([2]) }).state)
  const file = await loadCheckpoint(sink.bytes)
  const [model, optimizer] = [held({ w: np.array([0]) }), held({ m: np.array([0]), lr: 0.1 })]
  const old = model.tree.w
  await t.throwsAsync(restoreCheckpoint(file, model.state, optimizer.state), {
    code: 'CKPT_STATE_MISMATCH',
  })
  t.is(model.tree.w, old)
  t.is(old.refCount, 1)
  const lenient = { strict: false, onWarning() {} }
  await restoreCheckpoint(file, model.state, optimizer.state, lenient)
  t.is(old.refCount, 0)
  t.deepEqual(await elements(model.tree.w), [1])
  t.is(optimizer.tree.lr, 0.1)
})

test('a restore that fails leaves the old tree whole, and none of the new arrays behind', async (t) => {
  const file = await saved(held({ v: np.array([7]), w: np.array([1, 2]) }).state)
  const old = { v: np.array([0]), w: np.array([5, 6]) }
  let made: typeof old | undefined
  const failing = jaxTree(
    np,
    () => old,
    (restored) => {
      made = restored
      throw new Error('no room')
    },
  )
  await t.throwsAsync(restoreCheckpoint(file, failing), { message: /no room/ })
  t.deepEqual(references(old), [1, 1])
  t.deepEqual(references(made), [0, 0])

  const another = held({ v: np.array([0]), w: np.array([1, 2, 3]) })
  await t.throwsAsync(restoreCheckpoint(file, another.state), { code: 'CKPT_STATE_MISMATCH' })
  t.deepEqual(references(another.tree), [1, 1])
})

test('shapes, dtypes and bits come back, also of scalars and of arrays without elements', async (t) => {
  const nan = new Float32Array(Uint32Array.of(0x7fc00123, 0xffc00001, 0x80000000).buffer)
  const arrays = () => ({
    float: np.array(nan, { shape: [3, 1] }),
    int: np.array([1, -2], { dtype: np.int32 }),
    uint: np.array(Uint32Array.of(2 ** 32 - 1, 3)),
    bool: np.array([true, false, true]),
    flag: np.array(true),
    weak: np.array(0.1),
    strong: np.array(0.1, { dtype: np.float32 }),
    empty: np.zeros([0, 3]),
    equal: np.array([2.5, 2.5]),
  })
  const file = await saved(held(arrays()).state)
  t.deepEqual(
    [...file.model].map(([name, { dtype, shape, byteLength }]) => [name, dtype, shape, byteLength]),
    [
      ['float', 'float32', [3, 1], 12],
      ['int', 'int32', [2], 8],
      ['uint', 'uint32', [2], 8],
      ['bool', 'bool', [3], 3],
      ['flag', 'bool', [], 1],
      ['weak', 'float32', [], 4],
      ['strong', 'float32', [], 4],
      ['empty', 'float32', [0, 3], 0],
      ['equal', 'float32', [2], 8],
    ],
  )
  const zeros = tree.map((array: Untyped) => np.zerosLike(array), arrays())
  const target = held(zeros)
  await restoreCheckpoint(file, target.state)
  const expected = arrays()
  for (const [name, array] of Object.entries<Untyped>(expected)) {
    const actual = target.tree[name]
    t.deepEqual([actual.dtype, actual.shape], [array.dtype, array.shape], name)
    t.is(actual.weakType, array.weakType, name)
    t.deepEqual(await bits(actual), await bits(array), name)
  }
})

async function bits(array: Untyped): Promise<Buffer> {
  const { buffer, byteOffset, byteLength } = await array.ref.data()
  return Buffer.from(buffer, byteOffset, byteLength)
}

test("what is not jax-js's numpy is refused", (t) => {
  t.throws(
    () =>
      jaxTree(
        {} as never,
        () => ({}),
        () => {},
      ),
    {
      instanceOf: TypeError,
      message: "expected jax-js's numpy, with array(), not an object",
    },
  )
})
