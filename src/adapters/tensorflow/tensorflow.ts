/**
 * TensorFlow.js: makes its models and optimizers fit for saveCheckpoint and restoreCheckpoint. The adapter knows
 * TensorFlow.js by its shape alone and does not import it, so every build and backend works. It was written for version
 * 4.22.
 */

import type { LoadedState, Module, StateFit, TensorLike } from '../../state.js'
import { sameElements } from '../tree/fit.js'
import { rememberModel } from './callback.js'
import { frozenElse } from './fit.js'
import { namesInFile, numberingOf } from './names.js'
import {
  checkFits,
  checkSource,
  fetchOf,
  frozenOf,
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
export { type TensorFlowOptimizerOptions, tensorflowOptimizer } from './optimizer.js'
export type { HiddenState } from './own-fields.js'
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
 * `source` is a layers model (`tf.sequential`, `tf.model`, `tf.loadLayersModel`). For a model without layers it is an
 * object of its variables: `{ w1, b1 }`. Each save and restore reads it anew.
 *
 * A weight is named by its layer and its own name (`head/kernel`). TensorFlow.js numbers unnamed layers over the whole
 * process (`dense_Dense7`). Here such a layer is named by its position among the unnamed layers of its class, in the
 * order of `model.layers` (`dense_1/kernel`). So a model has the same names in every process, whatever was made before
 * it, and even if a part of it was loaded. Name the layers if you mean to add some later.
 *
 * A save fetches one tensor at a time from the backend and leaves no tensor behind. It is of one moment: if a variable
 * is assigned before its turn, the save fails with CKPT_TENSOR_CHANGED. A restore writes the saved bits into the
 * current variables, past any constraint of a layer, with extra memory for one tensor at a time.
 *
 * The attribute `frozen` lists the frozen weights. A restore leaves `trainable` as it is, and warns if other weights
 * are frozen than at the save.
 *
 * A save does not include what is not a weight: the running state of a stateful RNN, and dropout's random numbers.
 *
 * Throws a TypeError if `source` is neither. `stateDict` throws one if two weights have the same name, for weights of
 * strings or complex numbers, and for a model that is not built yet. `loadStateDict` throws one if a shape or dtype
 * differs, before it changes anything.
 */
export function tensorflowModule(source: TensorFlowModel | TensorFlowVariables): Module {
  checkSource(source)
  const module: Module = {
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
      const attributes = { frozen: frozenOf(parameters), ...numberingOf(parameters) }
      if (!isModel(source)) return { attributes, tensors }
      return { kind: source.getClassName(), attributes, tensors }
    },
    async compareStateDict(saved) {
      const parameters = parametersOf(source)
      const { renamed, isUncertain } = namesInFile(parameters, [...saved.keys()], saved.attributes)
      return {
        renamed,
        mismatched: await untied(parameters, saved),
        differences: isUncertain ? [UNCERTAIN_NAMES] : [],
        warnings: frozenElse(saved.attributes, parameters),
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
  if (isModel(source)) rememberModel(module, source)
  return module
}

/** The names of variables that are one here, but were saved as different tensors. */
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
