/**
 * The fields of TensorFlow.js's own optimizers, which hold their state. A table lists what each class has, and the
 * reader refuses an optimizer that does not match it. Nothing is changed here.
 */

import { type Attribute, type Attributes, describe } from '../../format/attributes.js'
import {
  isModel,
  isTensor,
  type Parameter,
  sameShape,
  type TensorFlowModel,
  type TensorFlowVariable,
  type TensorFlowVariables,
} from './parameters.js'

/** The members of a `tf.Optimizer` that the adapter uses, besides the fields in the table below. */
export interface TensorFlowOptimizer {
  readonly iterations: number
  getClassName(): string
  getConfig(): object
  applyGradients(gradients: never): void
}

/** A buffer of one variable, as an optimizer's lists hold it. */
export interface Entry {
  /** The variable's name and the list's word: `dense_Dense1/kernel/m`. */
  readonly originalName: string
  readonly variable: TensorFlowVariable
}

/** A list of buffers. TensorFlow.js pairs its entries with the gradients by position. */
export interface BufferList {
  /** The last part of its entries' names: `m`. */
  readonly word: string
  /** The field that holds it: `accumulatedFirstMoment`. */
  readonly field: string
  /** By the keys of their parameters, in the optimizer's order. */
  readonly entries: ReadonlyMap<string, Entry>
}

/** An optimizer's state, in place. */
export interface OptimizerFields {
  /** The class: `Adam`. */
  readonly kind: string
  readonly iterations: number
  /** Names of the fields that the table describes; the walk of own fields reads all others. */
  readonly known: ReadonlySet<string>
  /** The hyper-parameters. Fields of the same names hold them. */
  readonly config: Attributes
  /** Fields that hold one float32 scalar: a variable, or a tensor that is replaced when it changes. */
  readonly scalars: readonly string[]
  readonly lists: readonly BufferList[]
  /** Keys of the parameters that have buffers, in the optimizer's order. */
  readonly order: readonly string[]
}

interface Layout {
  readonly scalars: readonly string[]
  /** Fields by the last part of their entries' names. */
  readonly lists: { readonly [word: string]: string }
}

// Optimizers of TensorFlow.js 4 by their class names.
const LAYOUTS: { readonly [kind: string]: Layout } = {
  SGD: { scalars: ['c'], lists: {} },
  Momentum: { scalars: ['c', 'm'], lists: { momentum: 'accumulations' } },
  Adagrad: { scalars: [], lists: { accumulator: 'accumulatedGrads' } },
  Adadelta: {
    scalars: [],
    lists: { accum_grad: 'accumulatedGrads', accum_var: 'accumulatedUpdates' },
  },
  RMSProp: {
    scalars: [],
    lists: { rms: 'accumulatedMeanSquares', momentum: 'accumulatedMoments' },
  },
  Adam: {
    scalars: ['accBeta1', 'accBeta2'],
    lists: { m: 'accumulatedFirstMoment', v: 'accumulatedSecondMoment' },
  },
  Adamax: {
    scalars: ['iteration', 'accBeta1'],
    lists: { m: 'accumulatedFirstMoment', v: 'accumulatedWeightedInfNorm' },
  },
}

// RMSProp has this list as well, and uses it if it is centered.
const MEAN_GRADIENTS = { mg: 'accumulatedMeanGrads' }

// Classes above each class of the table: Momentum is derived from SGD.
const ANCESTORS = { Momentum: ['SGD', 'Optimizer', 'Serializable', 'Object'].length }
const ANCESTORS_OF_OTHERS = ['Optimizer', 'Serializable', 'Object'].length

/**
 * The class of the table that an optimizer is of, exactly. Undefined for one that is derived from it: it answers
 * `getClassName()` as its base does, and has more fields or other rules.
 */
export function builtInKind(optimizer: TensorFlowOptimizer): string | undefined {
  const prototype = Object.getPrototypeOf(optimizer)
  const { className } = (prototype?.constructor ?? {}) as { className?: unknown }
  if (typeof className !== 'string' || !Object.hasOwn(LAYOUTS, className)) return undefined
  if (!Object.hasOwn(prototype.constructor, 'className')) return undefined
  let ancestors = 0
  for (let p = Object.getPrototypeOf(prototype); p !== null; p = Object.getPrototypeOf(p))
    ancestors++
  const expected = className === 'Momentum' ? ANCESTORS.Momentum : ANCESTORS_OF_OTHERS
  return ancestors === expected ? className : undefined
}

/** The class of the table that an optimizer of another class is derived from, if it is. */
export function baseKind(optimizer: TensorFlowOptimizer): string | undefined {
  if (builtInKind(optimizer) !== undefined) return undefined
  const kind = optimizer.getClassName?.()
  return typeof kind === 'string' && Object.hasOwn(LAYOUTS, kind) ? kind : undefined
}

/** An optimizer of a class of the user's: all of its fields are its own, but the counter of its steps. */
export function ownClassFields(optimizer: TensorFlowOptimizer, kind: string): OptimizerFields {
  const { iterations } = optimizer
  const isCounted = isCount(iterations) && fieldsOf(optimizer).iterations_ === iterations
  return {
    kind,
    iterations: isCounted ? iterations : 0,
    known: new Set(isCounted ? ['iterations_'] : []),
    config: {},
    scalars: [],
    lists: [],
    order: [],
  }
}

/**
 * Reads the fields of `optimizer`, which trains `parameters` and is of the class `kind` of the table. Throws a
 * TypeError for fields that do not match the table, with what was expected, what was found, and the `version` of
 * TensorFlow.js. Also throws for buffers of a variable that is not among the parameters.
 */
export function readFields(
  optimizer: TensorFlowOptimizer,
  kind: string,
  parameters: readonly Parameter[],
  version: () => string,
): OptimizerFields {
  const fields = fieldsOf(optimizer)
  const unlike: Unlike = (expected, found) =>
    new TypeError(
      `this ${kind} optimizer differs from that of TensorFlow.js 4: ` +
        `expected ${expected}, found ${found} (this is ${version()})`,
    )
  const { scalars } = LAYOUTS[kind]!
  const words = { ...LAYOUTS[kind]!.lists, ...(fields.centered === true ? MEAN_GRADIENTS : {}) }

  const { iterations } = optimizer
  if (!isCount(iterations) || fields.iterations_ !== iterations) {
    throw unlike('a counter iterations_ behind iterations', shown(fields.iterations_))
  }
  for (const name of scalars) {
    const tensor = fields[name]
    if (!isTensor(tensor) || tensor.dtype !== 'float32' || tensor.shape.length > 0) {
      throw unlike(`a float32 scalar ${name}`, shown(tensor))
    }
  }
  const lists = Object.entries(words).map(([word, field]) => ({
    word,
    field,
    entries: readList(fields[field], word, field, parameters, unlike),
  }))
  const order = commonOrder(lists, unlike)
  const config = readConfig(optimizer, unlike)
  const listed = Object.values({ ...words, ...(kind === 'RMSProp' ? MEAN_GRADIENTS : {}) })
  const known = new Set(['iterations_', ...scalars, ...listed, ...Object.keys(config)])
  return { kind, iterations, known, config, scalars, lists, order }
}

/** The optimizer as a plain object, because most of these fields are private to its class. */
export function fieldsOf(optimizer: TensorFlowOptimizer): { [name: string]: unknown } {
  return optimizer as unknown as { [name: string]: unknown }
}

/** The version of TensorFlow.js, for messages. A model that can describe itself tells it. */
export function versionOf(source: TensorFlowModel | TensorFlowVariables): string {
  const unknown = 'a version unknown here'
  if (!isModel(source)) return unknown
  try {
    const { toJSON } = source as { toJSON?: (unused: null, asText: boolean) => unknown }
    const described = toJSON?.call(source, null, false) as { keras_version?: unknown } | undefined
    return String(described?.keras_version ?? unknown)
  } catch {
    // A layer of the user's own may be unable to describe itself, which saving does not need.
    return unknown
  }
}

/** Whether a value is a non-negative integer that a double holds exactly. */
export function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

type Unlike = (expected: string, found: string) => TypeError

function readConfig(optimizer: TensorFlowOptimizer, unlike: Unlike): Attributes {
  const fields = fieldsOf(optimizer)
  const config: { [name: string]: Attribute } = {}
  for (const [name, value] of Object.entries(optimizer.getConfig())) {
    if (!Object.is(fields[name], value)) {
      throw unlike(
        `a field ${name} that is ${shown(value)}, as in getConfig()`,
        shown(fields[name]),
      )
    }
    config[name] = value
  }
  return config
}

function readList(
  list: unknown,
  word: string,
  field: string,
  parameters: readonly Parameter[],
  unlike: Unlike,
): ReadonlyMap<string, Entry> {
  if (!Array.isArray(list)) throw unlike(`a list ${field}`, shown(list))
  const byVariable = new Map(parameters.map((parameter) => [parameter.variable.name, parameter]))
  const entries = new Map<string, Entry>()
  // By index, so that a gap is found and not skipped.
  for (const entry of Array.from(list as readonly (Partial<Entry> | undefined)[])) {
    const name = entry?.originalName
    if (typeof name !== 'string' || !isTensor(entry?.variable)) {
      throw unlike(`{ originalName, variable } in ${field}`, shown(entry))
    }
    if (!name.endsWith(`/${word}`)) throw unlike(`a name in ${field} to end in /${word}`, name)
    const parameter = byVariable.get(name.slice(0, -word.length - 1))
    if (parameter === undefined) {
      throw new TypeError(
        `the optimizer has the buffer ${JSON.stringify(name)} of a variable that was not given: ` +
          'give tensorflowOptimizer the model, or all the variables, that the optimizer trains',
      )
    }
    const { shape } = parameter.variable
    if (!sameShape(shape, entry.variable.shape)) {
      throw unlike(`${name} to be [${shape}] as its variable is`, `[${entry.variable.shape}]`)
    }
    if (entries.has(parameter.key)) throw unlike(`one ${name} in ${field}`, 'two')
    entries.set(parameter.key, entry as Entry)
  }
  return entries
}

/** The order of the lists, which must be the same for all of them. */
function commonOrder(lists: readonly BufferList[], unlike: Unlike): readonly string[] {
  const [first, ...others] = lists.map(({ field, entries }) => ({
    field,
    keys: [...entries.keys()],
  }))
  if (first === undefined) return []
  for (const { field, keys } of others) {
    if (keys.length === first.keys.length && keys.every((key, i) => key === first.keys[i])) continue
    throw unlike(`${field} to be in the order of ${first.field}, ${first.keys}`, keys.join())
  }
  return first.keys
}

/** A value, described briefly. */
function shown(value: unknown): string {
  if (isTensor(value)) return `${value.dtype} [${value.shape}]`
  return typeof value === 'object' || value === undefined ? describe(value) : String(value)
}
