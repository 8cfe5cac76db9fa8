/**
 * A TensorFlow.js optimizer as an Optimizer: everything that its next step depends on.
 *
 * Its own getWeights and setWeights do not suffice. They lose the running products of Adam's decay rates (setWeights
 * computes them anew, with other rounding), they do not exist for Adamax, and they identify buffers by position. So
 * this module reads and writes the optimizer's fields directly.
 */

import { warn } from '../../errors.js'
import { type Attributes, describe } from '../../format/attributes.js'
import { elementCount } from '../../format/dtype.js'
import { givenOptions, type OptionNames } from '../../options.js'
import type { LoadedState, Optimizer, State, TensorData, TensorLike } from '../../state.js'
import {
  baseKind,
  builtInKind,
  type Entry,
  fieldsOf,
  type OptimizerFields,
  ownClassFields,
  readFields,
  type TensorFlowOptimizer,
  versionOf,
} from './fields.js'
import { checkedAttributes, fitOf, otherKind } from './fit.js'
import { isSorting, sortAtFirstStep } from './gradient-order.js'
import { numberingOf } from './names.js'
import { className, type HiddenState, OwnFields, type OwnFit, type OwnState } from './own-fields.js'
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
  type TensorFlowTensor,
  type TensorFlowVariable,
  type TensorFlowVariables,
  trained,
  type Upload,
} from './parameters.js'

/** Options of `tensorflowOptimizer`. */
export interface TensorFlowOptimizerOptions {
  /**
   * Saves and restores what the adapter cannot reach: functions in the optimizer's fields, private fields
   * (`#velocity`), and what a WeakMap holds for it. The hook answers for all of these.
   */
  readonly hidden?: HiddenState | undefined
}

const OPTIONS: OptionNames<TensorFlowOptimizerOptions> = { hidden: true }

/**
 * A TensorFlow.js optimizer as an Optimizer, for exact resume. `source` is what it trains, as for `tensorflowModule`:
 * the model, or variables by name.
 *
 * TensorFlow.js's own classes are SGD, Momentum, Adagrad, Adadelta, RMSProp, Adam and Adamax. Their tensors are the
 * buffers, named by TensorFlow.js's word for the buffer and the parameter (`m/dense_1/kernel`), and the optimizer's own
 * scalars (`accBeta1`). Attributes are `iterations`, the hyper-parameters of `getConfig()`, and `order`: the parameters
 * that have had a gradient so far, in the order of their buffers. The buffers of all other parameters are saved with
 * their initial values. So the names are the same before the first step and after it, and a new optimizer can be
 * restored. The attribute `frozen` lists parameters that are not trained. (An optimizer without such buffers always has
 * it.)
 *
 * Of any other class, derived from these or not, all fields are saved: tensors, variables, typed arrays and values, in
 * arrays, Maps, Sets, plain objects, instances of classes and other optimizers, nested. A tensor is named by the path
 * to it, with the name of a parameter in place of that of its variable (`averages.dense_1/kernel`). The attribute
 * `fields` describes the rest. The class is identified by its `static className`, or else by its name, which a
 * minifier may change. What the adapter cannot reach (functions in fields, private fields, WeakMaps) is refused by
 * name, unless the option `hidden` saves it. Nothing can see what a closure or a variable of a module holds; use
 * `checkResume` to find out whether something was forgotten.
 *
 * A restore also sets the hyper-parameters: set another learning rate after it. TensorFlow.js pairs buffers with
 * gradients by position. A restore leaves the buffers in the saved order, and the first step after it sorts them by
 * name if the gradients come in another order. A restore does not set which parameters are trained. If others are
 * frozen than in the checkpoint, that is an error, or with `strict: false` a warning. With `strict: false` an optimizer
 * of another class stays as it is, and so does a hyper-parameter that only one side has.
 *
 * Throws a TypeError if `optimizer` is not an optimizer. `stateDict` throws one if the model has been compiled with
 * another optimizer since, if the optimizer holds something that cannot be reached, if it lacks fields of TensorFlow.js
 * 4, or if it has buffers of a variable that is not in `source`. `loadStateDict` throws one for a state that does not
 * fit, before it changes anything.
 */
export function tensorflowOptimizer(
  optimizer: TensorFlowOptimizer,
  source: TensorFlowModel | TensorFlowVariables,
  options: TensorFlowOptimizerOptions = {},
): Optimizer {
  checkOptimizer(optimizer)
  checkSource(source)
  const { hidden } = givenOptions('tensorflowOptimizer', OPTIONS, options)
  if (hidden !== undefined) checkHidden(hidden)
  const own = new OwnFields(optimizer, source, hidden, isSorting)
  const checkInUse = recompileCheck(optimizer, source)
  const version = () => versionOf(source)
  const read = (parameters: readonly Parameter[]) => {
    const kind = builtInKind(optimizer)
    return kind === undefined
      ? ownClassFields(optimizer, className(optimizer))
      : readFields(optimizer, kind, parameters, version)
  }
  // Version 0.1.0 saved an optimizer of a derived class as one of its base class.
  const readFor = (parameters: readonly Parameter[], saved: LoadedState) => {
    const base = baseKind(optimizer)
    const isBase = saved.kind === base && saved.attributes.fields === undefined
    return base !== undefined && isBase
      ? { isBase, current: readFields(optimizer, base, parameters, version) }
      : { isBase: false, current: read(parameters) }
  }
  return {
    createsTensors: true,
    stateDict() {
      checkInUse()
      const parameters = parametersOf(source)
      const current = read(parameters)
      return stateOf(optimizer, current, parameters, own.read(parameters, current.known))
    },
    compareStateDict(saved) {
      const parameters = parametersOf(source)
      const here = read(parameters)
      const { isBase, current } = readFor(parameters, saved)
      const fit = fitOf(current, parameters, saved)
      const listed = listedNames(current, parameters)
      const { tensors } = own.read(parameters, here.known)
      if (saved.kind !== current.kind) return fit
      const fields = isBase
        ? { ...NOTHING, differences: [onlyBase(here.kind, current.kind)] }
        : own.fit(saved, fit.attributes ?? saved.attributes, parameters, current.known)
      const known = new Set([...listed, ...fields.names])
      const renamed = [...saved.keys()].map((name) => fit.renamed?.get(name) ?? name)
      const names = isBase ? [...listedNames(here, parameters), ...tensors.keys()] : tensors.keys()
      return {
        ...fit,
        dropped: Array.from(names).filter((name) => !saved.has(name)),
        missing: [...(fit.missing ?? []), ...fields.missing],
        unexpected: [
          ...(fit.unexpected ?? []),
          ...fields.unexpected,
          ...renamed.filter((name) => !known.has(name)),
        ],
        mismatched: [...(fit.mismatched ?? []), ...fields.mismatched],
        differences: [...(fit.differences ?? []), ...(fields.differences ?? [])],
      }
    },
    async loadStateDict(state, { strict } = { strict: true }) {
      const parameters = parametersOf(source)
      const { isBase, current } = readFor(parameters, state)
      if (state.kind !== current.kind) {
        if (strict) throw otherKind(state, current)
        return
      }
      const upload = await openUpload(parameters.map(({ variable }) => variable))
      const fields = isBase
        ? undefined
        : await own.prepare(state, parameters, current.known, upload)
      try {
        await load(optimizer, current, parameters, state, strict, upload)
      } catch (error) {
        fields?.undo()
        throw error
      }
      await fields?.set()
    },
  }
}

/**
 * The check that a model is still trained by the optimizer: throws a TypeError where the model was compiled with
 * it and has been compiled anew since. Warns at once where it is compiled with another one already; a loop of
 * the caller's own may train it with this one.
 */
function recompileCheck(
  optimizer: TensorFlowOptimizer,
  source: TensorFlowModel | TensorFlowVariables,
): () => void {
  if (!isModel(source)) return () => {}
  const compiledWith = () => (source as { readonly optimizer?: object }).optimizer
  const before = compiledWith()
  if (before != null && before !== optimizer) {
    warn(
      'the model is compiled with another optimizer than the one that tensorflowOptimizer() was given: model.fit() ' +
        'trains with model.optimizer',
    )
  }
  return () => {
    const now = compiledWith()
    if (before !== optimizer || now === optimizer) return
    throw new TypeError(
      'nothing was saved or restored: the model has been compiled with another optimizer since ' +
        'tensorflowOptimizer() was called; call tensorflowOptimizer(model.optimizer, model) again',
    )
  }
}

const NOTHING: OwnFit = { missing: [], unexpected: [], mismatched: [], names: new Set() }

function onlyBase(kind: string, base: string): string {
  return (
    `the checkpoint has what an optimizer of the class ${base} has, and this is ${kind}: version 0.1.0 left the ` +
    'other fields out. They stay as they are with strict: false'
  )
}

function checkHidden(hidden: unknown): void {
  const { get, set } = (hidden ?? {}) as Partial<HiddenState>
  if (typeof get === 'function' && typeof set === 'function') return
  throw new TypeError(
    `hidden must have functions get and set, { get: () => state, set: (saved) => { … } }; found ${describe(hidden)}`,
  )
}

/** Names of the tensors that the table of fields accounts for. */
function listedNames(
  { scalars, lists, order }: OptimizerFields,
  parameters: readonly Parameter[],
): readonly string[] {
  const listed = trained(parameters, order)
  return [...scalars, ...lists.flatMap(({ word }) => listed.map(({ key }) => `${word}/${key}`))]
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
  own: OwnState,
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
  tensors.push(...own.tensors)
  const frozen = frozenOf(parameters)
  const attributes = {
    ...{ iterations, ...config, order },
    ...own.attributes,
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
  upload: Upload,
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
  Object.assign(fields, config, current.known.has('iterations_') ? { iterations_: iterations } : {})
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
