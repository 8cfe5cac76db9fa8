/**
 * The parameters of a TensorFlow.js model, with names that hold from one process to the next; and
 * the way of a saved tensor back into one of its variables. TensorFlow.js is not imported: what is
 * needed of it is described here, and new tensors come from a class that any of its tensors leads to.
 */

import { describe } from '../../format/attributes.js'
import { arrayType, elementCount } from '../../format/dtype.js'
import type { LoadedState, LoadedTensor, TensorData, TypedArray } from '../../state.js'

/** What is used of a `tf.Tensor`. */
export interface TensorFlowTensor {
  readonly shape: readonly number[]
  readonly dtype: string
  data(): Promise<unknown>
  buffer(): Promise<unknown>
  variable(trainable?: boolean): TensorFlowVariable
  dispose(): void
}

/** What is used of a `tf.Variable`. */
export interface TensorFlowVariable extends TensorFlowTensor {
  readonly name: string
  readonly trainable: boolean
  assign(value: TensorFlowTensor): void
}

/** What is used of a weight of a layers model (`LayerVariable`). */
export interface TensorFlowWeight {
  readonly originalName: string
  /** Its `tf.Variable`, which is typed as a tensor only. */
  read(): TensorFlowTensor
}

/** What is used of a `tf.LayersModel`, and so of a `tf.Sequential`. */
export interface TensorFlowModel {
  readonly weights: readonly TensorFlowWeight[]
  readonly trainableWeights: readonly TensorFlowWeight[]
  getClassName(): string
}

/** Variables of a model that is written without layers, under the names that a file shall have. */
export interface TensorFlowVariables {
  readonly [name: string]: TensorFlowVariable
}

/** What TensorFlow.js calls its dtypes, and this library as well. */
export type TensorFlowDType = 'float32' | 'int32' | 'bool'

export interface Parameter {
  /** The name in a file. */
  readonly key: string
  readonly variable: TensorFlowVariable
  readonly dtype: TensorFlowDType
  readonly trainable: boolean
}

export function isModel(source: TensorFlowModel | TensorFlowVariables): source is TensorFlowModel {
  return Array.isArray(source.weights)
}

/**
 * Throws a TypeError for what is neither a model nor an object of variables, when it is passed: a model
 * that is still loading, an optimizer, nothing. Whether it has weights is asked when they are needed.
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
 * The parameters of `source`, the trainable ones first. Throws a TypeError where two have one name,
 * where there are none (a model that is not built yet), and for weights of strings or complex numbers.
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
  // A layer that is used twice (also in a nested model) brings its weights twice.
  const weights = [...new Set(model.weights)]
  const trainable = new Set(model.trainableWeights)
  const keys = stableNames(weights.map((weight) => weight.originalName))
  const seen = new Map<string, string>()
  return weights.map((weight, i) => {
    const key = keys[i]!
    const twin = seen.get(key)
    if (twin !== undefined) {
      throw new TypeError(
        `two weights of this model are called ${JSON.stringify(key)} (${twin} and ` +
          `${weight.originalName}): give their layers different names`,
      )
    }
    seen.set(key, weight.originalName)
    return parameter(key, weight.read(), trainable.has(weight))
  })
}

function parametersOfVariables(variables: TensorFlowVariables): readonly Parameter[] {
  return Object.entries(variables).map(([key, variable]) =>
    parameter(key, variable, variable?.trainable),
  )
}

function parameter(key: string, tensor: TensorFlowTensor, trainable: boolean): Parameter {
  if (!isVariable(tensor)) {
    throw new TypeError(
      `${JSON.stringify(key)} must be a tf.Variable (with name, data and assign), ` +
        `not ${describe(tensor)}`,
    )
  }
  const { dtype } = tensor
  if (dtype !== 'float32' && dtype !== 'int32' && dtype !== 'bool') {
    throw new TypeError(
      `${JSON.stringify(key)} is of the dtype ${dtype}; float32, int32 and bool can be saved`,
    )
  }
  return { key, variable: tensor, dtype, trainable }
}

function isVariable(tensor: TensorFlowTensor | undefined): tensor is TensorFlowVariable {
  const { name, assign, data } = (tensor ?? {}) as Partial<TensorFlowVariable>
  return typeof name === 'string' && typeof assign === 'function' && typeof data === 'function'
}

/**
 * Names of weights without the numbers that TensorFlow.js counts up over a whole process. It calls a
 * layer that was given no name by its class and such a number (`dense_Dense7`), so a model has other
 * names where another one was made before it. Here that layer is known by its place among the
 * numbered layers of its class in this model: `dense_1`. Names that a user gave stay as they are.
 */
export function stableNames(names: readonly string[]): readonly string[] {
  const numbers = new Map<string, Set<number>>()
  const paths = names.map((name) => name.split('/').map((part) => ({ part, auto: autoName(part) })))
  for (const { auto } of paths.flat()) {
    if (auto === undefined) continue
    const taken = numbers.get(auto.className)
    if (taken === undefined) numbers.set(auto.className, new Set([auto.number]))
    else taken.add(auto.number)
  }
  const ranked = new Map([...numbers].map(([name, set]) => [name, [...set].sort((a, b) => a - b)]))
  return paths.map((path) =>
    path
      .map(({ part, auto }) =>
        auto === undefined
          ? part
          : `${auto.stem}_${ranked.get(auto.className)!.indexOf(auto.number) + 1}`,
      )
      .join('/'),
  )
}

/**
 * Takes `forward_lstm_LSTM12` apart: stem `forward_lstm`, class `LSTM`, number 12. Undefined where
 * the class is not also at the end of the stem, in its snake case: a user gave that name.
 */
function autoName(
  part: string,
): { readonly stem: string; readonly className: string; readonly number: number } | undefined {
  const underscore = part.lastIndexOf('_')
  if (underscore < 1) return undefined
  const stem = part.slice(0, underscore)
  const tail = part.slice(underscore + 1)
  // A class may end with a digit itself: the stem tells where its name ends and the number begins.
  for (let end = tail.length - 1; end > 0 && isDigit(tail[end]!); end--) {
    const className = tail.slice(0, end)
    if (stem.replaceAll('_', '').endsWith(className.toLowerCase())) {
      return { stem, className, number: Number(tail.slice(end)) }
    }
  }
  return undefined
}

function isDigit(character: string): boolean {
  return character >= '0' && character <= '9'
}

/** The elements of a tensor, as a save takes them; what TensorFlow.js returns is not changed. */
export async function elementsOf(tensor: TensorFlowTensor): Promise<TensorData> {
  const elements = await tensor.data()
  if (!ArrayBuffer.isView(elements)) {
    throw new TypeError(`tensor.data() must bring a typed array; it brought ${describe(elements)}`)
  }
  return elements
}

/**
 * Throws a TypeError unless the tensor `key` of `state` has that shape and dtype, in case `state` was
 * not compared before, as restoreCheckpoint does it.
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

export function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((length, i) => length === b[i])
}

/** Makes a new tensor of a saved one; the caller disposes of it. */
export type Upload = (tensor: LoadedTensor) => Promise<TensorFlowTensor>

type TensorBuffer = new (
  shape: readonly number[],
  dtype: string,
  values: TypedArray,
) => { toTensor(): TensorFlowTensor }

/**
 * Opens the way to TensorFlow.js's memory. `tf.TensorBuffer` makes tensors, and any tensor leads to
 * that class, if at the price of reading it back: so the smallest of `tensors` is asked.
 */
export async function openUpload(tensors: readonly TensorFlowTensor[]): Promise<Upload> {
  const size = (tensor: TensorFlowTensor) => elementCount(tensor.shape) ?? Infinity
  const smallest = tensors.reduce((a, b) => (size(b) < size(a) ? b : a))
  const buffer = (await smallest.buffer()) as object
  if (typeof (buffer as { toTensor?: unknown } | undefined)?.toTensor !== 'function') {
    throw new TypeError('expected tensor.buffer() to bring a tf.TensorBuffer, with toTensor()')
  }
  const Buffer = buffer.constructor as TensorBuffer
  return async (tensor) => {
    // A copy that nobody else has: the cpu backend keeps the array itself.
    const elements = new (arrayType(tensor.dtype))(elementCount(tensor.shape)!)
    await tensor.readInto(elements)
    return new Buffer([...tensor.shape], tensor.dtype, elements).toTensor()
  }
}
