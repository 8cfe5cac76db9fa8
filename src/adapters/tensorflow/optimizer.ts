/**
 * A TensorFlow.js optimizer as an Optimizer: everything that its next step depends on.
 *
 * Its own getWeights and setWeights do not do for that: they forget the running products of Adam's
 * decay rates (setWeights computes them anew, and rounds otherwise), they do not exist for Adamax, and
 * they know buffers by position. So its fields are read and written as they are.
 */

import { type Attributes, describe } from '../../format/attributes.js'
import { elementCount } from '../../format/dtype.js'
import type { LoadedState, Optimizer, State, TensorData, TensorLike } from '../../state.js'
import {
  type Entry,
  fieldsOf,
  isCount,
  type OptimizerFields,
  readFields,
  type TensorFlowOptimizer,
  versionOf,
} from './fields.js'
import { sortAtFirstStep } from './order.js'
import {
  checkFits,
  checkSource,
  elementsOf,
  openUpload,
  type Parameter,
  parametersOf,
  type TensorFlowModel,
  type TensorFlowTensor,
  type TensorFlowVariable,
  type TensorFlowVariables,
} from './parameters.js'

/**
 * A TensorFlow.js optimizer as an Optimizer, for exact resume: SGD, Momentum, Adagrad, Adadelta,
 * RMSProp, Adam and Adamax. `source` is what it trains, as it was given to `tensorflowModule`: the
 * model, or variables by name.
 *
 * Tensors are the buffers, by TensorFlow.js's word for the buffer and the parameter's name
 * (`m/dense_1/kernel`), and the optimizer's own scalars (`accBeta1`). Attributes are `iterations`, the
 * hyper-parameters of `getConfig()`, and `order`: the parameters that have had a gradient so far, in
 * the order in which the optimizer holds their buffers. Those of all others are saved with the values
 * that they will start from; so the names are the same from before the first step on, and an
 * optimizer that has not made a step yet can be restored.
 *
 * A restore makes the optimizer what it was, with its hyper-parameters: set another learning rate
 * after it. TensorFlow.js pairs buffers with gradients by position; a restore leaves them in the order
 * in which they were saved, and the first step after it sets them right by name, should its gradients
 * come in another order.
 *
 * Throws a TypeError for what is not an optimizer; `stateDict` throws one where it is of another class (also one derived from these), has not
 * the fields that TensorFlow.js 4 gives it, or has buffers of a variable that is not in `source`; and
 * for a state that does not fit, before anything is changed.
 */
export function tensorflowOptimizer(
  optimizer: TensorFlowOptimizer,
  source: TensorFlowModel | TensorFlowVariables,
): Optimizer {
  checkOptimizer(optimizer)
  checkSource(source)
  const read = (parameters: readonly Parameter[]) =>
    readFields(optimizer, parameters, () => versionOf(source))
  return {
    stateDict() {
      const parameters = parametersOf(source)
      return stateOf(optimizer, read(parameters), parameters)
    },
    loadStateDict(state) {
      const parameters = parametersOf(source)
      return load(optimizer, read(parameters), parameters, state)
    },
  }
}

/** Throws a TypeError, when it is passed, for what cannot be an optimizer; of which class it is comes later. */
function checkOptimizer(optimizer: unknown): void {
  const expected = `expected a TensorFlow.js optimizer, found ${describe(optimizer)}`
  if (optimizer == null) {
    throw new TypeError(
      `${expected}: model.optimizer is there once model.compile() has been called`,
    )
  }
  const { then, weights } = optimizer as { then?: unknown; weights?: unknown }
  if (Array.isArray(weights)) {
    throw new TypeError(
      `${expected}, which is a model: the optimizer comes first, tensorflowOptimizer(optimizer, model)`,
    )
  }
  if (typeof optimizer !== 'object' || typeof then === 'function') throw new TypeError(expected)
}

function stateOf(
  optimizer: TensorFlowOptimizer,
  { kind, iterations, config, scalars, lists, order }: OptimizerFields,
  parameters: readonly Parameter[],
): State {
  const fields = fieldsOf(optimizer)
  const tensors: (readonly [string, TensorLike])[] = []
  for (const name of scalars) {
    // Whatever the field holds by then: setLearningRate() replaces the tensor in it.
    const data = () => elementsOf(fields[name] as TensorFlowTensor)
    tensors.push([name, { dtype: 'float32', shape: [], data }])
  }
  for (const { word, entries } of lists) {
    for (const { key, variable } of trained(parameters, order)) {
      const { shape } = variable
      const buffer = entries.get(key)?.variable
      const data = () => (buffer ? elementsOf(buffer) : startingBuffer(shape, config))
      tensors.push([`${word}/${key}`, { dtype: 'float32', shape, data }])
    }
  }
  return { kind, attributes: { iterations, ...config, order }, tensors }
}

/** Parameters that have buffers, or may get them: a gradient is always float32. */
function trained(parameters: readonly Parameter[], order: readonly string[]): readonly Parameter[] {
  return parameters.filter(
    ({ key, trainable, dtype }) => order.includes(key) || (trainable && dtype === 'float32'),
  )
}

/** What TensorFlow.js fills a new buffer with: zeros, except that Adagrad has a number for it. */
function startingBuffer(shape: readonly number[], config: Attributes): TensorData {
  const elements = new Float32Array(elementCount(shape)!)
  const { initialAccumulatorValue } = config
  return typeof initialAccumulatorValue === 'number'
    ? elements.fill(initialAccumulatorValue)
    : elements
}

async function load(
  optimizer: TensorFlowOptimizer,
  current: OptimizerFields,
  parameters: readonly Parameter[],
  state: LoadedState,
): Promise<void> {
  const { iterations, config, order } = checkedAttributes(state, current)
  const { scalars, lists } = current
  for (const name of scalars) {
    if (state.has(name)) checkFits(state, name, { dtype: 'float32', shape: [] })
  }
  const saved = new Map<string, TensorFlowVariable>()
  for (const { key, variable } of trained(parameters, current.order)) {
    const names = lists.map(({ word }) => `${word}/${key}`)
    if (!names.every((name) => state.has(name))) continue
    for (const name of names) checkFits(state, name, { dtype: 'float32', shape: variable.shape })
    saved.set(key, variable)
  }
  const started = order.filter((key) => saved.has(key))
  // A parameter that the checkpoint does not know (restored with strict: false) keeps its buffers.
  const kept = current.order.filter((key) => !saved.has(key))

  const fields = fieldsOf(optimizer)
  const upload = await openUpload(parameters.map(({ variable }) => variable))
  const made: TensorFlowVariable[] = []
  try {
    const filled: Entry[][] = []
    for (const { word, entries } of lists) {
      const list: Entry[] = []
      for (const key of started) {
        const tensor = await upload(state.get(`${word}/${key}`))
        let variable = entries.get(key)?.variable
        if (variable) variable.assign(tensor)
        else {
          variable = tensor.variable(false)
          made.push(variable)
        }
        tensor.dispose()
        list.push({ originalName: `${saved.get(key)!.name}/${word}`, variable })
      }
      filled.push([...list, ...kept.map((key) => entries.get(key)!)])
    }
    for (const name of scalars) {
      if (state.has(name)) setScalar(fields, name, await upload(state.get(name)))
    }
    lists.forEach(({ field, entries }, i) => {
      const list = filled[i]!
      const staying = new Set(list.map(({ variable }) => variable))
      for (const { variable } of entries.values()) if (!staying.has(variable)) variable.dispose()
      fields[field] = list
    })
  } catch (error) {
    for (const variable of made) variable.dispose()
    throw error
  }
  Object.assign(fields, config, { iterations_: iterations })
  if (lists.length > 0 && started.length + kept.length > 0) sortAtFirstStep(optimizer, lists)
}

function setScalar(
  fields: { [name: string]: unknown },
  name: string,
  tensor: TensorFlowTensor,
): void {
  const before = fields[name] as TensorFlowTensor
  if ('assign' in before) {
    ;(before as TensorFlowVariable).assign(tensor)
    tensor.dispose()
  } else {
    // As tf.keep() does it: a scope that the caller has open must not take the tensor away.
    fields[name] = Object.assign(tensor, { kept: true })
    before.dispose()
  }
}

/** The attributes of a saved state, or a TypeError where `current` cannot take them. */
function checkedAttributes(
  state: LoadedState,
  current: OptimizerFields,
): {
  readonly iterations: number
  readonly config: Attributes
  readonly order: readonly string[]
} {
  if (state.kind !== current.kind) {
    throw new TypeError(
      `the checkpoint has the state of a ${String(state.kind)} optimizer, and this is ${current.kind}`,
    )
  }
  const { iterations, order, ...config } = state.attributes
  const unfit = (name: string, expected: string) =>
    new TypeError(
      `the attribute ${name} of the ${current.kind} in the checkpoint is ` +
        `${String(state.attributes[name])}, and not ${expected}`,
    )
  if (!isCount(iterations)) throw unfit('iterations', 'a count')
  if (!Array.isArray(order) || !order.every((key) => typeof key === 'string')) {
    throw unfit('order', 'a list of names')
  }
  for (const name of new Set([...Object.keys(current.config), ...Object.keys(config)])) {
    const type = typeof current.config[name]
    if (typeof config[name] !== type) throw unfit(name, `a ${type}`)
  }
  // Not a hyper-parameter alone: a list of buffers comes with it.
  if (config.centered !== current.config.centered) {
    throw unfit('centered', `${String(current.config.centered)}, as here`)
  }
  return { iterations, config, order }
}
