/**
 * A TensorFlow.js optimizer as an Optimizer: everything that its next step depends on.
 *
 * Its own getWeights and setWeights do not suffice. They lose the running products of Adam's decay rates (setWeights
 * computes them anew, with other rounding), they do not exist for Adamax, and they identify buffers by position. So
 * this module reads and writes the optimizer's fields directly.
 */

import { type Attributes, describe } from '../../format/attributes.js'
import { elementCount } from '../../format/dtype.js'
import type { LoadedState, Optimizer, State, TensorData, TensorLike } from '../../state.js'
import {
  type BufferList,
  type Entry,
  fieldsOf,
  type OptimizerFields,
  readFields,
  type TensorFlowOptimizer,
  versionOf,
} from './fields.js'
import { checkedAttributes, fitOf, otherKind } from './fit.js'
import { numberingOf } from './names.js'
import {
  checkFits,
  checkSource,
  fetchOf,
  frozenOf,
  openUpload,
  type Parameter,
  parametersOf,
  type TensorFlowModel,
  type TensorFlowTensor,
  type TensorFlowVariable,
  type TensorFlowVariables,
  trained,
} from './parameters.js'

/**
 * A TensorFlow.js optimizer as an Optimizer, for exact resume: SGD, Momentum, Adagrad, Adadelta, RMSProp, Adam and
 * Adamax. `source` is what it trains, as for `tensorflowModule`: the model, or variables by name.
 *
 * Tensors are the buffers, named by TensorFlow.js's word for the buffer and the parameter (`m/dense_1/kernel`), and the
 * optimizer's own scalars (`accBeta1`). Attributes are `iterations`, the hyper-parameters of `getConfig()`, and
 * `order`: the parameters that have had a gradient so far, in the order of their buffers. The buffers of all other
 * parameters are saved with their initial values. So the names are the same before the first step and after it, and a
 * new optimizer can be restored. The attribute `frozen` lists parameters that are not trained. (SGD, which has no
 * buffers that tell, always has it.)
 *
 * A restore also sets the hyper-parameters: set another learning rate after it. TensorFlow.js pairs buffers with
 * gradients by position. A restore leaves the buffers in the saved order, and the first step after it sorts them by
 * name if the gradients come in another order. A restore does not set which parameters are trained. If others are
 * frozen than in the checkpoint, that is an error, or with `strict: false` a warning. With `strict: false` an optimizer
 * of another class stays as it is, and so does a hyper-parameter that only one side has.
 *
 * Throws a TypeError if `optimizer` is not an optimizer. `stateDict` throws one if the class is another one (or
 * derived), if it lacks fields of TensorFlow.js 4, or if it has buffers of a variable that is not in `source`.
 * `loadStateDict` throws one for a state that does not fit, before it changes anything.
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
    compareStateDict(saved) {
      const parameters = parametersOf(source)
      return fitOf(read(parameters), parameters, saved)
    },
    async loadStateDict(state, { strict } = { strict: true }) {
      const parameters = parametersOf(source)
      const current = read(parameters)
      if (state.kind === current.kind) await load(optimizer, current, parameters, state, strict)
      else if (strict) throw otherKind(state, current)
    },
  }
}

/** Throws a TypeError at once for what cannot be an optimizer. Its class is validated later. */
function checkOptimizer(optimizer: unknown): void {
  const expected = `expected a TensorFlow.js optimizer, found ${describe(optimizer)}`
  if (optimizer == null) {
    throw new TypeError(`${expected}: model.optimizer exists after model.compile()`)
  }
  const { then, weights } = optimizer as { then?: unknown; weights?: unknown }
  if (Array.isArray(weights)) {
    throw new TypeError(
      `${expected}, which is a model: pass the optimizer first, tensorflowOptimizer(optimizer, model)`,
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
    // The current tensor, because setLearningRate() replaces it in the field.
    const data = fetchOf(name, () => fields[name] as TensorFlowTensor)
    tensors.push([name, { dtype: 'float32', shape: [], data }])
  }
  const listed = trained(parameters, order)
  for (const { word, entries } of lists) {
    for (const { key, variable } of listed) {
      const { shape } = variable
      const buffer = entries.get(key)?.variable
      const name = `${word}/${key}`
      const data = buffer ? fetchOf(name, () => buffer) : () => startingBuffer(shape, config)
      tensors.push([name, { dtype: 'float32', shape, data }])
    }
  }
  const frozen = frozenOf(parameters)
  const attributes = {
    ...{ iterations, ...config, order },
    ...(frozen.length > 0 || lists.length === 0 ? { frozen } : {}),
    ...numberingOf(listed),
  }
  return { kind, attributes, tensors }
}

/** The initial value of a buffer in TensorFlow.js: zeros, except for Adagrad. */
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
  strict: boolean,
): Promise<void> {
  const { iterations, config, order } = checkedAttributes(state, current, strict)
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
  // A parameter that the checkpoint lacks (restored with strict: false) keeps its buffers.
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
    // As tf.keep() does it: an open scope of the caller must not dispose of the tensor.
    fields[name] = Object.assign(tensor, { kept: true })
    before.dispose()
  }
}

type Gradients = readonly { readonly name: string }[] | { readonly [name: string]: unknown }

/**
 * Sorts the buffers of a restored optimizer by its gradients. TensorFlow.js pairs the two by position. The order is the
 * trainer's: that of a model's layers, of a list of variables, or of their creation. It becomes known with the first
 * gradients. So this function replaces `optimizer.applyGradients` for one call: it sorts the lists by the names of the
 * gradients, removes itself, and passes the call on.
 */
function sortAtFirstStep(
  optimizer: TensorFlowOptimizer,
  lists: readonly Pick<BufferList, 'word' | 'field'>[],
): void {
  const fields = fieldsOf(optimizer)
  const applyGradients = fields.applyGradients as (gradients: Gradients) => void
  const wasOwn = Object.hasOwn(fields, 'applyGradients')
  let sorted = false
  const sortAndApply = (gradients: Gradients) => {
    // Other code may have wrapped this function by now; then it stays, and only passes calls on.
    if (fields.applyGradients === sortAndApply) {
      if (wasOwn) fields.applyGradients = applyGradients
      else delete fields.applyGradients
    }
    if (!sorted) {
      sorted = true
      const names = isList(gradients) ? gradients.map(({ name }) => name) : Object.keys(gradients)
      for (const { word, field } of lists) {
        fields[field] = inOrder(fields[field] as readonly Entry[], word, names)
      }
    }
    applyGradients.call(optimizer, gradients)
  }
  fields.applyGradients = sortAndApply
}

/**
 * Each entry at the position of its variable in `names`, with a gap if a variable has none (TensorFlow.js fills it in
 * the same step). Entries of variables that are not in `names` follow.
 */
function inOrder(
  entries: readonly Entry[],
  word: string,
  names: readonly string[],
): readonly (Entry | undefined)[] {
  const left = new Map(entries.map((entry) => [entry.originalName, entry]))
  const sorted = names.map((name) => {
    const entry = left.get(`${name}/${word}`)
    if (entry) left.delete(entry.originalName)
    return entry
  })
  return [...sorted, ...left.values()]
}

function isList(gradients: Gradients): gradients is readonly { readonly name: string }[] {
  return Array.isArray(gradients)
}
