/**
 * The leaves of a tree: tensors, and values that attributes hold. Walks a nested structure of plain
 * objects and arrays, and builds one from its leaves again. A leaf is named by its path, which is what
 * tensors and attributes are called in a file:
 *
 *     layers[0].weight    the key `layers`, the item 0 of an array, the key `weight`
 *     ["a.b"].c           a key of any other characters is quoted, as JSON has it
 *     $                   the root, if the whole tree is one leaf
 *
 * A path says of every container whether it is an array or an object, and no two leaves share one.
 */

import { type Attribute, describe, isPlainObject, setKey } from '../../format/attributes.js'
import { type DType, dtypeOfArray } from '../../format/dtype.js'
import { isTensorData, type LoadedTensor, type TensorLike } from '../../state.js'

/**
 * How a save and a restore treat tensors that are not plain memory, such as a framework's arrays on a device. Typed
 * arrays and `{ shape, data, dtype? }` need none of this.
 */
export interface TensorLeaves<Leaf extends object = object> {
  is(value: object): value is Leaf
  /** The tensor as a save takes it. Restores call it too, so it should not read anything yet. */
  save(leaf: Leaf): TensorLike
  /** The value that replaces `leaf` in the restored tree. */
  restore(saved: LoadedTensor, leaf: Leaf): Leaf | Promise<Leaf>
}

/** A tensor in a tree. */
export interface TensorLeaf {
  readonly path: string
  /** The value in the tree. */
  readonly value: object
  readonly tensor: TensorLike
  readonly dtype: DType | undefined
  /** The kind of the tensor: the name of its typed array's class, or `tensor` if it has a shape. */
  readonly mark: string
  /** Whether the caller's own `TensorLeaves` handle it. */
  readonly own: boolean
}

/** A value in a tree, or an empty array or object. */
export interface ValueLeaf {
  readonly path: string
  readonly tensor?: undefined
  readonly value: Attribute
}

/** A leaf of a tree, with its path: a tensor, or a value that attributes hold. */
export type TreeLeaf = TensorLeaf | ValueLeaf

/** The mark of a tensor that has a shape of its own. */
export const TENSOR = 'tensor'

// Far beyond any model. It stops the walk of a tree that contains itself.
const MAX_DEPTH = 100

const TENSOR_KEYS: ReadonlySet<string> = new Set(['dtype', 'shape', 'data'])

/**
 * The leaves of `tree`, in its order. Throws a TypeError with the path for anything that is not a container, a tensor
 * or a value: undefined, a function, an instance of a class.
 */
export function* leavesOf(tree: unknown, own?: TensorLeaves): Generator<TreeLeaf> {
  yield* walk(tree, [], own)
}

function* walk(
  value: unknown,
  segments: readonly PathSegment[],
  own: TensorLeaves | undefined,
): Generator<TreeLeaf> {
  const path = treePath(segments)
  if (typeof value !== 'object' || value === null) {
    if (!isValue(value)) throw new TypeError(`${path} is ${describe(value)}, which is not a leaf`)
    yield { path, value }
    return
  }
  const leaf = tensorLeaf(value, path, own)
  if (leaf !== undefined) {
    yield leaf
    return
  }
  if (segments.length >= MAX_DEPTH) {
    throw new TypeError(`${path} is nested more than ${MAX_DEPTH} levels deep (or in itself)`)
  }
  if (Array.isArray(value)) {
    if (value.length === 0) yield { path, value: [] }
    // By index, so that a hole is found and not skipped.
    for (let i = 0; i < value.length; i++) yield* walk(value[i], [...segments, i], own)
  } else if (isPlainObject(value)) {
    const keys = Object.keys(value)
    if (keys.length === 0) yield { path, value: {} }
    for (const key of keys) yield* walk(value[key], [...segments, key], own)
  } else {
    throw new TypeError(
      `${path} is ${describe(value)}: a tree is made of plain objects and arrays, with tensors, ` +
        'typed arrays, numbers, bigints, strings, booleans and null in them',
    )
  }
}

function isValue(value: unknown): value is null | boolean | number | bigint | string {
  return value === null || ['boolean', 'number', 'bigint', 'string'].includes(typeof value)
}

function tensorLeaf(
  value: object,
  path: string,
  own: TensorLeaves | undefined,
): TensorLeaf | undefined {
  if (own?.is(value)) {
    const tensor = own.save(value)
    const dtype = tensor.dtype ?? dtypeOfArray(tensor.data)
    return { path, value, tensor, dtype, mark: TENSOR, own: true }
  }
  if (ArrayBuffer.isView(value)) {
    const dtype = dtypeOfArray(value)
    // A DataView, which does not tell the dtype of its elements.
    if (dtype === undefined) throw new TypeError(`${path} is ${describe(value)}, without a dtype`)
    const tensor = { dtype, shape: [(value as Uint8Array).length], data: value }
    const mark = (value as Uint8Array)[Symbol.toStringTag]
    return { path, value, tensor, dtype, mark, own: false }
  }
  if (!isTensor(value)) return undefined
  const dtype = value.dtype ?? dtypeOfArray(value.data)
  return { path, value, tensor: value, dtype, mark: TENSOR, own: false }
}

/** `{ shape, data, dtype? }` and no other keys, or an instance of a class that has these. */
function isTensor(value: object): value is TensorLike {
  if (!('data' in value && 'shape' in value) || !Array.isArray(value.shape)) return false
  const { data } = value
  const isMemory = isTensorData(data) || typeof data === 'function'
  return isMemory && (!isPlainObject(value) || Object.keys(value).every((k) => TENSOR_KEYS.has(k)))
}

/**
 * Builds a tree of leaves, in their order. Throws a TypeError if the paths are not those of one tree: an invalid path,
 * an array with gaps, a leaf within a leaf.
 */
export function buildTree(leaves: Iterable<readonly [path: string, value: unknown]>): unknown {
  const holder: unknown[] = []
  const containers = new Set<unknown>([holder])
  for (const [path, value] of leaves) {
    const segments = segmentsOf(path)
    if (segments === undefined || segments.length > MAX_DEPTH) throw noTree(path)
    let container: unknown = holder
    let segment: PathSegment = 0
    for (const next of segments) {
      let child = childOf(container, segment)
      if (child === undefined) {
        child = typeof next === 'number' ? [] : {}
        containers.add(child)
        if (!add(container, segment, child)) throw noTree(path)
      }
      if (!containers.has(child) || Array.isArray(child) !== (typeof next === 'number')) {
        throw noTree(path)
      }
      container = child
      segment = next
    }
    if (childOf(container, segment) !== undefined || !add(container, segment, value)) {
      throw noTree(path)
    }
  }
  return holder.length === 0 ? {} : holder[0]
}

function childOf(container: unknown, segment: PathSegment): unknown {
  return Object.hasOwn(container as object, segment)
    ? (container as { [key: PathSegment]: unknown })[segment]
    : undefined
}

/** Returns false for an item that is not the next one of its array. */
function add(container: unknown, segment: PathSegment, value: unknown): boolean {
  if (typeof segment === 'string') setKey(container as { [key: string]: unknown }, segment, value)
  else if (segment !== (container as unknown[]).length) return false
  else (container as unknown[]).push(value)
  return true
}

function noTree(path: string): TypeError {
  return new TypeError(`this state is not a tree: ${JSON.stringify(path)} does not fit into one`)
}

/** One step down: a key of an object, or an index of an array. */
export type PathSegment = string | number

// Keys that need no quotes: letters, digits and the characters that commonly join names. Dots and brackets separate,
// and `$` is the root, so they are not among them.
const PLAIN = '[\\p{L}\\p{M}\\p{N}_/:@-]+'
const PLAIN_KEY = new RegExp(`^${PLAIN}$`, 'u')
const NEXT_SEGMENT = new RegExp(`\\.?(${PLAIN})|\\[(\\d+)\\]|\\[("(?:[^"\\\\]|\\\\.)*")\\]`, 'uy')
const ROOT = '$'

/** The path of these segments. */
export function treePath(segments: readonly PathSegment[]): string {
  return segments.length === 0 ? ROOT : segments.reduce(joined, '')
}

/** The segments of a path, or undefined if `path` is not exactly what `treePath` returns for them. */
export function segmentsOf(path: string): readonly PathSegment[] | undefined {
  if (path === ROOT) return []
  const segments: PathSegment[] = []
  NEXT_SEGMENT.lastIndex = 0
  while (NEXT_SEGMENT.lastIndex < path.length) {
    const match = NEXT_SEGMENT.exec(path)
    if (match === null) return undefined
    const [, plain, index, quoted] = match
    const segment = plain ?? (index === undefined ? unquoted(quoted!) : Number(index))
    if (segment === undefined) return undefined
    segments.push(segment)
  }
  // One spelling for each path: otherwise `["a"]` would be another name for `a`.
  return segments.length > 0 && treePath(segments) === path ? segments : undefined
}

function joined(path: string, segment: PathSegment): string {
  if (typeof segment === 'number') return `${path}[${segment}]`
  if (!PLAIN_KEY.test(segment)) return `${path}[${JSON.stringify(segment)}]`
  return path === '' ? segment : `${path}.${segment}`
}

function unquoted(text: string): string | undefined {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Throws a TypeError unless `get` and `set` are functions. `caller` is the function that takes them. */
export function checkAccessors(caller: string, get: unknown, set: unknown): void {
  for (const [what, value] of [
    ['get the tree', get],
    ['set the tree', set],
  ] as const) {
    if (typeof value === 'function') continue
    throw new TypeError(
      `${caller} needs a function to ${what}, () => tree and (restored) => { tree = restored }; ` +
        `found ${describe(value)}`,
    )
  }
}
