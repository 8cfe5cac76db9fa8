import test from 'ava'
import { namesInFile, nameWeights, numberingOf } from '../../../src/adapters/tensorflow/names.js'
import { tensorflowModule } from '../../../src/adapters/tensorflow/tensorflow.js'
import {
  loadCheckpoint,
  MemorySink,
  type Module,
  type RestoreOptions,
  restoreCheckpoint,
  saveCheckpoint,
} from '../../../src/index.js'
import { both, saved, weightsOf } from '../../support/adapters/tensorflow-states.js'
import {
  INSTALL_MS,
  tensorflow,
  type Untyped,
} from '../../support/adapters/tensorflow-trainings.js'
import fc from '../../support/fast-check.js'

let tf: Untyped
test.before('TensorFlow.js is installed', async (t) => {
  t.timeout(INSTALL_MS, 'npm ci in examples/digits')
  tf = await tensorflow('cpu')
})

interface FakeLayer {
  readonly name: string
  readonly trainable: boolean
  readonly weights: readonly { readonly originalName: string }[]
}

/** Layers of one class with those numbers, some frozen, as TensorFlow.js lists their weights. */
function fakeModel(numbers: readonly number[], frozen: readonly boolean[]) {
  const layers: FakeLayer[] = numbers.map((number, i) => {
    const name = `dense_Dense${number}`
    const weights = ['kernel', 'bias'].map((word) => ({ originalName: `${name}/${word}` }))
    return { name, trainable: !frozen[i], weights }
  })
  const of = (trainable: boolean) =>
    layers.filter((layer) => layer.trainable === trainable).flatMap(({ weights }) => weights)
  const weights = [...of(true), ...of(false)]
  const placeOf = new Map(layers.flatMap((l, i) => l.weights.map((weight) => [weight, i] as const)))
  return { layers, weights, places: weights.map((weight) => placeOf.get(weight)!) }
}

const processes = (layers: number) =>
  fc.record({
    numbers: fc.uniqueArray(fc.integer({ min: 1, max: 30 }), {
      minLength: layers,
      maxLength: layers,
    }),
    frozen: fc.array(fc.boolean(), { minLength: layers, maxLength: layers }),
  })
const twoProcesses = fc
  .integer({ min: 1, max: 5 })
  .chain((layers) => fc.tuple(processes(layers), processes(layers)))

test('a layer is identified by its position, whatever the numbers are and whatever is frozen', (t) => {
  fc.assert(
    fc.property(twoProcesses, ([there, here]) => {
      const [one, other] = [there, here].map(({ numbers, frozen }) => {
        const model = fakeModel(numbers, frozen)
        const names = nameWeights(model, model.weights)
        const placed = names.map(({ key }, i) => `${key} ${model.places[i]}`).sort()
        return { names, placed }
      })
      t.deepEqual(one!.placed, other!.placed)
      const keys = one!.names.map(({ key }) => key)
      const { renamed, isUncertain } = namesInFile(other!.names, keys, numberingOf(one!.names))
      t.deepEqual([renamed.size, isUncertain], [0, false])
    }),
  )
})

test('a state of version 0.1.0 is restored by position or refused, as long as the same layers are frozen', (t) => {
  let restored = 0
  fc.assert(
    fc.property(twoProcesses, ([there, here]) => {
      const old = fakeModel(there.numbers, there.frozen)
      const now = fakeModel(here.numbers, there.frozen)
      const oldNames = nameWeights(old, old.weights)
      const names = nameWeights(now, now.weights)
      const keys = oldNames.map(({ keyByNumber }) => keyByNumber)
      const { renamed, isUncertain } = namesInFile(names, keys, {})
      if (isUncertain) return
      restored++
      const placeOf = new Map(names.map(({ key }, i) => [key, now.places[i]]))
      for (const [i, key] of keys.entries()) t.is(placeOf.get(renamed.get(key)!), old.places[i])
    }),
  )
  t.true(restored > 0)
})

/** A part of a model as `tf.loadLayersModel` makes it, with numbers of another process. */
function loaded(name: string, values: { readonly [layer: string]: number }): Promise<Untyped> {
  const names = Object.keys(values)
  const layers = names.map((layer, i) => ({
    class_name: 'Dense',
    config: {
      ...{ name: layer, units: 4, use_bias: false },
      ...(i === 0 ? { batch_input_shape: [null, 4] } : {}),
    },
  }))
  const weights = new Float32Array(16 * names.length)
  for (const [i, layer] of names.entries()) weights.fill(values[layer]!, 16 * i, 16 * (i + 1))
  return tf.loadLayersModel({
    load: async () => ({
      modelTopology: { class_name: 'Sequential', config: { name, layers } },
      weightSpecs: names.map((layer) => ({
        ...{ name: `${layer}/kernel`, shape: [4, 4], dtype: 'float32' },
      })),
      weightData: weights.buffer,
    }),
  })
}

/** An unnamed layer with all weights `value`, whose shapes tell nothing. */
const dense = (value: number, more = {}) =>
  tf.layers.dense({
    ...{ units: 4, useBias: false, inputShape: [4] },
    ...{ kernelInitializer: tf.initializers.constant({ value }), ...more },
  })
const sequential = (...layers: Untyped[]) => tf.sequential({ layers })
/** The first element of each weight. */
const values = (model: Untyped): number[] =>
  model.weights.map((weight: Untyped) => weight.read().dataSync()[0])

async function restored(from: Module, into: Untyped, options?: RestoreOptions) {
  await restoreCheckpoint(await saved(from), tensorflowModule(into), null, options)
  return values(into)
}

/** The state that version 0.1.0 makes of a model of such layers: ranked by the numbers. */
function of010(model: Untyped): Module {
  const names: string[] = model.weights.map(({ originalName }: Untyped) => originalName)
  const number = (name: string) => Number(/^dense_Dense(\d+)\//.exec(name)![1])
  const ranked = [...new Set(names.map(number))].sort((a, b) => a - b)
  const tensors = model.weights.map((weight: Untyped, i: number) => {
    const { shape } = weight
    const data = weight.read().dataSync()
    return [`dense_${ranked.indexOf(number(names[i]!)) + 1}/kernel`, { shape, data }]
  })
  return { stateDict: () => ({ kind: model.getClassName(), tensors }) }
}

test.serial(
  'a head on a loaded base restores right, whatever was made before either',
  async (t) => {
    const first = sequential(await loaded('base', { dense_Dense500: 5 }), dense(1))
    for (let i = 0; i < 6; i++) dense(0)
    const low = sequential(await loaded('base', { dense_Dense1: 0 }), dense(0))
    t.deepEqual(await restored(tensorflowModule(first), low), [5, 1])
    const high = sequential(await loaded('base', { dense_Dense900: 0 }), dense(0))
    t.deepEqual(await restored(tensorflowModule(low), high), [5, 1])
  },
)

test.serial('layers of one number, each of a file of its own, are two layers', async (t) => {
  const make = async (a: number, b: number) =>
    sequential(await loaded('a', { dense_Dense5: a }), await loaded('b', { dense_Dense5: b }))
  t.deepEqual(await restored(tensorflowModule(await make(1, 2)), await make(0, 0)), [1, 2])
})

test.serial(
  'names do not depend on what is frozen, also within a model that is wrapped',
  async (t) => {
    const make = (one: number, two: number, frozen: boolean) => {
      const first = dense(one)
      first.trainable = !frozen
      const inner = sequential(first, dense(two))
      const layer = tf.layers.timeDistributed({ layer: inner, inputShape: [2, 4] })
      return sequential(layer, dense(3))
    }
    const frozen = make(1, 2, true)
    t.deepEqual(values(frozen), [2, 3, 1])
    t.deepEqual(await restored(tensorflowModule(frozen), make(0, 0, false)), [1, 2, 3])
    t.deepEqual(await restored(tensorflowModule(make(1, 2, false)), make(0, 0, true)), [2, 3, 1])
  },
)

test.serial(
  'layers are in the order of the model, not in the order of their creation',
  async (t) => {
    const make = (one: number, two: number, other: boolean) => {
      const input = tf.input({ shape: [4] })
      const made = other ? [dense(one), dense(two)] : [dense(two), dense(one)].reverse()
      return tf.model({ inputs: input, outputs: made[1].apply(made[0].apply(input)) })
    }
    t.deepEqual(await restored(tensorflowModule(make(1, 2, true)), make(0, 0, false)), [1, 2])
    t.deepEqual(await restored(tensorflowModule(make(1, 2, false)), make(0, 0, true)), [1, 2])
  },
)

test.serial(
  'a name of a user that looks like one of ours is refused if it is taken, and kept if not',
  async (t) => {
    const taken = tensorflowModule(sequential(dense(1), dense(2, { name: 'dense_1' })))
    await t.throwsAsync(async () => taken.stateDict(), {
      message: /two weights .* "dense_1\/kernel"/,
    })
    const free = sequential(dense(1, { name: 'dense_2' }), dense(2))
    t.deepEqual(
      [...(await saved(tensorflowModule(free))).model.keys()],
      ['dense_2/kernel', 'dense_1/kernel'],
    )
    const copy = sequential(dense(0, { name: 'dense_2' }), dense(0))
    t.deepEqual(await restored(tensorflowModule(free), copy), [1, 2])
  },
)

test.serial('the optimizer goes by the same names, so that a resumed run is exact', async (t) => {
  const make = async (number: number) => {
    const base = await loaded('base', { [`dense_Dense${number}`]: 0.5 })
    const optimizer = tf.train.adam(0.1)
    const model = sequential(base, dense(0.25))
    model.compile({ optimizer, loss: 'meanSquaredError' })
    return { model, optimizer, states: both(optimizer, model) }
  }
  const train = async ({ model }: Untyped, steps: number) => {
    const [x, y] = [tf.ones([2, 4]), tf.zeros([2, 4])]
    for (let i = 0; i < steps; i++) await model.trainOnBatch(x, y)
  }
  const whole = await make(700)
  await train(whole, 3)
  const checkpoint = await saved(...whole.states)
  await train(whole, 3)
  const resumed = await make(1)
  await restoreCheckpoint(checkpoint, ...resumed.states)
  await train(resumed, 3)
  t.deepEqual(weightsOf(resumed.model), weightsOf(whole.model))
})

test.serial(
  'files of version 0.1.0 restore: in the order of numbers where that is the same',
  async (t) => {
    const plain = (one: number, two: number) => sequential(dense(one), dense(two))
    t.deepEqual(await restored(of010(plain(1, 2)), plain(0, 0)), [1, 2])
    const backwards = (one: number, two: number) => {
      const last = dense(two)
      return sequential(dense(one), last)
    }
    const old = of010(backwards(1, 2))
    t.deepEqual([...(await saved(old)).model.keys()], ['dense_2/kernel', 'dense_1/kernel'])
    t.deepEqual(await restored(old, backwards(0, 0)), [1, 2])
  },
)

test.serial(
  'a file of version 0.1.0 whose layers might be swapped is refused, and taken by numbers without strictness',
  async (t) => {
    const old = of010(sequential(await loaded('base', { dense_Dense900: 5 }), dense(1)))
    const now = sequential(await loaded('base', { dense_Dense1: 0 }), dense(0))
    const error = await t.throwsAsync(restored(old, now), { code: 'CKPT_STATE_MISMATCH' })
    t.regex(error!.message, /0\.1\.0 .* strict: false/s)
    t.deepEqual(values(now), [0, 0])
    const warnings: string[] = []
    const lenient = { strict: false, onWarning: (message: string) => warnings.push(message) }
    t.deepEqual(await restored(old, now, lenient), [1, 5])
    t.is(warnings.length, 1)
  },
)

test.serial('buffers of a file of version 0.1.0 follow their parameters', async (t) => {
  const make = () => {
    const optimizer = tf.train.momentum(0.1, 0.9)
    const last = dense(0.25)
    const model = sequential(dense(0.5), last)
    model.compile({ optimizer, loss: 'meanSquaredError' })
    return { model, optimizer, states: both(optimizer, model) }
  }
  const there = make()
  await there.model.trainOnBatch(tf.ones([2, 4]), tf.zeros([2, 4]))
  const { optimizer } = await saved(...there.states)
  const swap = (name: string) => name.replace(/dense_([12])/, (_, n) => `dense_${3 - n}`)
  const { numbering, order, ...others } = optimizer!.attributes
  t.is(numbering, 'place')
  const old = {
    kind: optimizer!.kind!,
    attributes: { ...others, order: (order as string[]).map(swap) },
    tensors: Array.from(optimizer!, ([name, tensor]) => [swap(name), tensor] as const),
  }
  const sink = new MemorySink()
  await saveCheckpoint(sink, of010(there.model), { stateDict: () => old })
  const here = make()
  await restoreCheckpoint(await loadCheckpoint(sink.bytes), ...here.states)
  const after = await saved(...here.states)
  t.deepEqual(after.optimizer!.attributes, optimizer!.attributes)
  for (const [name, { data }] of optimizer!) t.deepEqual(after.optimizer!.get(name).data, data)
})
