/**
 * Errors for what a trainer passed by mistake. They say what was expected, what was found, and what the trainer most
 * likely meant. A guess only chooses the words of an error; it never makes a value acceptable.
 */

import { describe, isPlainObject } from '../format/attributes.js'
import { quote } from '../printable.js'
import { isUrl, kindOf } from '../realm.js'

/** The error for a state (`model`, `optimizer`, an extra) that has no `stateDict()`. */
export function notStateful(value: unknown, name: string): TypeError {
  const remedy = statefulRemedy(value, name)
  const found = `${name} must have a stateDict() method, found ${describe(value)}`
  return new TypeError(remedy === '' ? found : `${found}: ${remedy}`)
}

function statefulRemedy(value: unknown, name: string): string {
  if (typeof value === 'string' || isUrl(value)) return 'pass the path as the first argument'
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
  if (has(value, 'state_dict')) return 'its state_dict() must be named stateDict()'
  if ('states' in value && 'configText' in value) {
    return (
      'restoreCheckpoint takes a checkpoint first, and then the model; to save one again, pass ' +
      '{ stateDict: () => checkpoint.model }'
    )
  }
  if (isState(value)) return `pass { stateDict: () => ${name} }`
  if (name === 'optimizer' && OPTION_NAMES.some((option) => option in value)) {
    return 'pass the options after the optimizer, and null for the optimizer if there is none'
  }
  if (Array.isArray(value) || (isPlainObject(value) && Object.keys(value).length > 0)) {
    return (
      'pass an object with a stateDict() that returns named tensors, { shape, data } each, or a tree of ' +
      'tensors through treeState() of lightwatch-checkpoint/tree'
    )
  }
  return ''
}

const TENSORFLOW = ' of lightwatch-checkpoint/tensorflow'

// Options of a save or a restore. At least one of them is nearly always given.
const OPTION_NAMES = ['step', 'epoch', 'loss', 'metrics', 'config', 'extras', 'strict', 'onWarning']

/** The error for a tensor of a state dict without `data`. `what` names the tensor. */
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
          'nested one through treeState() of lightwatch-checkpoint/tree',
  )
}

/** The error for a tensor's `data` that is not memory. `what` names the tensor. */
export function notMemory(data: unknown, what: string): TypeError {
  const found =
    `the data of ${what} must be a typed array, an ArrayBuffer, or a function that fetches one, ` +
    `found ${describe(data)}`
  if (Array.isArray(data))
    return new TypeError(`${found}: pass new Float32Array(data), for example`)
  return new TypeError(found)
}

/** Throws a TypeError if `to` is certainly not a destination of a save. `places` names the possible ones. */
export function checkPlace(to: unknown, places: string): void {
  const remedy = placeRemedy(to)
  if (remedy === '') return
  throw new TypeError(`expected ${places} to save to, found ${describe(to)}: ${remedy}`)
}

function placeRemedy(value: unknown): string {
  if (typeof value !== 'object' || value === null) return ''
  if (has(value, 'stateDict')) return 'pass the destination first, then the model and the optimizer'
  if (has(value, 'list', 'sink')) return "pass { store, name: 'NAME.ckpt' }"
  if (has(value, 'createWritable')) return 'pass new FileHandleSink(handle)'
  if (has(value, 'getFileHandle')) {
    return 'pass new FileHandleSink(await directory.getFileHandle(name, { create: true }))'
  }
  return ''
}

/** Throws a TypeError if `value` is not an open checkpoint. */
export function checkCheckpoint(value: unknown): void {
  if (typeof value === 'object' && value !== null && 'states' in value && 'model' in value) return
  const isPlace = typeof value === 'string' || isUrl(value) || ArrayBuffer.isView(value)
  const remedy = isPlace
    ? ': load it first, restoreCheckpoint(await loadCheckpoint(path), model)'
    : typeof value === 'object' && value !== null && has(value, 'stateDict')
      ? ': pass the checkpoint first, then the model and the optimizer'
      : ''
  throw new TypeError(`expected a Checkpoint to restore from, found ${describe(value)}${remedy}`)
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
