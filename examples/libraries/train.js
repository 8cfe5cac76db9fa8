/**
 * Trains a network of one of six libraries that other people wrote, each used as its own documentation shows, and
 * saves a checkpoint every few steps. Interrupt it whenever you like and run it again: it ends with the very weights,
 * to the last bit, that it would have had without the interruption.
 *
 *     node train.js --library brain.js --run runs/mine --steps 600
 *
 * All of them draw their first weights from `Math.random`, and synaptic and neataptic may shuffle by it as well. It
 * has no state that can be saved, so a generator that has one stands in for it here.
 */

import { parseArgs } from 'node:util'
import { CheckpointManager } from 'lightwatch-checkpoint'
import { pytorchStyle, treeState } from 'lightwatch-checkpoint/tree'

const { values } = parseArgs({
  options: {
    library: { type: 'string', default: 'brain.js' },
    run: { type: 'string', default: 'runs/mine' },
    steps: { type: 'string', default: '600' },
  },
})
const steps = Number(values.steps)

// ---- A generator in the place of Math.random (mulberry32) -----------------------------------------

let random = { state: 1 }
Math.random = () => {
  random.state = (random.state + 0x6d2b79f5) >>> 0
  let t = Math.imul(random.state ^ (random.state >>> 15), random.state | 1)
  t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
}
const rng = treeState(
  () => random,
  (saved) => {
    random = saved
  },
)

// ---- Six libraries: how each takes a step, and what has to be saved ----------------------------------

const data = [
  { input: [0, 0], output: [0] },
  { input: [0, 1], output: [1] },
  { input: [1, 0], output: [1] },
  { input: [1, 1], output: [0] },
]
const copy = (value) => JSON.parse(JSON.stringify(value))

const libraries = {
  async 'brain.js'() {
    const { default: brain } = await import('brain.js')
    const net = new brain.NeuralNetwork({ hiddenLayers: [4], momentum: 0.5 })
    net.train(data, { iterations: 1 })
    const step = () => net.train(data, { iterations: 5 })
    // Typed arrays are restored in place. `changes` is its momentum, which `toJSON()` leaves out.
    const { weights, biases, changes } = net
    const tree = [weights, biases, changes].map((layers) => layers.slice(1))
    return { step, model: treeState(() => tree, Object) }
  },

  async synaptic() {
    const { default: synaptic } = await import('synaptic')
    let net = new synaptic.Architect.Perceptron(2, 4, 1)
    // A copy: it shuffles the array that it is given, whose order would be state as well.
    const step = () => new synaptic.Trainer(net).train([...data], { iterations: 5, shuffle: true })
    const model = treeState(
      () => copy(net.toJSON()),
      (saved) => {
        net = synaptic.Network.fromJSON(saved)
      },
    )
    return { step, model }
  },

  async neataptic() {
    const { default: neataptic } = await import('neataptic')
    const net = new neataptic.architect.Perceptron(2, 4, 1)
    const options = { iterations: 5, rate: 0.3, momentum: 0.9, shuffle: true, error: 0 }
    const step = () => net.train([...data], options)
    step()
    // Every number of its nodes and connections, some of which are there from the first step on. `toJSON()` leaves the
    // momentum out.
    const parts = [...net.nodes, ...net.connections]
    const numbersOf = (part) => Object.entries(part).filter(([, value]) => Number.isFinite(value))
    const model = treeState(
      () => parts.map((part) => Object.fromEntries(numbersOf(part))),
      (saved) => parts.forEach((part, i) => void Object.assign(part, saved[i])),
    )
    return { step, model }
  },

  async toygrad() {
    const { NeuralNetwork, Tensor, Trainers } = await import('toygrad')
    const layers = [
      { type: 'input', sx: 1, sy: 1, sz: 2 },
      { type: 'dense', filters: 4 },
      { type: 'tanh' },
      { type: 'dense', filters: 2 },
      { type: 'softmax' },
    ]
    const net = new NeuralNetwork({ layers })
    const trainer = new Trainers.Adadelta(net, { batchSize: 4 })
    const tensor = (input) => new Tensor(1, 1, 2, new Float32Array(input))
    const step = () => {
      for (const { input, output } of data) trainer.train(tensor(input), output[0])
    }
    // The trainer makes its sums in its first step: pytorchStyle fills lists that are empty.
    const { stateDict, loadStateDict } = sums(trainer)
    return {
      step,
      model: treeState(() => net.getParamsAndGrads(), Object),
      optimizer: pytorchStyle({ stateDict, loadStateDict }),
    }
  },

  async convnetjs() {
    const { default: convnetjs } = await import('convnetjs')
    const net = new convnetjs.Net()
    net.makeLayers([
      { type: 'input', out_sx: 1, out_sy: 1, out_depth: 2 },
      { type: 'fc', num_neurons: 4, activation: 'tanh' },
      { type: 'softmax', num_classes: 2 },
    ])
    const trainer = new convnetjs.Trainer(net, { method: 'adadelta', batch_size: 4 })
    const step = () => {
      for (const { input, output } of data) trainer.train(new convnetjs.Vol(input), output[0])
    }
    return {
      step,
      model: treeState(() => net.getParamsAndGrads(), Object),
      optimizer: pytorchStyle(sums(trainer)),
    }
  },

  async 'ml-fnn'() {
    const { default: fnn } = await import('ml-fnn')
    const net = new fnn({ hiddenLayers: [4], iterations: 5, learningRate: 0.1 })
    const [inputs, labels] = [data.map(({ input }) => input), data.map(({ output }) => output[0])]
    const step = () => net.train(inputs, labels)
    step()
    const model = treeState(
      () => copy(net.toJSON()),
      (saved) => void Object.assign(net, fnn.load(saved)),
    )
    return { step, model }
  },
}

/** What the trainers of toygrad and convnetjs keep of gradients. */
function sums(trainer) {
  return {
    stateDict: () => ({ k: trainer.k, gsum: trainer.gsum, xsum: trainer.xsum }),
    loadStateDict: (saved) => Object.assign(trainer, saved),
  }
}

// ---- Training -------------------------------------------------------------------------------------

const { step: train, model, optimizer = null } = await libraries[values.library]()
const manager = new CheckpointManager(values.run, {
  save: { everySteps: 20, steps: [steps] },
  keep: { newest: 3 },
})
const extras = { rng }
const resumed = await manager.restoreLatest(model, optimizer, { extras })
if (resumed !== null) console.log(`resumed after step ${resumed.step}`)
for (let step = (resumed?.step ?? 0) + 1; step <= steps; step++) {
  train()
  process.send?.({ event: 'step', step, steps })
  await manager.save(model, optimizer, { step, extras })
}
await manager.close()
console.log(`${values.library}: ${steps} steps`)
