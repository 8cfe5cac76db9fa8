import test from 'ava'
import { saveCheckpoint as saveWithoutPaths } from '../../src/browser.js'
import { loadCheckpoint, MemorySink, restoreCheckpoint, saveCheckpoint } from '../../src/index.js'

const w = { shape: [2], data: new Float32Array(2) }
const model = { stateDict: () => ({ w }) }

/** The message of the TypeError that a wrong call ends with. */
async function message(run: () => Promise<unknown>): Promise<string> {
  const error = await run().then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (!(error instanceof TypeError)) throw new Error(`expected a TypeError, found ${String(error)}`)
  return error.message
}

const save = (...states: unknown[]) =>
  saveCheckpoint(new MemorySink(), ...(states as [never, never, never]))

class Net {
  stateDict() {
    return { w }
  }
}

test('a mistaken model is named, with a remedy', async (t) => {
  const layersModel = {
    weights: [],
    trainableWeights: [],
    getClassName: () => 'Sequential',
    getWeights: () => [],
  }
  for (const [what, words] of [
    [layersModel, 'tensorflowModule(model) of lightwatch-checkpoint/tensorflow'],
    [Promise.resolve(model), 'is an await missing?'],
    [Net, 'pass an instance of this class'],
    [{ w }, 'pass { stateDict: () => model }'],
    [new Map([['w', w]]), 'pass { stateDict: () => model }'],
    [{ tensors: { w }, attributes: {} }, 'pass { stateDict: () => model }'],
    [{ layers: [{ w: new Float32Array(2) }] }, 'treeState() of lightwatch-checkpoint/tree'],
    [{ state_dict: () => ({ w }) }, 'must be named stateDict()'],
    ['a.ckpt', 'pass the path as the first argument'],
    [undefined, 'found undefined'],
  ] as const) {
    const said = await message(() => save(what))
    t.true(said.startsWith('model must have a stateDict() method, found '), said)
    t.true(said.includes(words), said)
  }
})

test('a mistaken optimizer is named, with a remedy', async (t) => {
  const adam = { getClassName: () => 'Adam', applyGradients() {}, minimize() {} }
  for (const [what, words] of [
    [adam, 'tensorflowOptimizer(optimizer, model) of lightwatch-checkpoint/tensorflow'],
    [{ step: 5, epoch: 1 }, 'pass the options after the optimizer, and null'],
    [{ extras: {} }, 'pass the options after the optimizer, and null'],
  ] as const) {
    const said = await message(() => save(model, what))
    t.true(said.startsWith('optimizer must have a stateDict() method, found '), said)
    t.true(said.includes(words), said)
  }
})

test('a restore tells a checkpoint in the place of the model', async (t) => {
  const sink = new MemorySink()
  await saveCheckpoint(sink, model)
  const checkpoint = await loadCheckpoint(sink.bytes)
  const said = await message(() => restoreCheckpoint(checkpoint, checkpoint as never))
  t.regex(said, /^model must have .*takes a checkpoint first, and then the model/)
})

test('a mistake in a state dict is named with its tensor, with a remedy', async (t) => {
  for (const [tensor, words] of [
    [{ shape: [2], data: [1, 2] }, 'found an array: pass new Float32Array(data)'],
    [new Float32Array(2), 'pass { shape: [2], data }'],
    [{ weight: w, bias: w }, 'with the keys "weight", "bias": the names of a state dict are flat'],
    [{}, 'an object without keys'],
    [Promise.resolve(w), 'is an await missing?'],
    [{ shape: [2], data: Promise.resolve(new Float32Array(2)) }, 'is an await missing?'],
    [{ shape: [2] }, 'without data'],
  ] as const) {
    const said = await message(() => save({ stateDict: () => ({ layer: tensor }) }))
    t.true(said.includes('the tensor "layer" of model'), said)
    t.true(said.includes(words), said)
  }
})

test('a mistaken destination is named, with a remedy', async (t) => {
  const handle = { name: 'a.ckpt', createWritable: async () => {} }
  const directory = { name: 'run', kind: 'directory', getFileHandle: async () => {} }
  for (const [to, words] of [
    [model, /pass the destination first, then the model and the optimizer$/],
    [handle, /pass new FileHandleSink\(handle\)$/],
    [directory, /directory\.getFileHandle\(name, \{ create: true \}\)\)$/],
    [Promise.resolve('a.ckpt'), /is an await missing\?/],
  ] as const) {
    for (const saveTo of [saveCheckpoint, saveWithoutPaths]) {
      t.regex(await message(() => saveTo(to as never, model)), words)
    }
  }
  t.regex(await message(() => saveWithoutPaths('a.ckpt' as never, model)), /FileHandleSink/)
})
