/**
 * Everything that an object of any class holds in its own fields, as attributes and named tensors: tensors,
 * variables, typed arrays and values, in arrays, Maps, Sets, plain objects and other objects, nested.
 *
 * An attribute, a node, says of each field what it was: a value stands for itself, an array is a list, and
 * anything else is a map with its sort under `is`. A tensor's node has the name under which the tensor is saved.
 * Nothing is changed here.
 */

import { type Attribute, isPlainObject } from '../../format/attributes.js'
import { dtypeOfArray } from '../../format/dtype.js'
import { quote } from '../../printable.js'
import { kindOf } from '../../realm.js'
import type { TensorLike } from '../../state.js'
import { type PathSegment, treePath } from '../tree/leaves.js'
import { hiddenByClass } from './hidden.js'
import type { OwnNames, TextNode } from './own-names.js'
import {
  fetchOf,
  isTensor,
  isVariable,
  type TensorFlowModel,
  type TensorFlowTensor,
  type TensorFlowVariables,
} from './parameters.js'

/** What the fields of an object hold. */
export interface Graph {
  /** By the names of the fields. */
  readonly fields: { readonly [field: string]: Attribute }
  /** By their names, as they are saved. */
  readonly tensors: ReadonlyMap<string, TensorLike>
  /** The same tensors of TensorFlow.js, by their names; typed arrays are not among them. */
  readonly held: ReadonlyMap<string, TensorFlowTensor>
}

/** What is known of the object, and what it may refer to. */
export interface Surroundings {
  /** Prefix of the names of tensors. */
  readonly prefix: string
  readonly names: OwnNames
  /** What the optimizer trains, which is saved on its own. */
  readonly source: TensorFlowModel | TensorFlowVariables
  /** Whether a value is known and must be left out, such as a function of this library's own. */
  readonly isKnown: (value: unknown) => boolean
  /** Gets what cannot be saved, in words, with the path to it; the walk goes on. */
  readonly refuse: (path: string, reason: string) => void
  /** Whether the caller saves what is out of reach by a hook; then functions and private fields are left out. */
  readonly hasHook: boolean
}

type Path = readonly PathSegment[]

/** Reads the own fields of `object`, without those in `skipped`. */
export function readGraph(
  object: object,
  surroundings: Surroundings,
  skipped: ReadonlySet<string> = new Set(),
): Graph {
  const walk = new Walk(surroundings)
  walk.visited.set(object, 0)
  return { fields: walk.fields(object, [], skipped), tensors: walk.tensors, held: walk.held }
}

/** Reads one value, such as what a hook returns; it is the field `name` of the graph. */
export function readValue(value: unknown, name: string, surroundings: Surroundings): Graph {
  const walk = new Walk(surroundings)
  // The number 0 is that of what holds it.
  walk.visited.set({}, 0)
  const node = walk.node(value, [], () => value)
  return { fields: { [name]: node }, tensors: walk.tensors, held: walk.held }
}

class Walk {
  readonly tensors = new Map<string, TensorLike>()
  readonly held = new Map<string, TensorFlowTensor>()
  /** Everything that holds others, by its number in the order of the walk. */
  readonly visited = new Map<object, number>()
  readonly #around: Surroundings
  readonly #names = new Map<object, string>()

  constructor(surroundings: Surroundings) {
    this.#around = surroundings
  }

  fields(
    object: object,
    path: Path,
    skipped: ReadonlySet<string> = new Set(),
  ): { [field: string]: Attribute } {
    for (const what of hiddenByClass(object)) this.#hidden(path, what)
    for (const what of sharedByClass(object)) this.#hidden(path, what)
    // An optimizer makes its counter when it is asked for it first.
    if ('applyGradients' in object) void (object as { iterations?: number }).iterations
    const fields: [string, Attribute][] = []
    for (const key of Reflect.ownKeys(object)) {
      if (typeof key === 'string' && skipped.has(key)) continue
      const { value, get } = Object.getOwnPropertyDescriptor(object, key)!
      if (this.#around.isKnown(value)) continue
      const at = [...path, String(key)]
      if (typeof key === 'symbol') this.#hidden(at, 'a field whose name is a symbol')
      else if (get !== undefined) this.#hidden(at, 'an accessor')
      else if (typeof value === 'function') this.#hidden(at, functionText(value))
      else {
        const current = () => (object as { [key: string]: unknown })[key]
        fields.push([key, this.node(value, at, current)])
      }
    }
    return Object.fromEntries(fields)
  }

  /** `current` gives the value that stands there at a later time. */
  node(value: unknown, path: Path, current: () => unknown): Attribute {
    switch (typeof value) {
      case 'undefined':
        return { is: 'undefined' }
      case 'string':
        return this.#text(value, path)
      case 'object':
        return value === null ? null : this.#object(value, path, current)
      case 'boolean':
      case 'number':
      case 'bigint':
        return value
      default:
        return this.#hidden(path, typeof value === 'function' ? functionText(value) : 'a symbol')
    }
  }

  #object(value: object, path: Path, current: () => unknown): Attribute {
    const key = this.#around.names.keyOf(value)
    if (key !== undefined) return { is: 'parameter', name: key }
    if (value === this.#around.source) return { is: 'model' }
    const weight = weightOf(value)
    const weightKey = weight && this.#around.names.keyOf(weight)
    if (weightKey !== undefined) return { is: 'weight', name: weightKey }
    if (isTensor(value)) return this.#tensor(value, path, current)
    const first = this.visited.get(value)
    if (first !== undefined) return { is: 'same', of: first }
    const sort = kindOf(value)
    const isArray = ArrayBuffer.isView(value)
    if (isArray && dtypeOfArray(value) === undefined) {
      return this.#hidden(path, `a ${sort}, which does not say what its elements are`)
    }
    const isOther = !isArray && !['Array', 'Map', 'Set', 'Object'].includes(sort)
    const className = value.constructor?.name ?? sort
    if (isOther || isLayer(value)) {
      return this.#hidden(path, `an instance of ${className}, which has state of its own`)
    }
    this.visited.set(value, this.visited.size)
    if (isArray) return this.#array(value, path)
    if (Array.isArray(value)) return this.#list(value, path)
    if (sort === 'Map') return this.#map(value as Map<unknown, unknown>, path)
    if (sort === 'Set') return this.#set(value as Set<unknown>, path)
    if (isPlainObject(value)) return this.#plain(value, path)
    return { is: 'instance', class: className, fields: this.fields(value, path) }
  }

  #tensor(tensor: TensorFlowTensor, path: Path, current: () => unknown): Attribute {
    // What has been disposed of has no elements any more.
    if (tensor.isDisposed === true) return { is: 'undefined' }
    const { dtype, shape } = tensor
    const known = this.#names.get(tensor)
    const name = known ?? this.#named(path)
    if (known === undefined) {
      if (dtype !== 'float32' && dtype !== 'int32' && dtype !== 'bool') {
        this.#around.refuse(treePath(path), `a tensor of the dtype ${dtype}`)
        return null
      }
      const data = fetchOf(name, () => current() as TensorFlowTensor)
      this.tensors.set(name, { dtype, shape, data })
      this.held.set(name, tensor)
      this.#names.set(tensor, name)
    }
    return isVariable(tensor)
      ? { is: 'variable', name, trainable: tensor.trainable }
      : { is: 'tensor', name }
  }

  #array(array: ArrayBufferView, path: Path): Attribute {
    const name = this.#named(path)
    const { length } = array as Uint8Array
    this.tensors.set(name, { dtype: dtypeOfArray(array)!, shape: [length], data: array })
    return { is: 'array', class: kindOf(array), name }
  }

  #list(list: readonly unknown[], path: Path): Attribute {
    const taken = new Set<PathSegment>()
    // By index, so that a hole is found and not skipped.
    return Array.from(list, (item, i) => {
      // TensorFlow.js names its buffers in `originalName`; they are called by that and not by position.
      const own = (item as { originalName?: unknown } | null | undefined)?.originalName
      const name = typeof own === 'string' ? this.#around.names.toFile(own, true) : undefined
      const segment = typeof name === 'object' ? `${name.before}${name.of}${name.after}` : i
      const at = [...path, taken.has(segment) ? i : segment]
      taken.add(segment)
      return this.node(item, at, () => list[i])
    })
  }

  #map(map: ReadonlyMap<unknown, unknown>, path: Path): Attribute {
    const entries: Attribute[] = []
    for (const [key, value] of map) {
      const [keyNode, segment] = this.#key(key, path)
      entries.push(
        keyNode,
        this.node(value, [...path, segment], () => map.get(key)),
      )
    }
    return { is: 'Map', entries }
  }

  #set(set: ReadonlySet<unknown>, path: Path): Attribute {
    return { is: 'Set', items: Array.from(set, (item) => this.#key(item, path)[0]) }
  }

  #plain(object: { readonly [key: string]: unknown }, path: Path): Attribute {
    const entries: Attribute[] = []
    for (const key of Reflect.ownKeys(object)) {
      const { value, get } = Object.getOwnPropertyDescriptor(object, key)!
      const at = [...path, String(key)]
      if (this.#around.isKnown(value)) continue
      if (typeof key === 'symbol') this.#hidden(at, 'a key that is a symbol')
      else if (get !== undefined) this.#hidden(at, 'an accessor')
      else if (typeof value === 'function') this.#hidden(at, functionText(value))
      else {
        const isName = key === 'originalName' && isVariableEntry(object)
        const node =
          isName && typeof value === 'string'
            ? this.#text(value, at, true)
            : this.node(value, [...path, this.#keySegment(key)], () => object[key])
        entries.push(this.#text(key, at), node)
      }
    }
    return { is: 'object', entries }
  }

  /** A key of a Map: a value, or a variable that is trained. */
  #key(key: unknown, path: Path): [node: Attribute, segment: PathSegment] {
    if (typeof key === 'string') {
      const node = this.#text(key, [...path, key], true)
      return [node, this.#keySegment(key, true)]
    }
    if (typeof key === 'object' && key !== null) {
      const name = this.#around.names.keyOf(key)
      if (name !== undefined) return [{ is: 'parameter', name }, name]
      return [this.#hidden(path, 'a key that is an object'), 'object']
    }
    return [this.node(key, path, () => key), String(key)]
  }

  #keySegment(key: string, isName = false): string {
    const node = this.#around.names.toFile(key, isName)
    return typeof node === 'object' ? `${node.before}${node.of}${node.after}` : key
  }

  #text(text: string, path: Path, isName = false): TextNode & Attribute {
    const node = this.#around.names.toFile(text, isName)
    if (node === undefined) {
      this.#around.refuse(
        treePath(path),
        `the text ${quote(text)}, in which a number may be a variable that TensorFlow.js has named by a ` +
          "number: name your variables, tf.variable(value, true, 'w1')",
      )
      return text
    }
    return node as TextNode & Attribute
  }

  #named(path: Path): string {
    const { prefix } = this.#around
    // Without quotes, so that the names of parameters stay whole and can be renamed. Quotes tell two alike apart.
    const plain = path
      .map((segment) => (typeof segment === 'number' ? `[${segment}]` : `.${segment}`))
      .join('')
    const name = `${prefix}${plain.replace(/^\./, '') || '$'}`
    return this.tensors.has(name) || name.includes('"') ? `${prefix}${treePath(path)}` : name
  }

  /** The node of what is out of reach: a restore leaves it as it is. */
  #hidden(path: Path, what: string): Attribute {
    const { hasHook, prefix, refuse } = this.#around
    if (!hasHook) refuse(path.length === 0 ? prefix : `${prefix}${treePath(path)}`, what)
    return { is: 'hidden' }
  }
}

/** Static fields of the classes of `object` that hold tensors or collections: they are state of all its instances. */
function sharedByClass(object: object): string[] {
  const shared: string[] = []
  for (let p = Object.getPrototypeOf(object); p !== null; p = Object.getPrototypeOf(p)) {
    const type = p.constructor
    if (typeof type !== 'function' || Object.getPrototypeOf(p) === null) continue
    for (const [name, value] of Object.entries(type)) {
      const isCollection = ArrayBuffer.isView(value) || /^(Weak)?(Map|Set)$/.test(kindOf(value))
      const isObject = typeof value === 'object' && value !== null
      const holdsTensor = isObject && (isTensor(value) || Object.values(value).some(isTensor))
      if (isCollection || holdsTensor) shared.push(`${name}, a static field of ${type.name}`)
    }
  }
  return shared
}

function functionText(value: object): string {
  return /^class\b/.test(Function.prototype.toString.call(value))
    ? 'a class, which may have state of its own'
    : 'a function, which may have state of its own'
}

/** The variable of a weight of a layers model, which wraps it. */
function weightOf(value: object): object | undefined {
  const { val, read, originalName } = value as {
    val?: unknown
    read?: unknown
    originalName?: unknown
  }
  const isWeight = typeof read === 'function' && typeof originalName === 'string'
  return isWeight && typeof val === 'object' && val !== null ? val : undefined
}

function isLayer(value: object): boolean {
  const { weights, call, countParams } = value as { [name: string]: unknown }
  return Array.isArray(weights) && typeof (call ?? countParams) === 'function'
}

/** Whether an object is a buffer as TensorFlow.js lists it: `{ originalName, variable }`. */
function isVariableEntry(object: { readonly [key: string]: unknown }): boolean {
  const { variable } = object
  return typeof variable === 'object' && variable !== null && isTensor(variable)
}
