/** Models and optimizers of TensorFlow.js as states, for the tests of its adapter. */

import {
  tensorflowModule,
  tensorflowOptimizer,
} from '../../../src/adapters/tensorflow/tensorflow.js'
import {
  type Checkpoint,
  type LoadedState,
  loadCheckpoint,
  MemorySink,
  type Module,
  type Optimizer,
  type Stateful,
  saveCheckpoint,
} from '../../../src/index.js'
import { classifier, train, type Untyped } from './tensorflow-trainings.js'

/** An optimizer and its model, after some steps. */
export async function trainedAdam(tf: Untyped, steps: number) {
  const optimizer = tf.train.adam(0.01)
  const model = classifier(tf, optimizer)
  await train(tf, model, 0, steps)
  return { optimizer, model, states: both(optimizer, model) }
}

/** The two as they are saved. */
export function both(optimizer: Untyped, model: Untyped): [Module, Optimizer] {
  return [tensorflowModule(model), tensorflowOptimizer(optimizer, model)]
}

/** A saved state with some of its members replaced. */
export function altered(state: LoadedState, members: Partial<LoadedState>): LoadedState {
  const { name, kind, attributes, size } = state
  return {
    name,
    kind,
    attributes,
    size,
    has: (key) => state.has(key),
    get: (key) => state.get(key),
    keys: () => state.keys(),
    [Symbol.iterator]: () => state[Symbol.iterator](),
    ...members,
  }
}

/** Saved, and loaded again from memory. */
export async function saved(model: Module, optimizer?: Optimizer): Promise<Checkpoint> {
  const sink = new MemorySink()
  await saveCheckpoint(sink, model, optimizer)
  return loadCheckpoint(sink.bytes)
}

/** Everything that these states hold, as one value: names, attributes, and tensors bit for bit. */
export async function contents(...states: readonly Stateful[]): Promise<unknown[]> {
  const all: unknown[] = []
  for (const state of states) {
    const { model } = await saved(state)
    const tensors = [...model].map(([name, { dtype, shape, data }]) => [
      name,
      dtype,
      shape,
      hex(data),
    ])
    all.push({ kind: model.kind, attributes: model.attributes, tensors })
  }
  return all
}

/** A model's weights, bit for bit. */
export function weightsOf(model: Untyped): string[] {
  return model.getWeights().map((weight: Untyped) => hex(weight.dataSync()))
}

function hex({ buffer, byteOffset, byteLength }: ArrayBufferView): string {
  return Buffer.from(buffer, byteOffset, byteLength).toString('hex')
}
