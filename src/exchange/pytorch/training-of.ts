/**
 * Finds the model, the optimizer and the progress in a file: a plain state dict, the dict of a tutorial
 * (`{model_state_dict, optimizer_state_dict, epoch, loss}`), or Lightning's checkpoints.
 */

import { type Attribute, type Attributes, isPlainObject } from '../../format/attributes.js'
import { MODEL, OPTIMIZER } from '../../format/metadata.js'
import { quote } from '../../printable.js'
import {
  ForeignState,
  ForeignTensor,
  foreignFault,
  notConvertible,
  type TensorReader,
  type TrainingProgress,
} from '../training.js'
import type { PytorchFile } from './archive.js'
import { AttributeMaker, keyText } from './attributes.js'
import { tensorReader } from './tensor.js'
import { PyDict, PyRefused, PyTensor, PyTuple, type PyValue } from './values.js'

/** Options of reading a file of PyTorch. */
export interface PytorchOptions {
  /**
   * The names of the optimizer's parameters, in its order: `model.named_parameters()` of its model, without the
   * parameters that it does not train. PyTorch numbers them. By default they keep their numbers, unless the optimizer
   * was created with names (`AdamW(model.named_parameters())`).
   */
  readonly parameters?: readonly string[] | undefined
}

/** The content of a file, without the file. */
export interface PytorchStates {
  readonly model: ForeignState
  readonly optimizer: ForeignState | null
  readonly extras: ReadonlyMap<string, ForeignState>
  readonly progress: TrainingProgress
}

// The usual keys of a model's state dict, an optimizer's, and the progress. The first that exists is used.
const MODELS = [
  'state_dict',
  'model_state_dict',
  'model',
  'model_state',
  'net',
  'network',
  'module',
]
const OPTIMIZERS = [
  'optimizer_state_dict',
  'optimizer',
  'optimizer_states',
  'optim',
  'optimizer_state',
  'opt',
]
const STEPS = ['global_step', 'step', 'iteration', 'iter', 'iter_num']
const LOSSES = ['loss', 'val_loss', 'best_val_loss']

/** The extra for everything that has no other place. */
const OTHER = 'other'

/** Sorts the content of a file. Throws CKPT_FOREIGN_FILE and CKPT_NOT_CONVERTIBLE; reads no tensor. */
export function trainingOf(file: PytorchFile, options: PytorchOptions): PytorchStates {
  const states = new States(file, options)
  const { root } = file
  if (!(root instanceof PyDict)) return { ...NOTHING, model: states.plain(root, MODEL) }
  if (isOptimizer(root)) return { ...NOTHING, optimizer: states.optimizer(root) }
  const modelKey = MODELS.find((key) => isStateDict(root.get(key)))
  if (modelKey === undefined) return { ...NOTHING, model: states.plain(root, MODEL) }
  return wholeTraining(root, modelKey, states)
}

const NOTHING: PytorchStates = {
  model: new ForeignState([]),
  optimizer: null,
  extras: new Map(),
  progress: {},
}

function wholeTraining(root: PyDict, modelKey: string, states: States): PytorchStates {
  const rest = new Map(root.entries)
  const take = (key: string): PyValue => {
    const value = rest.get(key)!
    rest.delete(key)
    return value
  }
  const model = states.plain(take(modelKey), MODEL)
  const optimizerKey = OPTIMIZERS.find((key) => isOptimizer(firstOf(root.get(key))))
  let optimizer: ForeignState | null = null
  const extras = new Map<string, ForeignState>()
  if (optimizerKey !== undefined) {
    const value = take(optimizerKey)
    optimizer = states.optimizer(firstOf(value) as PyDict)
    if (states.parameters !== undefined) checkNames(states.parameters, model, optimizer)
    // Lightning has a list of optimizers, usually with one entry.
    const others = Array.isArray(value) ? value.slice(1) : []
    for (const [i, other] of others.entries()) {
      extras.set(`${OPTIMIZER}.${i + 1}`, states.plain(other, `${OPTIMIZER}.${i + 1}`))
    }
  }
  const progress: { -readonly [key in keyof TrainingProgress]: TrainingProgress[key] } = {}
  const isCount = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 0
  if (isCount(root.get('epoch'))) progress.epoch = take('epoch') as number
  const step = STEPS.find((key) => isCount(root.get(key)))
  if (step !== undefined) progress.step = take(step) as number
  const loss = LOSSES.find((key) => typeof root.get(key) === 'number')
  if (loss !== undefined) progress.loss = take(loss) as number
  const left = new PyDict()
  for (const [key, value] of rest) {
    const name = keyText(key, 'the file')
    if (
      !(value instanceof PyDict) ||
      [MODEL, OPTIMIZER, OTHER].includes(name) ||
      extras.has(name)
    ) {
      left.entries.set(key, value)
    } else
      extras.set(name, isOptimizer(value) ? states.optimizer(value) : states.plain(value, name))
  }
  if (left.entries.size > 0) extras.set(OTHER, states.plain(left, OTHER))
  return { model, optimizer, extras, progress }
}

// Buffers that have the shape of their parameter in every optimizer of PyTorch.
const MOMENTS = ['exp_avg', 'exp_avg_sq', 'momentum_buffer']

/** Throws CKPT_NOT_CONVERTIBLE if a buffer does not have the shape of the weight whose name it was given. */
function checkNames(names: readonly string[], model: ForeignState, optimizer: ForeignState): void {
  for (const name of names) {
    for (const moment of MOMENTS) {
      const buffer = `${moment}/${name}`
      if (!model.has(name) || !optimizer.has(buffer)) continue
      const [expected, actual] = [model.get(name).shape, optimizer.get(buffer).shape]
      if (String(expected) === String(actual)) continue
      throw notConvertible(
        `the names of the parameters are not in the optimizer's order: expected ${quote(buffer)} of shape ` +
          `[${expected.join(', ')}], as ${quote(name)} has it, found [${actual.join(', ')}]`,
        { state: OPTIMIZER, tensor: buffer, actual },
      )
    }
  }
}

function firstOf(value: PyValue | undefined): PyValue | undefined {
  return Array.isArray(value) ? value[0] : value
}

function isOptimizer(value: PyValue | undefined): boolean {
  return (
    value instanceof PyDict &&
    value.get('state') instanceof PyDict &&
    Array.isArray(value.get('param_groups'))
  )
}

/** Whether a value is a dict of tensors only, except for the additions of modules (`_extra_state`). */
function isStateDict(value: PyValue | undefined): boolean {
  if (!(value instanceof PyDict)) return false
  let tensors = 0
  for (const item of value.entries.values()) {
    if (item instanceof PyTensor || item instanceof PyRefused) tensors++
  }
  return tensors > 0 && tensors * 2 >= value.entries.size
}

/** Makes states from values, with their tensors over the file. */
class States {
  readonly #file: PytorchFile
  /** The caller's names of the optimizer's parameters. */
  readonly parameters: readonly string[] | undefined
  readonly #attributes: AttributeMaker
  /** By the position of a tensor: tensors with the same position are tied. */
  readonly #readers = new Map<string, TensorReader>()

  constructor(file: PytorchFile, { parameters }: PytorchOptions) {
    this.#file = file
    this.#attributes = new AttributeMaker(file.pickleLength)
    this.parameters = parameters
  }

  /** Tensors by the paths of their keys, and the other values as attributes. `name` is that of the state. */
  plain(value: PyValue, name: string): ForeignState {
    const tensors = new Map<string, ForeignTensor>()
    const add = (path: string, tensor: PyTensor | PyRefused): void => {
      this.#add(tensors, path || 'tensor', tensor)
    }
    const made = this.#attributes.make(value, '', add)
    if (made === undefined) return new ForeignState(tensors.values())
    return new ForeignState(tensors.values(), isMap(made) ? made : { [name]: made })
  }

  /**
   * An optimizer: buffers as `exp_avg/layer.weight`, other values in the attribute `state`, and the groups, with the
   * names of their parameters, in `param_groups`. The Python package restores it as it is.
   */
  optimizer(value: PyDict): ForeignState {
    const groups = value.get('param_groups') as PyValue[]
    const names = this.#namesOf(groups)
    const tensors = new Map<string, ForeignTensor>()
    const values: { [name: string]: Attributes } = {}
    for (const [index, entries] of (value.get('state') as PyDict).entries) {
      const name = names.get(keyText(index, 'state')) ?? keyText(index, 'state')
      if (!(entries instanceof PyDict)) throw noOptimizer(`state of ${quote(name)}`)
      const kept: { [key: string]: Attribute } = {}
      for (const [key, item] of entries.entries) {
        const option = keyText(key, name)
        const add = (path: string, tensor: PyTensor | PyRefused): void => {
          this.#add(tensors, `${path}/${name}`, tensor)
        }
        const made = this.#attributes.make(item, option, add)
        if (made !== undefined) kept[option] = made
      }
      if (Object.keys(kept).length > 0) values[name] = kept
    }
    const made = groups.map((group, i) => {
      if (!(group instanceof PyDict)) throw noOptimizer(`group ${i}`)
      const kept: { [key: string]: Attribute } = {}
      for (const [key, item] of group.entries) {
        const option = keyText(key, `group ${i}`)
        if (option === 'params') {
          kept.params = paramsOf(item, i).map((index) => names.get(index) ?? index)
          continue
        }
        const path = `param_groups.${i}.${option}`
        const add = (path: string, tensor: PyTensor | PyRefused): void => {
          this.#add(tensors, path, tensor)
        }
        const value = this.#attributes.make(item, path, add)
        if (value !== undefined) kept[option] = value
      }
      return kept
    })
    const rest = [...value.entries.keys()].filter(
      (key) => key !== 'state' && key !== 'param_groups',
    )
    const attributes: { [key: string]: Attribute } = { param_groups: made }
    if (Object.keys(values).length > 0) attributes.state = values
    for (const key of rest) {
      const name = keyText(key, OPTIMIZER)
      const add = (path: string, tensor: PyTensor | PyRefused): void =>
        this.#add(tensors, path, tensor)
      const value2 = this.#attributes.make(value.entries.get(key)!, name, add)
      if (value2 !== undefined) attributes[name] = value2
    }
    return new ForeignState(tensors.values(), attributes)
  }

  /** The names of the parameters by their numbers. */
  #namesOf(groups: readonly PyValue[]): ReadonlyMap<string, string> {
    const names = new Map<string, string>()
    const numbers: string[] = []
    for (const [i, group] of groups.entries()) {
      if (!(group instanceof PyDict)) throw noOptimizer(`group ${i}`)
      const params = paramsOf(group.get('params'), i)
      numbers.push(...params)
      const given = group.get('param_names')
      if (!Array.isArray(given) || given.length !== params.length) continue
      for (const [k, name] of given.entries())
        if (typeof name === 'string') names.set(params[k]!, name)
    }
    const { parameters } = this
    if (parameters === undefined) return names
    if (parameters.length !== numbers.length) {
      throw notConvertible(
        `the optimizer has ${numbers.length} parameters, and ${parameters.length} names were given: give the ` +
          'names that the optimizer trains, in its order',
        { state: OPTIMIZER, actual: parameters.length },
      )
    }
    return new Map(numbers.map((number, i) => [number, parameters[i]!]))
  }

  #add(tensors: Map<string, ForeignTensor>, name: string, value: PyTensor | PyRefused): void {
    if (value instanceof PyRefused) {
      throw notConvertible(
        `${quote(name)} is ${value.what}, which a checkpoint cannot hold: ${value.remedy}`,
        {
          tensor: name,
          actual: value.what,
        },
      )
    }
    if (tensors.has(name)) {
      throw notConvertible(`two tensors of the file would both be called ${quote(name)}`, {
        tensor: name,
      })
    }
    tensors.set(name, new ForeignTensor(name, this.#reader(name, value)))
  }

  #reader(name: string, value: PyTensor): TensorReader {
    const { storage, dtype, offset, shape, strides } = value
    const place = `${storage.start} ${dtype.name} ${offset} ${shape} ${strides} ${storage.key}`
    let reader = this.#readers.get(place)
    if (reader === undefined) {
      reader = tensorReader(name, value, this.#file.storage(storage.key))
      this.#readers.set(place, reader)
    }
    return reader
  }
}

function isMap(value: Attribute): value is Attributes {
  return isPlainObject(value)
}

function paramsOf(value: PyValue | undefined, group: number): string[] {
  if (!Array.isArray(value) && !(value instanceof PyTuple)) throw noOptimizer(`group ${group}`)
  return (Array.isArray(value) ? value : value.items).map((index) =>
    keyText(index, `group ${group}`),
  )
}

function noOptimizer(what: string): Error {
  return foreignFault('pytorch.optimizer', `the optimizer's ${what} is not as PyTorch has it`)
}
