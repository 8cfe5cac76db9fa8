/**
 * TensorFlow.js: makes its models and optimizers fit for saveCheckpoint and restoreCheckpoint. It is
 * known by its shape alone and not imported, so any of its builds and backends will do; written for
 * version 4.22.
 */

import type { LoadedState, Module, StateFit, TensorLike } from '../../state.js'
import { sameElements } from '../tree/fit.js'
import { namesInFile, numberingOf } from './names.js'
import {
  checkFits,
  checkSource,
  fetchOf,
  isModel,
  openUpload,
  type Parameter,
  parametersOf,
  type TensorFlowModel,
  type TensorFlowVariable,
  type TensorFlowVariables,
  UNCERTAIN_NAMES,
} from './parameters.js'

export {
  type FitCallback,
  type FitCallbackOptions,
  type FitLogs,
  type FitManager,
  tensorflowCallback,
} from './callback.js'
export type { TensorFlowOptimizer } from './fields.js'
export { tensorflowOptimizer } from './optimizer.js'
export type {
  TensorFlowModel,
  TensorFlowTensor,
  TensorFlowVariable,
  TensorFlowVariables,
  TensorFlowWeight,
} from './parameters.js'

/**
 * A TensorFlow.js model as a Module: all its weights, trainable or not.
 *
 * `source` is a layers model (`tf.sequential`, `tf.model`, `tf.loadLayersModel`), or, for a model that
 * is written without layers, its variables: `{ w1, b1 }`. It is asked anew at each save and restore.
 *
 * A weight is known by its layer's name and its own (`head/kernel`). A layer without a name of its
 * own, which TensorFlow.js numbers over the whole process (`dense_Dense7`), is known by its place
 * among such layers of its class, in the order of `model.layers` (`dense_1/kernel`). So a model has the
 * same names in every process, whatever was made before it, also if a part of it was loaded. Name the
 * layers if you mean to add some later.
 *
 * A save reads one tensor at a time from the backend and leaves no tensor behind. It is of one moment: a
 * variable that is assigned before its turn has come is CKPT_TENSOR_CHANGED. A restore writes
 * the saved bits into the variables that are there, past any constraint of a layer, with one tensor
 * at a time of extra memory.
 *
 * What is no weight is not saved: the running state of a stateful RNN, and dropout's random numbers.
 *
 * Throws a TypeError for what is neither. `stateDict` throws one where two weights have one name, for
 * weights of strings or complex numbers, and for a model that is not built yet; `loadStateDict` where a
 * shape or dtype differs, before it changes anything.
 */
export function tensorflowModule(source: TensorFlowModel | TensorFlowVariables): Module {
  checkSource(source)
  return {
    stateDict() {
      const parameters = parametersOf(source)
      // A variable under two names is one tensor under both.
      const known = new Map<TensorFlowVariable, TensorLike>()
      const tensors = parameters.map(({ key, variable, dtype }) => {
        const data = fetchOf(key, () => variable)
        const tensor = known.get(variable) ?? { dtype, shape: variable.shape, data }
        known.set(variable, tensor)
        return [key, tensor] as const
      })
      if (!isModel(source)) return { tensors }
      return { kind: source.getClassName(), attributes: numberingOf(parameters), tensors }
    },
    async compareStateDict(saved) {
      const parameters = parametersOf(source)
      const { renamed, isUncertain } = namesInFile(parameters, [...saved.keys()], saved.attributes)
      return {
        renamed,
        mismatched: await untied(parameters, saved),
        differences: isUncertain ? [UNCERTAIN_NAMES] : [],
      }
    },
    async loadStateDict(state) {
      const saved = parametersOf(source).filter(({ key }) => state.has(key))
      for (const { key, dtype, variable } of saved) {
        checkFits(state, key, { dtype, shape: variable.shape })
      }
      if (saved.length === 0) return
      const upload = await openUpload(saved.map(({ variable }) => variable))
      for (const { key, variable } of saved) {
        const tensor = await upload(state.get(key))
        variable.assign(tensor)
        tensor.dispose()
      }
    },
  }
}

/** Names of one variable under which two tensors were saved. */
async function untied(
  parameters: readonly Parameter[],
  saved: LoadedState,
): Promise<NonNullable<StateFit['mismatched']>> {
  const mismatched: { name: string; expected: string; actual: string }[] = []
  const known = new Map<TensorFlowVariable, string>()
  for (const { key, variable } of parameters) {
    const twin = known.get(variable)
    if (twin === undefined) known.set(variable, key)
    else if (saved.has(key) && saved.has(twin)) {
      if (await sameElements(saved.get(key), saved.get(twin))) continue
      mismatched.push({ name: key, expected: `the same tensor as ${twin}`, actual: 'another one' })
    }
  }
  return mismatched
}
