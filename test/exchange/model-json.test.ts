import { readdir, readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import test from 'ava'
import { tensorflowModule } from '../../src/adapters/tensorflow/tensorflow.js'
import { loadModelJson, saveModelJson } from '../../src/exchange/node/model-json.js'
import { loadCheckpoint, restoreCheckpoint, saveCheckpoint } from '../../src/index.js'
import { INSTALL_MS, tensorflow, type Untyped } from '../support/adapters/tensorflow-trainings.js'
import { scratchFolder } from '../support/scratch.js'

let tf: Untyped

test.before(async (t) => {
  t.timeout(INSTALL_MS)
  tf = await tensorflow('cpu')
})

/** A model with a layer that has a name, and some that TensorFlow.js numbers. */
function makeModel(): Untyped {
  const model = tf.sequential({
    layers: [
      tf.layers.dense({ units: 5, inputShape: [3], activation: 'tanh' }),
      tf.layers.dropout({ rate: 0.1 }),
      tf.layers.batchNormalization(),
      tf.layers.dense({ units: 4, trainable: false }),
      tf.layers.dense({ units: 2, name: 'head' }),
    ],
  })
  model.compile({ loss: 'meanSquaredError', optimizer: tf.train.adam(0.01) })
  return model
}

/** Writes a model's artifacts as TensorFlow.js does for a download, in shards of so many bytes. */
async function write(folder: string, model: Untyped, shard = Number.POSITIVE_INFINITY) {
  let artifacts: Untyped
  await model.save(
    tf.io.withSaveHandler(async (given: Untyped) => {
      artifacts = given
      return { modelArtifactsInfo: tf.io.getModelArtifactsInfoForJSON(given) }
    }),
    { includeOptimizer: true },
  )
  const data = new Uint8Array(artifacts.weightData)
  const paths: string[] = []
  for (let at = 0; at < data.length; at += shard) {
    paths.push(`group1-shard${paths.length + 1}.bin`)
    await writeFile(join(folder, paths.at(-1)!), data.subarray(at, at + shard))
  }
  const { modelTopology, format, generatedBy, convertedBy, trainingConfig, weightSpecs } = artifacts
  const weightsManifest = [{ paths, weights: weightSpecs }]
  const json = { modelTopology, format, generatedBy, convertedBy, trainingConfig, weightsManifest }
  await writeFile(join(folder, 'model.json'), JSON.stringify(json))
}

const predict = (model: Untyped): Float32Array =>
  model.predict(tf.tensor2d([[0.1, -0.2, 0.3]])).dataSync()

test.serial(
  'a saved model goes into a checkpoint, and from there into a model that was made anew',
  async (t) => {
    const folder = await scratchFolder(t)
    const model = makeModel()
    await model.fit(tf.randomNormal([8, 3]), tf.randomNormal([8, 2]), { epochs: 2, verbose: 0 })
    // Shards that cut numbers apart.
    await write(folder, model, 37)
    const file = await loadModelJson(join(folder, 'model.json'))
    t.is(file.model.kind, 'Sequential')
    t.is(file.optimizer?.kind, 'Adam')
    t.is(file.optimizer?.attributes.beta1, 0.9)
    const moments = [...(file.optimizer?.keys() ?? [])]
    t.true(moments.includes('dense_1/kernel/m'), moments.join())
    const path = join(folder, 'a.ckpt')
    const stateful = (state: typeof file.model) => ({ stateDict: () => state })
    await saveCheckpoint(path, stateful(file.model), stateful(file.optimizer!))
    file.close()

    const other = makeModel()
    const checkpoint = await loadCheckpoint(path)
    await restoreCheckpoint(checkpoint, tensorflowModule(other), null)
    t.deepEqual(predict(other), predict(model))
    for (const [i, weight] of model.weights.entries()) {
      t.deepEqual(other.weights[i].read().dataSync(), weight.read().dataSync(), weight.originalName)
    }
    checkpoint.close()
  },
)

test.serial('a checkpoint of a model is served, and TensorFlow.js loads what it was', async (t) => {
  const folder = await scratchFolder(t)
  const model = makeModel()
  await saveCheckpoint(join(folder, 'a.ckpt'), tensorflowModule(model))
  const checkpoint = await loadCheckpoint(join(folder, 'a.ckpt'))
  const target = join(folder, 'model.json')
  await t.throwsAsync(saveModelJson(target, checkpoint), {
    code: 'CKPT_NOT_CONVERTIBLE',
    message: /topology/,
  })
  // The topology of another process has other numbers.
  const topology = makeModel().toJSON(null, false)
  const { byteLength } = await saveModelJson(target, checkpoint, { topology })
  const files = (await readdir(folder)).filter((name) => name !== 'a.ckpt').sort()
  t.deepEqual(files, ['model.group1-shard1of1.bin', 'model.json'])
  t.true(byteLength > checkpoint.model.size)
  checkpoint.close()

  const server = createServer(async (request, response) => {
    response.end(await readFile(join(folder, request.url!)).catch(() => ''))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  const { port } = server.address() as AddressInfo
  const served = await tf.loadLayersModel(`http://127.0.0.1:${port}/model.json`)
  t.deepEqual(predict(served), predict(model))

  // And back: what was written is read as it was.
  const again = await loadModelJson(target)
  const saved = await loadCheckpoint(join(folder, 'a.ckpt'))
  t.deepEqual([...again.model.keys()].sort(), [...saved.model.keys()].sort())
  for (const [name, tensor] of saved.model) {
    t.deepEqual(await again.model.get(name).read(), tensor.data, name)
  }
  again.close()
  saved.close()
})

test.serial(
  'weights that were quantized are the numbers that TensorFlow.js makes of them',
  async (t) => {
    const specs = [
      {
        name: 'a',
        shape: [5],
        dtype: 'float32',
        quantization: { dtype: 'uint8', scale: 0.1, min: -1.3 },
      },
      {
        name: 'b',
        shape: [3],
        dtype: 'float32',
        quantization: { dtype: 'uint16', scale: 1 / 3, min: 7 },
      },
      { name: 'c', shape: [3], dtype: 'float32', quantization: { dtype: 'float16' } },
      {
        name: 'd',
        shape: [3],
        dtype: 'int32',
        quantization: { dtype: 'uint8', scale: 2.4, min: -3 },
      },
      { name: 'e', shape: [2], dtype: 'bool' },
      { name: 'f', shape: [2], dtype: 'int32' },
    ]
    const bytes = Uint8Array.from({ length: 5 + 6 + 6 + 3 + 2 + 8 }, (_, i) => (i * 37) % 251)
    const json = Buffer.from(
      JSON.stringify({ weightsManifest: [{ paths: ['w'], weights: specs }] }),
    )
    const { model } = await loadModelJson(json, { files: { w: bytes } })
    const decoded = tf.io.decodeWeights(bytes.buffer, specs)
    for (const { name } of specs) {
      t.deepEqual([...(await model.get(name).read())], [...decoded[name].dataSync()], name)
    }
    const part = new Uint8Array(6)
    await model.get('b').readBytes(part, 3)
    t.deepEqual(part, new Uint8Array(Float32Array.from(decoded.b.dataSync()).buffer).slice(3, 9))
  },
)

test('a model.json that is damaged is refused by its rule', async (t) => {
  const weight = { name: 'w', shape: [2], dtype: 'float32' }
  const group = { paths: ['w'], weights: [weight] }
  const load = (json: unknown, w = new Uint8Array(8)) =>
    loadModelJson(Buffer.from(typeof json === 'string' ? json : JSON.stringify(json)), {
      files: { w },
    })
  for (const [json, rule] of [
    ['{', 'tfjs.json'],
    ['[]', 'tfjs.json'],
    ['['.repeat(100_000), 'tfjs.json'],
    [{}, 'tfjs.manifest'],
    [{ weightsManifest: [null] }, 'tfjs.manifest'],
    [{ weightsManifest: [{ paths: ['w'] }] }, 'tfjs.manifest'],
    [{ weightsManifest: [{ ...group, paths: [1] }] }, 'tfjs.manifest'],
    [{ weightsManifest: [{ ...group, weights: [weight, weight] }] }, 'tfjs.manifest'],
    [{ weightsManifest: [{ ...group, weights: [{ ...weight, shape: [-1] }] }] }, 'tfjs.manifest'],
    [
      { weightsManifest: [{ ...group, weights: [{ ...weight, shape: [2 ** 52, 8] }] }] },
      'tfjs.manifest',
    ],
    [
      { weightsManifest: [{ ...group, weights: [{ ...weight, dtype: 'toString' }] }] },
      'tfjs.manifest',
    ],
    [{ weightsManifest: [{ ...group, weights: [{ ...weight, shape: [3] }] }] }, 'tfjs.shards'],
    [{ weightsManifest: [{ ...group, paths: ['../w'] }] }, 'sibling'],
  ] as const) {
    const error = await t.throwsAsync<Error & { code: string; rule: string }>(load(json))
    t.is(error?.code, 'CKPT_FOREIGN_FILE')
    t.is(error?.rule, rule, JSON.stringify(json).slice(0, 80))
  }
  for (const odd of [
    { ...weight, dtype: 'string' },
    { ...weight, quantization: { dtype: 'int8', scale: 1, min: 0 } },
    { ...weight, quantization: { dtype: 'uint8', scale: null, min: 0 } },
  ]) {
    await t.throwsAsync(load({ weightsManifest: [{ ...group, weights: [odd] }] }), {
      code: 'CKPT_NOT_CONVERTIBLE',
    })
  }
  await t.throwsAsync(load({ weightsManifest: [{ ...group, paths: ['absent'] }] }), {
    code: 'CKPT_READ',
  })
})

test('a dtype that TensorFlow.js has not is refused by the name of its tensor', async (t) => {
  const folder = await scratchFolder(t)
  const contents = { half: { dtype: 'float16', shape: [1], data: new Uint16Array(1) } } as const
  const options = { topology: { class_name: 'Sequential', config: { layers: [] } } }
  await t.throwsAsync(saveModelJson(join(folder, 'model.json'), contents, options), {
    code: 'CKPT_NOT_CONVERTIBLE',
    message: /"half" is float16/,
  })
  t.deepEqual(await readdir(folder), [])
})
