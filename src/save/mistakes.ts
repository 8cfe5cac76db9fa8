/**
 * Errors for what a trainer passed by mistake: what was expected, what was found, and what the trainer
 * most likely meant to write. Guesses are for words alone; nothing is accepted because of one.
 */

import { describe, isPlainObject } from '../format/attributes.js'
import { quote } from '../printable.js'
import { isUrl, kindOf } from '../realm.js'

/** The error for a state (`model`, `optimizer`, an extra) that has no `stateDict()`. */
export function notStateful(value: unknown, name: string): TypeError {
  const remedy = statefulRemedy(value, name)
  const found = `${name} must have a stateDict() method; this is ${describe(value)}`
  return new TypeError(remedy === '' ? found : `${found}: ${remedy}`)
}

function statefulRemedy(value: unknown, name: string): string {
  if (typeof value === 'string' || isUrl(value)) return 'the path comes first'
  if (typeof value === 'function') {
    return typeof value.prototype?.stateDict === 'function' ? 'pass an instance of this class' : ''
  }
  if (typeof value !== 'object' || value === null || has(value, 'then')) return ''
  if (has(value, 'applyGradients') || has(value, 'getClassName', 'minimize')) {
    return `pass a TensorFlow.js optimizer as tensorflowOptimizer(optimizer, model)${TENSORFLOW}`
  }
  if (has(value, 'getClassName') || ('trainableWeights' in value && 'weights' in value)) {
    return `pass a TensorFlow.js model as tensorflowModule(model)${TENSORFLOW}`
  }
  if (has(value, 'state_dict')) return 'its state_dict() has to be called stateDict()'
  if ('states' in value && 'configText' in value) {
    return (
      'restoreCheckpoint takes a checkpoint first, and then the model; to save one again, pass ' +
      '{ stateDict: () => checkpoint.model }'
    )
  }
  if (isState(value)) return `pass { stateDict: () => ${name} }`
  if (name === 'optimizer' && OPTION_NAMES.some((option) => option in value)) {
    return 'options come after the optimizer: pass null for the optimizer if there is none'
  }
  if (Array.isArray(value) || (isPlainObject(value) && Object.keys(value).length > 0)) {
    return (
      'pass an object with a stateDict() that returns named tensors, { shape, data } each, or a tree of ' +
      'tensors as treeState() of lightwatch-checkpoint/tree'
    )
  }
  return ''
}

const TENSORFLOW = ' of lightwatch-checkpoint/tensorflow'

// Of those, one is nearly always there.
const OPTION_NAMES = ['step', 'epoch', 'loss', 'metrics', 'config', 'extras', 'strict', 'onWarning']

/** The error for a tensor of a state dict that has no `data`. `what` names it. */
export function notTensor(value: unknown, what: string): TypeError {
  const found = `${what} must be an object with shape and data, not ${describe(value)}`
  if (typeof value === 'object' && value !== null && 'shape' in value) {
    return new TypeError(`${found} without data`)
  }
  if (ArrayBuffer.isView(value)) {
    const length = (value as Uint8Array).length
    return new TypeError(`${found}: pass { shape: [${length}], data } with this array as data`)
  }
  if (!isPlainObject(value)) return new TypeError(found)
  const [key] = Object.keys(value)
  const keys = Object.keys(value).slice(0, 3).map(quote).join(', ')
  return new TypeError(
    key === undefined
      ? `${found} without keys`
      : `${found} with the keys ${keys}: the names of a state dict are flat ("layer.weight"); pass a ` +
          'nested one as treeState() of lightwatch-checkpoint/tree',
  )
}

/** The error for the `data` of a tensor that is not memory. `what` names the tensor. */
export function notMemory(data: unknown, what: string): TypeError {
  const found =
    `the data of ${what} must be a typed array, an ArrayBuffer, or a function that brings one; ` +
    `this is ${describe(data)}`
  if (Array.isArray(data)) return new TypeError(`${found}: pass new Float32Array(data), say`)
  return new TypeError(found)
}

/** Throws a TypeError for what is known not to be a place to save to. `places` names those that there are. */
export function checkPlace(to: unknown, places: string): void {
  const remedy = placeRemedy(to)
  if (remedy === '') return
  throw new TypeError(`a checkpoint is saved to ${places}, not to ${describe(to)}: ${remedy}`)
}

function placeRemedy(value: unknown): string {
  if (typeof value !== 'object' || value === null) return ''
  if (has(value, 'stateDict')) return 'the place comes first, then the model and the optimizer'
  if (has(value, 'createWritable')) return 'pass new FileHandleSink(handle)'
  if (has(value, 'getFileHandle')) {
    return 'pass new FileHandleSink(await directory.getFileHandle(name, { create: true }))'
  }
  return ''
}

/** Throws a TypeError for what is not an open checkpoint. */
export function checkCheckpoint(value: unknown): void {
  if (typeof value === 'object' && value !== null && 'states' in value && 'model' in value) return
  const isPlace = typeof value === 'string' || isUrl(value) || ArrayBuffer.isView(value)
  const remedy = isPlace
    ? ': load it first, restoreCheckpoint(await loadCheckpoint(path), model)'
    : typeof value === 'object' && value !== null && has(value, 'stateDict')
      ? ': that comes first, then the model and the optimizer'
      : ''
  throw new TypeError(
    `a checkpoint is restored from a Checkpoint, not from ${describe(value)}${remedy}`,
  )
}

/** Whether a value looks like what a `stateDict()` returns. */
function isState(value: object): boolean {
  if ('tensors' in value) return true
  const values = kindOf(value) === 'Map' ? (value as Map<unknown, unknown>).values() : undefined
  const [first] = values ?? Object.values(value)
  return typeof first === 'object' && first !== null && 'shape' in first && 'data' in first
}

function has(value: object, ...methods: readonly string[]): boolean {
  return methods.every((name) => typeof (value as Record<string, unknown>)[name] === 'function')
}
