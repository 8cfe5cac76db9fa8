/**
 * TensorFlow.js: `model.save` with `includeOptimizer`, and this library through its adapter, for one model in one
 * process. TensorFlow.js has a file handler only in its native package. So a handler here writes its artifacts, as its
 * documentation describes: the topology and the manifest as JSON, and the weights as they come, which is what its own
 * handler writes too.
 */

import { mkdir, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type * as Adapter from '../../src/adapters/tensorflow/tensorflow.js'
import { importLibrary } from '../library.js'
import { seconds, serve, syncSaved } from './serve.js'

interface Artifacts {
  readonly modelTopology?: unknown
  readonly weightSpecs?: unknown
  readonly weightData?: ArrayBuffer | ArrayBuffer[]
}

const example = process.argv[2]!
const { resolve } = createRequire(join(example, 'package.json'))
// The packages are those of an example, so their types are not available here.
// biome-ignore lint/suspicious/noExplicitAny: see above
type Untyped = any
const load = (name: string): Promise<Untyped> =>
  import(pathToFileURL(resolve(`@tensorflow/${name}`)).href)
const core = await load('tfjs-core')
const layersApi = await load('tfjs-layers')
await load('tfjs-backend-cpu')
core.enableProdMode()
await core.setBackend('cpu')
const adapterUrl = new URL('../../dist/src/adapters/tensorflow/tensorflow.js', import.meta.url).href
const { tensorflowModule, tensorflowOptimizer } = (await import(adapterUrl)) as typeof Adapter
const { loadCheckpoint, restoreCheckpoint, saveCheckpoint } = await importLibrary()

let model: Untyped
let adam: Untyped

/** Writes a model's artifacts into a folder. */
function fileHandler(folder: string, durable: boolean) {
  return {
    async save({ modelTopology, weightSpecs, weightData }: Artifacts) {
      await mkdir(folder)
      const parts = [weightData ?? []].flat().map((part) => new Uint8Array(part))
      const weights = join(folder, 'weights.bin')
      const manifest = join(folder, 'model.json')
      await writeFile(weights, parts)
      await writeFile(manifest, JSON.stringify({ modelTopology, weightSpecs }))
      if (durable) for (const file of [weights, manifest]) await syncSaved(file)
      return { modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: 'JSON' } }
    },
  }
}

await serve({
  /** A dense model of `layers` layers, with the buffers of one step of Adam. */
  load({ layers, width }: { layers: number; width: number }) {
    model = layersApi.sequential({
      layers: Array.from({ length: layers }, (_, i) =>
        layersApi.layers.dense({ units: width, inputShape: [width], name: `layer${i}` }),
      ),
    })
    adam = core.train.adam(0.001)
    model.compile({ optimizer: adam, loss: 'meanSquaredError' })
    const gradients: Record<string, unknown> = {}
    for (const { val } of model.trainableWeights) gradients[val.name] = core.onesLike(val)
    adam.applyGradients(gradients)
    return 3 * 4 * layers * (width * width + width)
  },
  save({ path, durable }: { path: string; durable: boolean }) {
    return seconds(() => model.save(fileHandler(path, durable), { includeOptimizer: true }))
  },
  saveOurs({ path }: { path: string }) {
    return seconds(() =>
      saveCheckpoint(path, tensorflowModule(model), tensorflowOptimizer(adam, model)),
    )
  },
  async restoreOurs({ path, readBack }: { path: string; readBack: boolean }) {
    const [module, optimizer] = [tensorflowModule(model), tensorflowOptimizer(adam, model)]
    return seconds(async () => {
      await using checkpoint = await loadCheckpoint(path)
      await restoreCheckpoint(checkpoint, module, optimizer, { readBack })
    })
  },
})
