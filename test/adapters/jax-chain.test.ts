/** Optimizers of jax-js that are chains, as in optax, and a trainer that keeps the chain's state to itself. */

import test from 'ava'
import { jaxTree } from '../../src/adapters/jax.js'
import { loadCheckpoint, MemorySink, restoreCheckpoint, saveCheckpoint } from '../../src/index.js'
import { optaxLike, type Transformation } from '../support/adapters/jax-chain.js'
import { INSTALL_MS, jax, type Untyped } from '../support/adapters/jax-install.js'

let jaxJs: Untyped
test.before('jax-js is installed', async (t) => {
  t.timeout(INSTALL_MS, 'npm ci in examples/jax')
  jaxJs = await jax()
  jaxJs.defaultDevice('cpu')
})

function clippedAdam(): Transformation {
  const { chain, clipByGlobalNorm, scaleByAdam, scaleBySchedule } = optaxLike(jaxJs)
  return chain(
    clipByGlobalNorm(0.5),
    scaleByAdam(),
    scaleBySchedule((count) => -0.1 * 0.9 ** count),
  )
}

/** Fits `w` and `b` to a target that depends on the number of the step. Nobody outside sees the optimizer's state. */
class Trainer {
  params: Untyped
  readonly #optimizer = clippedAdam()
  #optState: Untyped

  constructor() {
    const { numpy: np } = jaxJs
    this.params = { w: np.array([1, -2, 3]), b: np.array([0.5]) }
    this.#optState = this.#optimizer.init(this.params)
  }

  get optState(): Untyped {
    return this.#optState
  }

  set optState(restored: Untyped) {
    this.#optState = restored
  }

  train(from: number, to: number): void {
    const { grad, tree } = jaxJs
    for (let step = from; step < to; step++) {
      const loss = ({ w, b }: Untyped) =>
        w
          .sub(Math.sin(step))
          .add(b)
          .mul(jaxJs.numpy.array([1, 2, 3]))
          .sum()
      const square = (params: Untyped) => {
        const value = loss(params)
        return value.ref.mul(value)
      }
      const gradients = grad(square)(tree.ref(this.params))
      const [updates, state] = this.#optimizer.update(gradients, this.#optState)
      this.params = tree.map((p: Untyped, u: Untyped) => p.add(u), this.params, updates)
      this.#optState = state
    }
  }

  /** What the guide calls the accessor: all that the library needs of a private state. */
  states() {
    const { numpy: np } = jaxJs
    const model = jaxTree(
      np,
      () => this.params,
      (restored: Untyped) => {
        this.params = restored
      },
    )
    const optimizer = jaxTree(
      np,
      () => this.optState,
      (restored: Untyped) => {
        this.optState = restored
      },
      { kind: 'clippedAdam' },
    )
    return [model, optimizer] as const
  }
}

async function bytesOf(trainer: Trainer): Promise<string[]> {
  const sink = new MemorySink()
  await saveCheckpoint(sink, ...trainer.states())
  const { model, optimizer } = await loadCheckpoint(sink.bytes)
  return [model, optimizer!].flatMap((state) => [
    JSON.stringify(state.attributes),
    ...[...state].map(
      ([name, { data }]) => `${name} ${new Uint32Array(data.buffer, data.byteOffset, data.length)}`,
    ),
  ])
}

test('a chain of clipping, Adam and a schedule, in private fields, resumes bit for bit through an accessor', async (t) => {
  const whole = new Trainer()
  whole.train(0, 9)
  const first = new Trainer()
  first.train(0, 4)
  const sink = new MemorySink()
  await saveCheckpoint(sink, ...first.states(), { step: 4 })
  const second = new Trainer()
  await restoreCheckpoint(await loadCheckpoint(sink.bytes), ...second.states())
  second.train(4, 9)
  t.deepEqual(await bytesOf(second), await bytesOf(whole))

  const forgetful = new Trainer()
  await restoreCheckpoint(await loadCheckpoint(sink.bytes), forgetful.states()[0], null)
  forgetful.train(4, 9)
  t.notDeepEqual(await bytesOf(forgetful), await bytesOf(whole))
})

test('each link of a chain is named by its place, and its count is a value', async (t) => {
  const trainer = new Trainer()
  trainer.train(0, 2)
  const sink = new MemorySink()
  await saveCheckpoint(sink, ...trainer.states())
  const { optimizer } = await loadCheckpoint(sink.bytes)
  t.deepEqual([...optimizer!.keys()], ['[1].mu.w', '[1].mu.b', '[1].nu.w', '[1].nu.b'])
  t.like(optimizer!.attributes, { '[0]': [], '[1].count': 2, '[2].count': 2 })
})

test('a chain with other links is refused before anything is changed', async (t) => {
  const trainer = new Trainer()
  const sink = new MemorySink()
  await saveCheckpoint(sink, ...trainer.states())
  const shorter = trainer.optState.slice(0, 2)
  const other = jaxTree(
    jaxJs.numpy,
    () => shorter,
    () => t.fail(),
  )
  await t.throwsAsync(
    restoreCheckpoint(await loadCheckpoint(sink.bytes), trainer.states()[0], other),
    {
      code: 'CKPT_STATE_MISMATCH',
      message: /\[2\]\.count/,
    },
  )
})

test('an object with private fields in the state is refused by its place', async (t) => {
  class Schedule {
    #count = 0
    next = () => this.#count++
  }
  const [model] = new Trainer().states()
  const chained = jaxTree(
    jaxJs.numpy,
    () => [[], { count: 0 }, new Schedule()] as never,
    () => {},
  )
  const sink = new MemorySink()
  await t.throwsAsync(saveCheckpoint(sink, model, chained), {
    instanceOf: TypeError,
    message: /\[2\].*Schedule/,
  })
  t.throws(() => sink.bytes, { message: /nothing has been committed/ })
})
