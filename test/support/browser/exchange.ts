/**
 * What the entries for other formats make of files, from Blobs and from addresses. It runs in a browser and in Node, and
 * must come to the same.
 */

import {
  type Checkpoint,
  CheckpointError,
  loadCheckpoint,
  MemorySink,
} from '../../../src/browser.js'
import { checkHealth, diffCheckpoints } from '../../../src/diff/diff.js'
import { convertCheckpoint } from '../../../src/exchange/convert-checkpoint.js'
import { loadModelJson, saveModelJson } from '../../../src/exchange/model-json.js'
import { loadNpy, loadNpz, saveNpy, saveNpz } from '../../../src/exchange/numpy.js'
import { loadPytorch } from '../../../src/exchange/pytorch.js'
import { loadSafetensors, saveSafetensors } from '../../../src/exchange/safetensors.js'
import type { Training } from '../../../src/exchange/training.js'

const INDEX = 'model.safetensors.index.json'

/** The names of the files that `exchange` reads. */
export const FILES = [
  ...['a.ckpt', 'b.ckpt', 'a.safetensors', 'a.npz', 'a.npy', 'a.pt', 'bomb.pt'],
  ...['model.json', INDEX],
] as const

/** The bytes that a text of hexadecimal digits would have, short enough to compare by eye. */
function hex(bytes: ArrayBufferView): string {
  const all = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return Array.from(all, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

async function contentsOf(file: Training): Promise<object> {
  const states = [['model', file.model], ['optimizer', file.optimizer], ...file.extras] as const
  const found: object[] = []
  for (const [state, tensors] of states) {
    for (const [name, tensor] of tensors ?? []) {
      const { dtype, shape } = tensor
      found.push({ state, name, dtype, shape, bytes: hex(await tensor.read()) })
    }
    found.push({ state, kind: tensors?.kind, attributes: tensors?.attributes })
  }
  const { format, progress } = file
  file.close()
  return { format, progress, found }
}

/** Reads every file in `base`, and writes others of them. The result is plain JSON. */
export async function exchange(base: URL): Promise<object> {
  const at = (name: string): URL => new URL(name, base)
  const blob = async (name: string): Promise<Blob> => (await fetch(at(name))).blob()
  const written = async (write: (sink: MemorySink) => Promise<unknown>): Promise<string> => {
    const sink = new MemorySink()
    await write(sink)
    return hex(sink.bytes)
  }
  const index = JSON.parse(await (await blob(INDEX)).text()) as {
    readonly weight_map: { readonly [name: string]: string }
  }
  const manifest = JSON.parse(await (await blob('model.json')).text()) as {
    readonly weightsManifest: readonly { readonly paths: readonly string[] }[]
  }
  const blobs = async (names: readonly string[]) =>
    new Map(await Promise.all(names.map(async (name) => [name, await blob(name)] as const)))
  const shards = await blobs(Object.values(index.weight_map))
  const weights = await blobs(manifest.weightsManifest.flatMap(({ paths }) => paths))

  const [blobA, blobB] = [await blob('a.ckpt'), await blob('b.ckpt')]
  const differences = async (a: Checkpoint, b: Checkpoint): Promise<object> => {
    const found = { diff: await diffCheckpoints(a, b), health: await checkHealth(b) }
    for (const each of [a, b]) each.close()
    return found
  }
  const model = (await loadSafetensors(at('a.safetensors'))).model
  const pieces = new Map<string, MemorySink>()
  const topology = { class_name: 'Sequential', config: { layers: [] } }
  const array = await loadNpy(await blob('a.npy'))
  const files = (name: string): MemorySink => {
    const sink = new MemorySink()
    pieces.set(name, sink)
    return sink
  }
  const result = {
    read: {
      addresses: await Promise.all([
        loadSafetensors(at('a.safetensors')).then(contentsOf),
        loadSafetensors(at(INDEX)).then(contentsOf),
        loadNpz(at('a.npz')).then(contentsOf),
        loadPytorch(at('a.pt'), { parameters: ['w', 'b'] }).then(contentsOf),
        loadModelJson(at('model.json')).then(contentsOf),
      ]),
      blobs: await Promise.all([
        loadSafetensors(await blob('a.safetensors')).then(contentsOf),
        loadSafetensors(await blob(INDEX), { files: shards }).then(contentsOf),
        loadNpz(await blob('a.npz')).then(contentsOf),
        loadPytorch(await blob('a.pt'), { parameters: ['w', 'b'] }).then(contentsOf),
        loadModelJson(await blob('model.json'), { files: weights }).then(contentsOf),
      ]),
      array: { dtype: array.dtype, shape: array.shape, data: hex(array.data) },
      refused: await loadPytorch(await blob('bomb.pt')).then(
        () => 'read',
        (error) => (error instanceof CheckpointError ? [error.code, error.rule] : String(error)),
      ),
    },
    written: {
      safetensors: await written((sink) => saveSafetensors(sink, model)),
      npz: await written((sink) => saveNpz(sink, model)),
      npy: await written((sink) => saveNpy(sink, array)),
      'model.json': await written((sink) => saveModelJson(sink, model, { topology, files })),
      weights: Array.from(pieces, ([name, { bytes }]) => [name, hex(bytes)]),
    },
    converted: {
      'pt to ckpt': await written(async (sink) => {
        await convertCheckpoint(await blob('a.pt'), sink, { to: 'ckpt' })
      }),
      'model.json to ckpt': await written((sink) =>
        convertCheckpoint(at('model.json'), sink, { to: 'ckpt' }),
      ),
      'ckpt to safetensors': await written((sink) =>
        convertCheckpoint(at('a.ckpt'), sink, { to: 'safetensors' }),
      ),
      'ckpt to npz, of bfloat16': await written((sink) =>
        convertCheckpoint(blobA, sink, { to: 'npz', only: 'model', dtype: 'bfloat16' }),
      ),
      'ckpt there and back': await written(async (sink) => {
        const there = new MemorySink()
        await convertCheckpoint(blobA, there, { to: 'safetensors' })
        await convertCheckpoint(there.bytes, sink, { to: 'ckpt' })
      }),
    },
    compared: {
      addresses: await differences(
        await loadCheckpoint(at('a.ckpt')),
        await loadCheckpoint(at('b.ckpt')),
      ),
      blobs: await differences(await loadCheckpoint(blobA), await loadCheckpoint(blobB)),
    },
  }
  // Text, so that NaN and infinities are what they were.
  return JSON.parse(
    JSON.stringify(result, (_, value) =>
      typeof value === 'bigint' || (typeof value === 'number' && !Number.isFinite(value))
        ? String(value)
        : value,
    ),
  )
}
