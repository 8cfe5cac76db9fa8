import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import * as browser from '../../src/exchange/convert-checkpoint.js'
import { convertCheckpoint } from '../../src/exchange/node/convert-checkpoint.js'
import { loadModelJson, saveModelJson } from '../../src/exchange/node/model-json.js'
import { loadNpy, loadNpz, saveNpy, saveNpz } from '../../src/exchange/node/numpy.js'
import { loadSafetensors, saveSafetensors } from '../../src/exchange/node/safetensors.js'
import { FolderStore } from '../../src/io/file/folder-store.js'
import { scratchFolder } from '../support/scratch.js'

const model = {
  w: { shape: [2, 2], data: Float32Array.of(1, -0, 3, Number.NaN) },
  n: { shape: [2], data: Int32Array.of(1, -2) },
}

test('files of other formats are written into a store and read from it, with their shards', async (t) => {
  const store = new FolderStore(await scratchFolder(t))
  const at = (name: string) => ({ store, name })
  const topology = { class_name: 'Sequential', config: { layers: [] } }
  await saveSafetensors(at('w.safetensors'), { w: model.w })
  await saveSafetensors(at('n.safetensors'), { n: model.n })
  const map = { w: 'w.safetensors', n: 'n.safetensors' }
  const index = 'model.safetensors.index.json'
  await writeFile(join(store.path, index), JSON.stringify({ weight_map: map }))
  await saveNpz(at('a.npz'), model)
  await saveModelJson(at('model.json'), model, { topology })
  for (const file of [
    await loadSafetensors(at(index)),
    await loadNpz(at('a.npz')),
    await loadModelJson(at('model.json')),
  ]) {
    t.deepEqual(await file.model.get('w').read(), model.w.data, file.format)
    t.deepEqual(await file.model.get('n').read(), model.n.data, file.format)
    file.close()
  }
  await saveNpy(at('a.npy'), model.w)
  t.deepEqual((await loadNpy(at('a.npy'))).data, model.w.data)
})

test('a conversion goes from a store into a store, under the conditions of a location', async (t) => {
  const store = new FolderStore(await scratchFolder(t))
  const at = (name: string) => ({ store, name })
  await saveSafetensors(at('a.safetensors'), model)
  const { version } = (await store.stat('a.safetensors'))!
  for (const convert of [convertCheckpoint, browser.convertCheckpoint]) {
    await convert({ ...at('a.safetensors'), version }, at('a.ckpt'))
    await convert(at('a.ckpt'), at('b.safetensors'))
    const [a, b] = ['a.safetensors', 'b.safetensors'].map((name) => join(store.path, name))
    t.deepEqual(await readFile(b!), await readFile(a!))
    const taken = { ...at('a.ckpt'), condition: { ifAbsent: true } } as const
    await t.throwsAsync(convert(at('a.safetensors'), taken), { code: 'CKPT_EXISTS' })
  }
  await saveSafetensors(at('a.safetensors'), { w: model.w })
  const old = { ...at('a.safetensors'), version }
  await t.throwsAsync(convertCheckpoint(old, at('c.ckpt')), { code: 'CKPT_FILE_CHANGED' })
  t.is(await store.stat('c.ckpt'), undefined)
})

test('an error names the location in the store', async (t) => {
  const store = new FolderStore(await scratchFolder(t))
  const at = (name: string) => ({ store, name })
  for (const load of [loadSafetensors, loadNpz]) {
    const error = await t.throwsAsync(load(at('none')), { code: 'CKPT_READ' })
    t.true(error.message.startsWith(`"${join(store.path, 'none')}"`), error.message)
  }
  await writeFile(join(store.path, 'bad.npz'), 'no archive')
  const error = await t.throwsAsync(loadNpz(at('bad.npz')), { code: 'CKPT_FOREIGN_FILE' })
  t.true(error.message.startsWith(`"${join(store.path, 'bad.npz')}"`), error.message)
})
