/**
 * TensorFlow.js: makes its models and optimizers fit for saveCheckpoint and restoreCheckpoint. It is
 * known by its shape alone and not imported, so any of its builds and backends will do; written for
 * version 4.22. The optimizer's half is in tensorflow-optimizer.
 */

import type { Module } from '../../state.js'
import {
  checkFits,
  checkSource,
  elementsOf,
  isModel,
  openUpload,
  parametersOf,
  type TensorFlowModel,
  type TensorFlowVariables,
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
 * among such layers of its class in this model (`dense_1/kernel`). So a model has the same names in
 * every process, whatever was made before it. Name the layers where you mean to add some later.
 *
 * A save reads one tensor at a time from the backend and leaves no tensor behind. A restore writes
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
      const tensors = parametersOf(source).map(
        ({ key, variable, dtype }) =>
          [key, { dtype, shape: variable.shape, data: () => elementsOf(variable) }] as const,
      )
      return isModel(source) ? { kind: source.getClassName(), tensors } : { tensors }
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
