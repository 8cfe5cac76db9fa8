/**
 * The parameters of a TensorFlow.js model, how a save fetches their elements, and how a saved tensor gets back into a
 * variable. TensorFlow.js is not imported: the interfaces here describe what is needed, and new tensors come from a
 * class that any tensor leads to.
 */

import { CheckpointError } from '../../errors.js'
import { describe } from '../../format/attributes.js'
import { arrayType, elementCount } from '../../format/dtype.js'
import { quote } from '../../printable.js'
import type { LoadedState, LoadedTensor, TensorData, TypedArray } from '../../state.js'
import { type Names, nameWeights } from './names.js'

/** The members of a `tf.Tensor` that are used. */
export interface TensorFlowTensor {
  readonly shape: readonly number[]
  readonly dtype: string
  /** Identifies its memory; another id after each assignment. */
  readonly dataId?: object
  readonly isDisposed?: boolean
  data(): Promise<unknown>
  buffer(): Promise<unknown>
  variable(trainable?: boolean): TensorFlowVariable
  dispose(): void
}

/** The members of a `tf.Variable` that are used. */
export interface TensorFlowVariable extends TensorFlowTensor {
  readonly name: string
  readonly trainable: boolean
  assign(value: TensorFlowTensor): void
}

/** The members of a weight of a layers model (`LayerVariable`) that are used. */
export interface TensorFlowWeight {
  readonly originalName: string
  /** Its `tf.Variable`, which is typed as a tensor only. */
  read(): TensorFlowTensor
}

/** The members of a `tf.LayersModel`, and so of a `tf.Sequential`, that are used. */
export interface TensorFlowModel {
  readonly weights: readonly TensorFlowWeight[]
  /** Their order names unnamed layers; without `layers`, the order of the weights does. */
  readonly layers?: readonly object[]
  readonly trainableWeights: readonly TensorFlowWeight[]
  getClassName(): string
}

/** The variables of a model without layers, under the names for the file. */
export interface TensorFlowVariables {
  readonly [name: string]: TensorFlowVariable
}

/** The dtypes of TensorFlow.js; this library has the same names for them. */
export type TensorFlowDType = 'float32' | 'int32' | 'bool'

/** A weight of a model, or a variable, with its name in a file. */
export interface Parameter extends Names {
  readonly variable: TensorFlowVariable
  readonly dtype: TensorFlowDType
  readonly trainable: boolean
  /** Not trained because the caller froze it, or its layer. (A moving average is never trained.) */
  readonly frozen: boolean
}

/** Whether `source` is a layers model, and not an object of variables. */
export function isModel(source: TensorFlowModel | TensorFlowVariables): source is TensorFlowModel {
  return Array.isArray(source.weights)
}

/**
 * Throws a TypeError at once if `source` is neither a model nor an object of variables: a model that is still loading,
 * an optimizer, nothing. Whether it has weights is validated when they are needed.
 */
export function checkSource(
  source: unknown,
): asserts source is TensorFlowModel | TensorFlowVariables {
  const found = describe(source)
  const expected = 'expected a TensorFlow.js layers model or an object of variables'
  if (typeof source !== 'object' || source === null || Array.isArray(source)) {
    throw new TypeError(`${expected}, found ${found}`)
  }
  const { then, applyGradients } = source as { then?: unknown; applyGradients?: unknown }
  if (typeof then === 'function') throw new TypeError(`${expected}, found ${found}`)
  if (typeof applyGradients === 'function') {
    throw new TypeError(
      `${expected}, found an optimizer: tensorflowModule(model), tensorflowOptimizer(optimizer, model)`,
    )
  }
}

/**
 * The parameters of `source`, the trainable ones first. Throws a TypeError if two have the same name, if there are none
 * (a model that is not built yet), and for weights of strings or complex numbers.
 */
export function parametersOf(source: TensorFlowModel | TensorFlowVariables): readonly Parameter[] {
  const parameters = isModel(source) ? parametersOfModel(source) : parametersOfVariables(source)
  if (parameters.length === 0) {
    throw new TypeError(
      'this model has no weights: build it first, by an inputShape or by calling it once',
    )
  }
  return parameters
}

function parametersOfModel(model: TensorFlowModel): readonly Parameter[] {
  // A layer that is used twice (even in a nested model) lists its weights twice.
  const weights = [...new Set(model.weights)]
  const trainable = new Set(model.trainableWeights)
  const names = nameWeights(model, weights)
  const seen = new Map<string, string>()
  return weights.map((weight, i) => {
    const { key, inFrozenLayer } = names[i]!
    const twin = seen.get(key)
    if (twin !== undefined) {
      throw new TypeError(
        `two weights of this model have the name ${JSON.stringify(key)} (${twin} and ` +
          `${weight.originalName}): give their layers different names`,
      )
    }
    seen.set(key, weight.originalName)
    const isTrained = trainable.has(weight)
    return parameter(names[i]!, weight.read(), isTrained, !isTrained && inFrozenLayer)
  })
}

function parametersOfVariables(variables: TensorFlowVariables): readonly Parameter[] {
  return Object.entries(variables).map(([key, variable]) => {
    const isTrained = variable?.trainable
    return parameter({ key, keyByNumber: key, numbered: [] }, variable, isTrained, !isTrained)
  })
}

function parameter(
  { key, keyByNumber, numbered }: Names,
  tensor: TensorFlowTensor,
  trainable: boolean,
  frozen: boolean,
): Parameter {
  if (!isVariable(tensor)) {
    throw new TypeError(
      `${JSON.stringify(key)} must be a tf.Variable (with name, data and assign), ` +
        `not ${describe(tensor)}`,
    )
  }
  const { dtype } = tensor
  if (dtype !== 'float32' && dtype !== 'int32' && dtype !== 'bool') {
    throw new TypeError(
      `${JSON.stringify(key)} has the dtype ${dtype}: expected float32, int32 or bool`,
    )
  }
  return { key, keyByNumber, numbered, variable: tensor, dtype, trainable, frozen }
}

/** Whether a value is a `tf.Tensor`, by its shape. */
export function isTensor(value: unknown): value is TensorFlowTensor {
  const { shape, dtype, data } = (value ?? {}) as Partial<TensorFlowTensor>
  return Array.isArray(shape) && typeof dtype === 'string' && typeof data === 'function'
}

/** Whether a tensor is a `tf.Variable`. */
export function isVariable(tensor: TensorFlowTensor | undefined): tensor is TensorFlowVariable {
  const { name, assign, data } = (tensor ?? {}) as Partial<TensorFlowVariable>
  return typeof name === 'string' && typeof assign === 'function' && typeof data === 'function'
}

/** Parameters that have buffers, or may get them: a gradient is always float32. */
export function trained(
  parameters: readonly Parameter[],
  order: readonly string[],
): readonly Parameter[] {
  return parameters.filter(
    ({ key, trainable, dtype }) => order.includes(key) || (trainable && dtype === 'float32'),
  )
}

/** Parameters that could have gradients, but are frozen. */
export function frozenOf(parameters: readonly Parameter[]): readonly string[] {
  return parameters
    .filter(({ frozen, dtype }) => frozen && dtype === 'float32')
    .map(({ key }) => key)
}

/** The message of a state that cannot tell which unnamed layers of a file are which. */
export const UNCERTAIN_NAMES =
  'this file of version 0.1.0 names unnamed layers by numbers of its process, and they stand in another order ' +
  'here, so that layers might be swapped: build and freeze the model as it was when it was saved, or take them ' +
  'by their numbers, as 0.1.0 did, with strict: false'

/**
 * How a save fetches the tensor that `current` returns now. TensorFlow.js never writes into a tensor's memory: an
 * assignment gives a variable other memory, with another id. If an assignment comes before the fetch, it rejects with
 * CKPT_TENSOR_CHANGED, because a save is of one moment.
 */
export function fetchOf(name: string, current: () => TensorFlowTensor): () => Promise<TensorData> {
  const tensor = current()
  const { dataId } = tensor
  return async () => {
    const now = current()
    if (now === tensor && now.dataId === dataId && now.isDisposed !== true) return elementsOf(now)
    throw new CheckpointError(
      'CKPT_TENSOR_CHANGED',
      `nothing was saved: ${quote(name)} was assigned or disposed of while the save was running; ` +
        'await the save (of a background save, `staged`) before the next training step',
      { tensor: name },
    )
  }
}

async function elementsOf(tensor: TensorFlowTensor): Promise<TensorData> {
  const elements = await tensor.data()
  if (!ArrayBuffer.isView(elements)) {
    throw new TypeError(`expected a typed array from tensor.data(), found ${describe(elements)}`)
  }
  return elements
}

/**
 * Throws a TypeError unless the tensor `key` of `state` has this shape and dtype. For states that were not compared
 * before, as restoreCheckpoint does.
 */
export function checkFits(
  state: LoadedState,
  key: string,
  expected: { readonly dtype: string; readonly shape: readonly number[] },
): void {
  const { dtype, shape } = state.get(key)
  if (dtype === expected.dtype && sameShape(shape, expected.shape)) return
  throw new TypeError(
    `${JSON.stringify(key)} is ${dtype} [${shape}] in the checkpoint, ` +
      `and ${expected.dtype} [${expected.shape}] here`,
  )
}

/** Whether two shapes have the same dimensions in the same order. */
export function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((length, i) => length === b[i])
}

/** Makes a new tensor from a saved one; the caller must dispose of it. */
export type Upload = (tensor: LoadedTensor) => Promise<TensorFlowTensor>

type TensorBuffer = new (
  shape: readonly number[],
  dtype: string,
  values: TypedArray,
) => { toTensor(): TensorFlowTensor }

/**
 * Opens the way to TensorFlow.js's memory. `tf.TensorBuffer` makes tensors. Any tensor leads to that class, but its
 * elements are read back for that, so the smallest of `tensors` is used.
 */
export async function openUpload(tensors: readonly TensorFlowTensor[]): Promise<Upload> {
  const size = (tensor: TensorFlowTensor) => elementCount(tensor.shape) ?? Infinity
  const smallest = tensors.reduce((a, b) => (size(b) < size(a) ? b : a))
  const buffer = (await smallest.buffer()) as object
  if (typeof (buffer as { toTensor?: unknown } | undefined)?.toTensor !== 'function') {
    throw new TypeError('expected a tf.TensorBuffer with toTensor() from tensor.buffer()')
  }
  const Buffer = buffer.constructor as TensorBuffer
  return async (tensor) => {
    // A copy that no other code has: the cpu backend keeps the array itself.
    const elements = new (arrayType(tensor.dtype))(elementCount(tensor.shape)!)
    await tensor.readInto(elements)
    return new Buffer([...tensor.shape], tensor.dtype, elements).toTensor()
  }
}
