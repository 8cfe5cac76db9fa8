import { execFile } from 'node:child_process'
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test from 'ava'
import { digits, installPackages } from '../../../scripts/install-packages.js'
import { tensorflowModule } from '../../../src/adapters/tensorflow/tensorflow.js'
import { restoreCheckpoint } from '../../../src/index.js'
import { both, contents, saved, weightsOf } from '../../support/adapters/tensorflow-states.js'
import {
  classifier,
  INSTALL_MS,
  tensorflow,
  type Untyped,
} from '../../support/adapters/tensorflow-trainings.js'

const run = promisify(execFile)
const root = fileURLToPath(new URL('../../..', import.meta.url))

let tf: Untyped
test.before('TensorFlow.js is installed', async (t) => {
  t.timeout(INSTALL_MS, 'npm ci in examples/digits')
  tf = await tensorflow('cpu')
})

test('names do not depend on earlier layers of the process', async (t) => {
  const names = async () => [...(await saved(tensorflowModule(classifier(tf)))).model.keys()]
  t.deepEqual(await names(), [
    'dense_1/kernel',
    'dense_1/bias',
    'batch_normalization_1/gamma',
    'batch_normalization_1/beta',
    'dense_2/kernel',
    'dense_2/bias',
    'head/kernel',
    'head/bias',
    'batch_normalization_1/moving_mean',
    'batch_normalization_1/moving_variance',
  ])
  t.deepEqual(await names(), await names())
})

test('names of nested layers and classes that end with digits are stable as well', async (t) => {
  const make = () => {
    const { conv2d, reshape, bidirectional, timeDistributed, dense } = tf.layers
    const lstm = tf.layers.lstm({ units: 1, returnSequences: true, recurrentInitializer: 'zeros' })
    return tf.sequential({
      layers: [
        conv2d({ inputShape: [4, 4, 1], filters: 2, kernelSize: 2, name: 'my_Conv2D7' }),
        conv2d({ filters: 2, kernelSize: 2 }),
        reshape({ targetShape: [2, 4] }),
        bidirectional({ layer: lstm, mergeMode: 'concat' }),
        timeDistributed({ layer: dense({ units: 2, useBias: false }) }),
      ],
    })
  }
  make()
  const { model } = await saved(tensorflowModule(make()))
  t.deepEqual(
    [...model.keys()],
    [
      'my_Conv2D7/kernel',
      'my_Conv2D7/bias',
      'conv2d_1/kernel',
      'conv2d_1/bias',
      'bidirectional_1/forward_lstm_1/kernel',
      'bidirectional_1/forward_lstm_1/recurrent_kernel',
      'bidirectional_1/forward_lstm_1/bias',
      'bidirectional_1/backward_lstm_1/kernel',
      'bidirectional_1/backward_lstm_1/recurrent_kernel',
      'bidirectional_1/backward_lstm_1/bias',
      'time_distributed_1/kernel',
    ],
  )
})

test('two weights of one name are refused', (t) => {
  const dense = (args: object) => tf.layers.dense({ units: 2, inputShape: [2], ...args })
  const inner = tf.sequential({ layers: [dense({ name: 'head' })] })
  const nested = tf.sequential({ layers: [inner, dense({ name: 'head' })] })
  t.throws(() => tensorflowModule(nested).stateDict(), {
    instanceOf: TypeError,
    message: /two weights .* "head\/kernel"/,
  })
  const numbered = tf.sequential({ layers: [dense({}), dense({ name: 'dense_1' })] })
  t.throws(() => tensorflowModule(numbered).stateDict(), {
    instanceOf: TypeError,
    message: /two weights .* "dense_1\/kernel" \(dense_Dense\d+\/kernel and dense_1\/kernel\)/,
  })
})

test('a layer that is used twice is saved once', async (t) => {
  const shared = tf.layers.dense({ units: 3, inputShape: [3], name: 'shared' })
  const inner = tf.sequential({ layers: [shared] })
  const input = tf.input({ shape: [3] })
  const model = tf.model({ inputs: input, outputs: shared.apply(inner.apply(input)) })
  t.deepEqual(
    [...(await saved(tensorflowModule(model))).model.keys()],
    ['shared/kernel', 'shared/bias'],
  )
})

test('each dtype comes back bit for bit, and so does a NaN with its bits', async (t) => {
  const bits = new Uint32Array([0x7fc00001, 0x80000000, 0x00000001, 0xff800000])
  const make = (zero: boolean) => ({
    float: tf.variable(tf.tensor1d(zero ? new Float32Array(4) : new Float32Array(bits.buffer))),
    int: tf.variable(tf.tensor2d(zero ? [0, 0] : [-(2 ** 31), 7], [1, 2], 'int32')),
    bool: tf.variable(tf.scalar(!zero, 'bool')),
  })
  const variables = make(false)
  await using checkpoint = await saved(tensorflowModule(variables))
  const { model } = checkpoint
  t.deepEqual(
    [...model].map(([name, { dtype, shape }]) => [name, dtype, shape]),
    [
      ['float', 'float32', [4]],
      ['int', 'int32', [1, 2]],
      ['bool', 'bool', []],
    ],
  )
  const restored = make(true)
  await restoreCheckpoint(checkpoint, tensorflowModule(restored))
  t.deepEqual(
    await contents(tensorflowModule(restored)),
    await contents(tensorflowModule(variables)),
  )
  t.deepEqual(new Uint32Array(restored.float.dataSync().slice().buffer), bits)
})

test('weights of strings or complex numbers are refused', (t) => {
  const text = tf.variable(tf.tensor1d(['a']))
  t.throws(() => tensorflowModule({ text }).stateDict(), {
    message: /"text" has the dtype string/,
  })
  const c = tf.variable(tf.complex(tf.scalar(1), tf.scalar(2)))
  t.throws(() => tensorflowModule({ c }).stateDict(), { message: /"c" has the dtype complex64/ })
})

test('a source that is neither a model nor variables is refused', (t) => {
  for (const [source, found] of [
    [null, /found null/],
    ['model', /found a string/],
    [Promise.resolve(classifier(tf)), /is an await missing\?/],
    [tf.train.adam(), /found an optimizer: tensorflowModule\(model\), tensorflowOptimizer/],
  ] as const) {
    t.throws(() => tensorflowModule(source as never), { instanceOf: TypeError, message: found })
  }
  t.throws(() => tensorflowModule({}).stateDict(), { message: /no weights/ })
  const tensor = tf.tensor1d([1])
  t.throws(() => tensorflowModule({ w: tensor }).stateDict(), {
    message: /"w" must be a tf.Variable/,
  })
})

test('a restore writes the saved bits, past the constraint of a layer', async (t) => {
  const make = () => {
    const kernelConstraint = tf.constraints.unitNorm({ axis: 0 })
    const dense = tf.layers.dense({ units: 2, inputShape: [3], kernelConstraint })
    return tf.sequential({ layers: [dense] })
  }
  const model = make()
  // As training may leave them: of no unit norm to the last bit.
  model.weights[0].read().assign(tf.tensor2d([3, 1, 4, 1, 5, 9], [3, 2]))
  const copy = make()
  await restoreCheckpoint(await saved(tensorflowModule(model)), tensorflowModule(copy))
  t.deepEqual(weightsOf(copy), weightsOf(model))
})

test('the types fit those of TensorFlow.js', async (t) => {
  await installPackages(digits)
  const project = await mkdtemp(join(tmpdir(), 'tensorflow-types-'))
  t.teardown(() => rm(project, { recursive: true, force: true }))
  await symlink(join(digits, 'node_modules'), join(project, 'node_modules'))
  const adapter = JSON.stringify(join(root, 'src', 'adapters', 'tensorflow', 'tensorflow.js'))
  const library = JSON.stringify(join(root, 'src', 'index.js'))
  await writeFile(
    join(project, 'consumer.ts'),
    `import * as tf from '@tensorflow/tfjs-core'
     import { type LayersModel, type Sequential, sequential } from '@tensorflow/tfjs-layers'
     import { tensorflowModule, tensorflowOptimizer } from ${adapter}
     import { type Module, type Optimizer, saveCheckpoint } from ${library}
     const layered: Sequential = sequential()
     const model: LayersModel = layered
     const optimizer: tf.Optimizer = tf.train.adam(0.1)
     const variables = { w: tf.variable(tf.zeros([2, 3])), b: tf.variable(tf.scalar(0)) }
     const states: [Module, Optimizer] = [tensorflowModule(model), tensorflowOptimizer(model.optimizer, model)]
     tensorflowModule(layered)
     tensorflowModule(variables)
     tensorflowOptimizer(optimizer, variables)
     await saveCheckpoint('a.ckpt', ...states)
     // @ts-expect-error a tensor is no variable
     tensorflowModule({ w: tf.zeros([2]) })
     // @ts-expect-error
     tensorflowOptimizer(model, model)
    `,
  )
  const manifest = createRequire(import.meta.url).resolve('typescript/package.json')
  const compiler = join(dirname(manifest), 'bin', 'tsc')
  const config = {
    extends: join(root, 'tsconfig.json'),
    compilerOptions: {
      types: ['node'],
      typeRoots: [join(root, 'node_modules', '@types')],
      rootDir: '/',
    },
    include: ['consumer.ts'],
  }
  await writeFile(join(project, 'package.json'), '{"type":"module"}')
  await writeFile(join(project, 'tsconfig.json'), JSON.stringify(config))
  await t.notThrowsAsync(
    run(process.execPath, [compiler, '--project', project]).catch((error) => {
      throw new Error(error.stdout)
    }),
  )
})

test('an optimizer that its model was compiled with, and is no longer, is refused', async (t) => {
  const optimizer = tf.train.adam(0.01)
  const model = classifier(tf, optimizer)
  const states = both(optimizer, model)
  await using checkpoint = await saved(...states)
  model.compile({ optimizer: tf.train.adam(0.1), loss: 'categoricalCrossentropy' })
  for (const call of [() => saved(...states), () => restoreCheckpoint(checkpoint, ...states)]) {
    await t.throwsAsync(call, {
      instanceOf: TypeError,
      message: /compiled with another optimizer .* tensorflowOptimizer\(model\.optimizer, model\)/,
    })
  }
  await t.notThrowsAsync(saved(...both(model.optimizer, model)))
})

test('which weights are frozen is saved, and a difference is warned of and reported', async (t) => {
  const model = classifier(tf)
  model.layers[0].trainable = false
  await using checkpoint = await saved(tensorflowModule(model))
  t.deepEqual(checkpoint.model.attributes.frozen, ['dense_1/kernel', 'dense_1/bias'])
  const warnings: string[] = []
  const onWarning = (message: string) => void warnings.push(message)
  const same = classifier(tf)
  same.layers[0].trainable = false
  await restoreCheckpoint(checkpoint, tensorflowModule(same), null, { onWarning })
  t.deepEqual(warnings, [])
  const other = classifier(tf)
  other.layers[2].trainable = false
  const report = await restoreCheckpoint(checkpoint, tensorflowModule(other), null, { onWarning })
  t.is(warnings.length, 2)
  t.regex(warnings[0]!, /"model": frozen here and trained in the checkpoint: dense_2\/kernel/)
  t.regex(warnings[1]!, /frozen in the checkpoint and trained here: dense_1\/kernel/)
  t.deepEqual(report.warnings, warnings)
  const restored = await saved(tensorflowModule(other))
  for (const [name, { data }] of checkpoint.model) t.deepEqual(restored.model.get(name).data, data)
})

test('variables are frozen by themselves', async (t) => {
  const make = (trainable: boolean) => ({ w: tf.variable(tf.tensor1d([1, 2]), trainable) })
  await using checkpoint = await saved(tensorflowModule(make(false)))
  t.deepEqual(checkpoint.model.attributes.frozen, ['w'])
  const warnings: string[] = []
  const onWarning = (message: string) => void warnings.push(message)
  await restoreCheckpoint(checkpoint, tensorflowModule(make(true)), null, { onWarning })
  t.is(warnings.length, 1)
})
