/**
 * A tree becomes a state (named tensors and attributes), and a saved state becomes exactly that tree again, in new
 * memory.
 *
 * A tensor is named by its path, `layers[0].weight` (see `treePath`). If every leaf is a tensor with a shape, that is
 * all. Otherwise the attributes list every leaf by its path, in order: a value, an empty array or an empty object as it
 * is, and for a tensor its kind, `tensor` or the name of its typed array's class.
 */

import { type Attribute, type Attributes, describe } from '../../format/attributes.js'
import { arrayType } from '../../format/dtype.js'
import { givenOptions, type OptionNames } from '../../options.js'
import type { LoadedState, LoadedTensor, State, TypedArray } from '../../state.js'
import { buildTree, leavesOf, TENSOR, type TensorLeaves, type TreeLeaf } from './leaves.js'

/** Options for how a tree becomes a state. */
export interface TreeOptions {
  /** How to treat tensors that are not plain memory. */
  readonly leaves?: TensorLeaves | undefined
  /** The class of the object that the tree belongs to, e.g. `AdamW`. */
  readonly kind?: string | undefined
}

/** The options' names, for the functions that take more. */
export const TREE_OPTIONS: OptionNames<TreeOptions> = { leaves: true, kind: true }

/**
 * The state of a tree. Tensors are typed arrays (of one dimension), `{ shape, data, dtype? }`, or the `leaves` of the
 * options. Values are numbers, bigints, strings, booleans and null. Objects and arrays may be empty. Nothing is copied.
 *
 * Throws a TypeError with the path for anything else: undefined, a function, an instance of a class.
 */
export function flattenTree(tree: unknown, options: TreeOptions = {}): State {
  const { leaves: own, kind } = givenOptions('flattenTree', TREE_OPTIONS, options)
  const leaves = [...leavesOf(tree, own)]
  const tensors = leaves
    .filter((leaf) => leaf.tensor !== undefined)
    .map(({ path, tensor }) => [path, tensor] as const)
  const listed = leaves.some((leaf) => leaf.tensor === undefined || leaf.mark !== TENSOR)
  const attributes = listed
    ? (Object.fromEntries(leaves.map((leaf) => [leaf.path, entryOf(leaf)])) as Attributes)
    : {}
  return { tensors, attributes, ...(kind === undefined ? {} : { kind }) }
}

/**
 * The saved tree in new memory, which the caller owns: typed arrays where typed arrays were, and `{ dtype, shape, data
 * }` where tensors had a shape. `make` returns another form of the latter.
 *
 * Also takes states that were not saved from a tree, if their names are paths: `a.b` is the key `b` of an object `a`,
 * and `m/dense` is one key. Throws a TypeError if they are not.
 */
export async function rebuildTree(
  state: LoadedState,
  make: (saved: LoadedTensor) => unknown = tensorOf,
): Promise<unknown> {
  checkSaved('rebuildTree', state)
  const leaves: [path: string, value: unknown][] = []
  const listed = Object.keys(state.attributes)
  for (const path of listed.length > 0 ? listed : state.keys()) {
    const entry = state.attributes[path]!
    if (!state.has(path)) leaves.push([path, copyOf(entry)])
    else
      leaves.push([
        path,
        (await typedArrayOf(state.get(path), entry)) ?? (await make(state.get(path))),
      ])
  }
  if (listed.length > 0) {
    for (const path of state.keys()) {
      if (!Object.hasOwn(state.attributes, path)) {
        throw new TypeError(
          `this state is not a tree: its attributes do not list the tensor ${path}`,
        )
      }
    }
  }
  return buildTree(leaves)
}

/** Throws a TypeError if `state` is not a saved state but, for example, a whole checkpoint or its path. */
export function checkSaved(caller: string, state: unknown): void {
  if (typeof (state as Partial<LoadedState> | null)?.keys === 'function') return
  throw new TypeError(
    `${caller} needs a state of a checkpoint, such as (await loadCheckpoint(path)).model; ` +
      `found ${describe(state)}`,
  )
}

/** Copied so that two trees do not share an empty array or object. */
export function copyOf(value: Attribute): Attribute {
  if (Array.isArray(value)) return [...value]
  return typeof value === 'object' && value !== null ? { ...value } : value
}

function entryOf(leaf: TreeLeaf): Attribute {
  return leaf.tensor === undefined ? leaf.value : leaf.mark
}

/** `{ dtype, shape, data }` in new memory. */
async function tensorOf(saved: LoadedTensor) {
  const { dtype, shape } = saved
  return { dtype, shape: [...shape], data: await elementsOf(saved) }
}

async function elementsOf(saved: LoadedTensor): Promise<TypedArray> {
  const ArrayType = arrayType(saved.dtype)
  const elements = new ArrayType(saved.byteLength / ArrayType.BYTES_PER_ELEMENT)
  await saved.readInto(elements)
  return elements
}

/** A typed array of the class `mark`, or undefined if the tensor was not one. */
async function typedArrayOf(saved: LoadedTensor, mark: unknown): Promise<unknown> {
  if (saved.shape.length !== 1 || typeof mark !== 'string' || !mark.endsWith('Array'))
    return undefined
  const elements = await elementsOf(saved)
  if (elements[Symbol.toStringTag] === mark) return elements
  // Two classes besides those that dtypes are read as: Uint8ClampedArray, and Float16Array if the engine has it
  // (otherwise its raw bits).
  if (mark === 'Uint8ClampedArray' && saved.dtype === 'uint8') {
    return new Uint8ClampedArray(elements.buffer)
  }
  if (mark === 'Float16Array' && saved.dtype === 'float16') {
    const { Float16Array: Float16 } = globalThis as {
      Float16Array?: new (buffer: ArrayBufferLike) => ArrayBufferView
    }
    return Float16 === undefined ? elements : new Float16(elements.buffer)
  }
  return undefined
}
