/**
 * Runs the built library in a realm of its own, as Jest and Vitest's VM pools do: `node
 * --experimental-vm-modules attempts.mjs <folder>`. Prints what became of each attempt as JSON: true, or the
 * text of its error.
 */

import { readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import vm from 'node:vm'

const [folder] = process.argv.slice(2)
const dist = fileURLToPath(new URL('../../../dist/src', import.meta.url))

const context = vm.createContext({
  ...{ AbortController, AbortSignal, Blob, Buffer, TextDecoder, TextEncoder, URL },
  ...{ console, performance, process, queueMicrotask, setImmediate, setTimeout, clearTimeout },
  // As jest-environment-node passes them on.
  ...{ ArrayBuffer, Uint8Array },
})
// What older engines and realms have not; where a symbol is the engine's own it stays.
vm.runInContext(
  'for (const name of ["dispose", "asyncDispose"]) Reflect.deleteProperty(Symbol, name)',
  context,
)

const modules = new Map()
async function moduleOf(specifier, from) {
  const isFile = /^[./]/.test(specifier)
  const key = isFile ? resolve(from ? dirname(from) : '/', specifier) : specifier
  const known = modules.get(key)
  if (known !== undefined) return known
  const made = isFile ? sourceModule(key) : await outerModule(key)
  modules.set(key, made)
  return made
}

function sourceModule(file) {
  return new vm.SourceTextModule(readFileSync(file, 'utf8'), {
    context,
    identifier: file,
    initializeImportMeta: (meta) => {
      meta.url = pathToFileURL(file).href
    },
    importModuleDynamically: async (specifier) => linked(await moduleOf(specifier, file)),
  })
}

async function outerModule(name) {
  const outer = await import(name)
  const names = Object.keys(outer)
  return new vm.SyntheticModule(
    names,
    function () {
      for (const each of names) this.setExport(each, outer[each])
    },
    { context, identifier: name },
  )
}

async function linked(module) {
  if (module.status === 'unlinked') await module.link((s, parent) => moduleOf(s, parent.identifier))
  if (module.status === 'linked') await module.evaluate()
  return module
}

const entry = async (file) => (await linked(await moduleOf(join(dist, file)))).namespace
const library = await entry('index.js')
const { treeState } = await entry('adapters/tree/tree.js')
const { CheckpointManager, loadCheckpoint, MemorySink, restoreCheckpoint, saveCheckpoint } = library

const outcomes = {}
async function attempt(what, run) {
  try {
    await run()
    outcomes[what] = true
  } catch (error) {
    outcomes[what] = String(error?.stack ?? error)
  }
}
function expect(condition, what) {
  if (!condition) throw new Error(`not so: ${what}`)
}
async function codeOf(run) {
  try {
    await run()
  } catch (error) {
    expect(library.isCheckpointError(error), `a CheckpointError, not ${error}`)
    return error.code
  }
  return undefined
}
const at = (name) => join(folder, name)
/** A value of a third realm. */
const elsewhere = (code) => vm.runInNewContext(code)
const holding = (data) => ({ stateDict: () => ({ w: { dtype: 'float32', shape: [4], data } }) })
const model = holding(Float32Array.of(1, 2, 3, 4))
async function roundTrip(state, optimizer, options) {
  const sink = new MemorySink()
  await saveCheckpoint(sink, state, optimizer, options)
  return loadCheckpoint(sink.bytes)
}

await attempt('saves to a path that is new, and over one', async () => {
  await saveCheckpoint(at('a.ckpt'), model)
  await saveCheckpoint(pathToFileURL(at('a.ckpt')), model)
})
await attempt('loads a path, a URL, a Blob and bytes', async () => {
  const bytes = readFileSync(at('a.ckpt'))
  const third = elsewhere(`new Uint8Array(${bytes.length})`)
  third.set(bytes)
  const forms = [
    at('a.ckpt'),
    pathToFileURL(at('a.ckpt')),
    new Blob([bytes]),
    bytes,
    third,
    third.buffer,
  ]
  for (const from of forms) {
    const checkpoint = await loadCheckpoint(from)
    expect((await checkpoint.model.get('w').read())[3] === 4, 'the last element')
    await checkpoint.close()
  }
})
await attempt('says that a file is not there, or is damaged', async () => {
  expect((await codeOf(() => loadCheckpoint(at('none.ckpt')))) === 'CKPT_READ', 'CKPT_READ')
  const bytes = readFileSync(at('a.ckpt'))
  bytes[bytes.length - 1] ^= 1
  writeFileSync(at('b.ckpt'), bytes)
  const code = await codeOf(async () =>
    restoreCheckpoint(await loadCheckpoint(at('b.ckpt')), model),
  )
  expect(code === 'CKPT_TENSOR_CHECKSUM', code)
})
await attempt('names the path of what failed', async () => {
  let path
  await loadCheckpoint(at('none.ckpt')).catch((error) => {
    path = error.path
  })
  expect(path === at('none.ckpt'), path)
})
await attempt('saves memory of every kind and realm', async () => {
  const code = '((bytes) => { new Float32Array(bytes).set([1, 2, 3, 4]); return bytes })'
  for (const data of [
    elsewhere('Float32Array.of(1, 2, 3, 4)'),
    elsewhere(`${code}(new ArrayBuffer(16))`),
    elsewhere(`${code}(new SharedArrayBuffer(16))`),
    elsewhere('new DataView(Float32Array.of(1, 2, 3, 4).buffer)'),
    () => elsewhere('Promise.resolve(Float32Array.of(1, 2, 3, 4))'),
  ]) {
    const file = await roundTrip(holding(data))
    expect((await file.model.get('w').read())[3] === 4, 'the last element')
    await saveCheckpoint(at('kinds.ckpt'), holding(data))
  }
})
await attempt(
  'saves a loaded checkpoint again, of this copy of the library or another',
  async () => {
    const other = await import(pathToFileURL(join(dist, 'index.js')).href)
    for (const load of [loadCheckpoint, other.loadCheckpoint]) {
      const loaded = await load(at('a.ckpt'))
      const file = await roundTrip({ stateDict: () => loaded.model })
      expect((await file.model.get('w').read())[3] === 4, 'the last element')
    }
  },
)
await attempt('restores into arrays of another realm', async () => {
  const target = elsewhere('new Float32Array(4)')
  await restoreCheckpoint(await roundTrip(model), holding(target))
  expect(target[2] === 3, 'the third element')
})
await attempt(
  'takes named tensors as a Map, an object and a generator of another realm',
  async () => {
    const tensor = '{ shape: [2], data: Float32Array.of(5, 6) }'
    for (const code of [
      `new Map([['w', ${tensor}]])`,
      `({ w: ${tensor} })`,
      `(function* () { yield ['w', ${tensor}] })()`,
      `({ tensors: { w: ${tensor} }, attributes: { lr: 0.1, groups: [{ decay: 1 }] } })`,
    ]) {
      const file = await roundTrip({ stateDict: () => elsewhere(code) })
      expect((await file.model.get('w').read())[1] === 6, code)
    }
  },
)
await attempt('takes attributes, metrics, extras and a config of another realm', async () => {
  const options = elsewhere('({ metrics: { accuracy: 1 }, config: { layers: [1, { a: null }] } })')
  const extras = Object.assign(elsewhere('({})'), { ema: model })
  const file = await roundTrip(model, null, { ...options, extras })
  expect(file.config.layers[1].a === null && file.extras.size === 1, 'config and extras')
})
await attempt('restores trees of another realm', async () => {
  const holder = {
    tree: elsewhere('({ layers: [{ w: Float32Array.of(1, 2) }], lr: 0.5, none: [] })'),
  }
  const state = treeState(
    () => holder.tree,
    (tree) => {
      holder.tree = tree
    },
  )
  const file = await roundTrip(state)
  holder.tree = elsewhere('({ layers: [{ w: Float32Array.of(0, 0) }], lr: 0, none: [] })')
  await restoreCheckpoint(file, state)
  expect(holder.tree.layers[0].w[1] === 2 && holder.tree.lr === 0.5, 'the tree')
})
await attempt('manages a run: new, saved, resumed, with a damaged file set aside', async () => {
  const warnings = []
  const options = { onWarning: (message) => warnings.push(message) }
  const manager = new CheckpointManager(at('run'), options)
  expect((await manager.restoreLatest(model)) === null, 'null for a new run')
  for (const step of [1, 2]) await manager.save(model, null, { step })
  await manager.flush()
  const [, last] = await manager.list()
  const bytes = readFileSync(last.path)
  bytes[bytes.length - 1] ^= 1
  writeFileSync(last.path, bytes)
  const report = await manager.restoreLatest(model)
  expect(report.step === 1 && report.skipped.length === 1, JSON.stringify(report))
  await manager.close()
})
await attempt('has no method that is called undefined, and can be disposed of', async () => {
  const checkpoint = await roundTrip(model)
  const manager = new CheckpointManager(at('other'))
  for (const each of [checkpoint, manager]) expect(!('undefined' in each), 'no undefined')
  // The key that compilers fall back to when they lower `await using`.
  const key = vm.runInContext('Symbol.asyncDispose ?? Symbol.for("Symbol.asyncDispose")', context)
  for (const each of [checkpoint, manager]) await each[key]()
  expect((await codeOf(() => checkpoint.model.get('w').read())) === 'CKPT_CLOSED', 'closed')
})
console.log(JSON.stringify(outcomes))
