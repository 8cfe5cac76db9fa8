/**
 * Puts the fields of an object back as `readGraph` read them: the tensors are made first; then everything is set
 * in one go, in which nothing can fail. Arrays, Maps and objects that are there stay the same ones, and so do
 * variables: the optimizer may hold them in several places.
 */

import { type Attribute, type Attributes, isPlainObject, setKey } from '../../format/attributes.js'
import { arrayType } from '../../format/dtype.js'
import { kindOf } from '../../realm.js'
import type { LoadedState, TypedArray } from '../../state.js'
import { isNode, keyHere, pairsOf, tensorNodes } from './node.js'
import type { OwnNames } from './own-names.js'
import {
  isModel,
  type TensorFlowModel,
  type TensorFlowTensor,
  type TensorFlowVariable,
  type TensorFlowVariables,
  type Upload,
} from './parameters.js'

type Fields = { [field: string]: unknown }

/** Tensors of a file, made: what a node's name stands for. */
export type Made = ReadonlyMap<string, TensorFlowTensor | TypedArray>

/**
 * Makes the tensors that are named in `saved`: new ones, but `variables` are written into. If that fails, those
 * which were made are disposed of.
 */
export async function makeTensors(
  saved: Iterable<Attribute>,
  state: LoadedState,
  variables: ReadonlyMap<string, TensorFlowVariable>,
  upload: Upload,
): Promise<Made> {
  const made = new Map<string, TensorFlowTensor | TypedArray>()
  const own: TensorFlowTensor[] = []
  try {
    for (const node of tensorNodes(saved)) {
      const name = String(node.name)
      if (made.has(name)) continue
      const tensor = state.get(name)
      if (node.is === 'array') {
        const elements = new (arrayType(tensor.dtype))(tensor.shape[0] ?? 0)
        await tensor.readInto(elements)
        made.set(name, elements)
        continue
      }
      const uploaded = await upload(tensor)
      const variable = variables.get(name)
      if (node.is === 'tensor') {
        // As tf.keep() does it: a scope that the caller has open must not take the tensor away.
        own.push(Object.assign(uploaded, { kept: true }))
        made.set(name, uploaded)
      } else if (variable !== undefined) {
        variable.assign(uploaded)
        uploaded.dispose()
        made.set(name, variable)
      } else {
        const created = uploaded.variable(node.trainable === true)
        uploaded.dispose()
        own.push(created)
        made.set(name, created)
      }
    }
  } catch (error) {
    for (const tensor of own) tensor.dispose()
    throw error
  }
  return made
}

/** Sets saved fields in `object`, which they have been compared with. */
export function rebuildFields(
  saved: Attributes,
  object: object,
  made: Made,
  names: OwnNames,
  source: TensorFlowModel | TensorFlowVariables,
): void {
  // In the order of the walk that read them.
  const rebuilt: unknown[] = [object]
  const numbered = <T>(value: T): T => {
    rebuilt.push(value)
    return value
  }
  const setFields = (fields: Attributes, here: object): void => {
    for (const [key, node] of Object.entries(fields)) {
      const before = (here as Fields)[key]
      const value = rebuild(node, before)
      if (!Object.is(value, before) || !Object.hasOwn(here, key)) (here as Fields)[key] = value
    }
  }
  const rebuild = (node: Attribute, here: unknown): unknown => {
    if (Array.isArray(node)) {
      const list = numbered(Array.isArray(here) ? (here as unknown[]) : [])
      const before = [...list]
      list.length = 0
      for (const [i, item] of node.entries()) list.push(rebuild(item, before[i]))
      return list
    }
    if (!isNode(node)) return node
    switch (node.is) {
      case 'undefined':
        return undefined
      case 'name':
        return names.fromFile(node as never)
      case 'parameter':
        return names.variableOf(String(node.name))
      case 'weight':
        return weightOf(source, names.variableOf(String(node.name)))
      case 'model':
        return source
      case 'same':
        return rebuilt[Number(node.of)]
      case 'tensor':
      case 'variable':
        return made.get(String(node.name))
      case 'array':
        return numbered(intoArray(made.get(String(node.name)) as TypedArray, here, node.class))
      case 'instance':
        setFields(node.fields as Attributes, numbered(here) as object)
        return here
      case 'Map': {
        const map = numbered(kindOf(here) === 'Map' ? (here as Map<unknown, unknown>) : new Map())
        const before = new Map(map)
        map.clear()
        for (const [key, item] of pairsOf(node.entries)) {
          const at = keyHere(key, names)
          map.set(at, rebuild(item, before.get(at)))
        }
        return map
      }
      case 'object': {
        const object = numbered(isPlainObject(here) ? (here as Fields) : {})
        const before = { ...object }
        for (const key of Object.keys(object)) {
          // What a save left out stays.
          if (typeof object[key] !== 'function') delete object[key]
        }
        for (const [key, item] of pairsOf(node.entries)) {
          const at = String(keyHere(key, names))
          setKey(object, at, rebuild(item, before[at]))
        }
        return object
      }
      case 'Set': {
        const set = numbered(kindOf(here) === 'Set' ? (here as Set<unknown>) : new Set())
        set.clear()
        for (const item of node.items as readonly Attribute[]) set.add(keyHere(item, names))
        return set
      }
      default:
        // What a save left out.
        return here
    }
  }
  setFields(saved, object)
}

/** The elements in the array that is there, if it is such a one, else in a new one of that class. */
function intoArray(elements: TypedArray, here: unknown, className: unknown): unknown {
  const isSame = ArrayBuffer.isView(here) && kindOf(here) === className
  if (isSame && (here as TypedArray).length === elements.length) {
    ;(here as Float32Array).set(elements as Float32Array)
    return here
  }
  // Of the same elements, and another class: Uint8ClampedArray, for one.
  const ArrayType = (globalThis as { [name: string]: unknown })[String(className)]
  return typeof ArrayType === 'function' && kindOf(elements) !== className
    ? new (ArrayType as new (elements: unknown) => unknown)(elements)
    : elements
}

/** The weight of a layers model that wraps a variable. */
function weightOf(
  source: TensorFlowModel | TensorFlowVariables,
  variable: TensorFlowVariable | undefined,
): unknown {
  return isModel(source) ? source.weights.find((weight) => weight.read() === variable) : undefined
}
