/**
 * Plain state trees: nested objects and arrays of tensors and values, as functional trainers keep their parameters and
 * optimizer states. A tree becomes a state (named tensors and attributes). A saved state becomes exactly that tree
 * again, or is restored into one of the same structure.
 *
 * A tensor is named by its path, `layers[0].weight` (see `treePath`). If every leaf is a tensor with a shape, that is
 * all. Otherwise the attributes list every leaf by its path, in order: a value, an empty array or an empty object as it
 * is, and for a tensor its kind, `tensor` or the name of its typed array's class.
 */

import { type Attribute, type Attributes, describe } from '../../format/attributes.js'
import { arrayType } from '../../format/dtype.js'
import { givenOptions, type OptionNames } from '../../options.js'
import { StateMismatchError } from '../../restore/compare.js'
import type {
  LoadedState,
  LoadedTensor,
  State,
  StateFit,
  Stateful,
  TypedArray,
} from '../../state.js'
import { compareLeaves, memoryOf, savedLeaves, type TreeFit } from './fit.js'
import {
  buildTree,
  checkAccessors,
  leavesOf,
  TENSOR,
  type TensorLeaves,
  type TreeLeaf,
} from './leaves.js'

export { type PytorchStyle, type PytorchStyleOptions, pytorchStyle } from './convention.js'
export type { TensorLeaves } from './leaves.js'

/** Options for how a tree becomes a state. */
export interface TreeOptions {
  /** How to treat tensors that are not plain memory. */
  readonly leaves?: TensorLeaves | undefined
  /** The class of the object that the tree belongs to, e.g. `AdamW`. */
  readonly kind?: string | undefined
}

const OPTIONS: OptionNames<TreeOptions> = { leaves: true, kind: true }
const RESTORE_OPTIONS: OptionNames<RestoreTreeOptions> = {
  ...OPTIONS,
  strict: true,
  afterRestore: true,
}

/**
 * A tree as a Stateful: `treeState(() => params, (p) => { params = p })`.
 *
 * `get` returns the current tree. A restore copies tensors into the arrays of that tree. It passes `set` a tree of new
 * objects and arrays, with these tensors and the saved values. Both trees must have the same structure: a
 * StateMismatchError lists every difference before the restore changes anything. With `strict: false`, leaves that only
 * one side has are skipped. For a tree of unknown structure, see `rebuildTree`.
 */
export function treeState<Tree>(
  get: () => Tree,
  set: (tree: Tree) => void | Promise<void>,
  options: TreeOptions = {},
): Stateful {
  checkAccessors('treeState', get, set)
  const given = givenOptions('treeState', OPTIONS, options)
  return {
    stateDict: () => flattenTree(get(), given),
    compareStateDict: (saved) => compareTree(saved, get(), given),
    async loadStateDict(state, load) {
      await set(await restoreTree(state, get(), { ...given, ...(load ?? { afterRestore: true }) }))
    },
  }
}

/**
 * The state of a tree. Tensors are typed arrays (of one dimension), `{ shape, data, dtype? }`, or the `leaves` of the
 * options. Values are numbers, bigints, strings, booleans and null. Objects and arrays may be empty. Nothing is copied.
 *
 * Throws a TypeError with the path for anything else: undefined, a function, an instance of a class.
 */
export function flattenTree(tree: unknown, options: TreeOptions = {}): State {
  const { leaves: own, kind } = givenOptions('flattenTree', OPTIONS, options)
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

/** Options of `restoreTree`. */
export interface RestoreTreeOptions extends TreeOptions {
  /** False: leaves that only one side has stay as they are. A mismatch is still an error. */
  readonly strict?: boolean | undefined
  /**
   * Like `strict: false` if the leaves that only one side has include tensors. For a `loadStateDict` that is not told
   * whether the restore is strict.
   */
  readonly afterRestore?: boolean | undefined
}

/**
 * Restores a saved state into `template`, a tree of the same structure. Returns a tree of new objects and arrays, with
 * the saved values and the template's own tensors, which the saved bytes overwrite. (Tensors that the `leaves` of the
 * options handle are what these return.)
 *
 * Throws a StateMismatchError that lists every leaf that is missing, unexpected, of another dtype or shape, or a value
 * on one side and a tensor on the other. Nothing has been changed then.
 */
export async function restoreTree<Tree>(
  state: LoadedState,
  template: Tree,
  options: RestoreTreeOptions = {},
): Promise<Tree> {
  const given = givenOptions('restoreTree', RESTORE_OPTIONS, options)
  const { leaves: own, strict = true, afterRestore = false } = given
  checkSaved('restoreTree', state)
  const leaves = [...leavesOf(template, own)]
  const saved = savedLeaves(state)
  const fit = await compareLeaves(state, leaves, saved)
  const onOneSide = [...fit.missing, ...fit.unexpected]
  const skips = afterRestore && onOneSide.some((path) => isTensorIn(path, leaves, state))
  if (fit.mismatched.length > 0 || (strict && !skips && onOneSide.length > 0)) {
    throw mismatchError(state.name, fit)
  }

  const restored = new Map<string, unknown>()
  // New tensors come first: making them may fail, and no memory has been written then.
  for (const leaf of leaves) {
    if (leaf.tensor === undefined || !leaf.own || !state.has(leaf.path)) continue
    restored.set(leaf.path, await own!.restore(state.get(leaf.path), leaf.value))
  }
  for (const leaf of leaves) {
    const { path, tensor, value } = leaf
    if (tensor === undefined) restored.set(path, copyOf(saved.has(path) ? saved.get(path)! : value))
    else if (!leaf.own && state.has(path)) await state.get(path).readInto(memoryOf(leaf))
  }
  return buildTree(
    leaves.map(({ path, value }) => [path, restored.has(path) ? restored.get(path) : value]),
  ) as Tree
}

/**
 * How a saved state fits `template`, for a `compareStateDict`. Reads no tensor, unless one stands in two places of the
 * template. Throws a TypeError if a tensor of the template cannot be restored into.
 */
export function compareTree(
  state: LoadedState,
  template: unknown,
  options: TreeOptions = {},
): Promise<StateFit> {
  const { leaves: own } = givenOptions('compareTree', OPTIONS, options)
  return compareLeaves(state, [...leavesOf(template, own)], savedLeaves(state))
}

/** Throws a TypeError if `state` is not a saved state but, for example, a whole checkpoint or its path. */
function checkSaved(caller: string, state: unknown): void {
  if (typeof (state as Partial<LoadedState> | null)?.keys === 'function') return
  throw new TypeError(
    `${caller} needs a state of a checkpoint, such as (await loadCheckpoint(path)).model; ` +
      `found ${describe(state)}`,
  )
}

function isTensorIn(path: string, leaves: readonly TreeLeaf[], state: LoadedState): boolean {
  return state.has(path) || leaves.some((leaf) => leaf.path === path && leaf.tensor !== undefined)
}

function mismatchError(state: string, { missing, unexpected, mismatched }: TreeFit): Error {
  const lines = [
    ...missing.map((path) => `missing from the checkpoint: ${path}`),
    ...unexpected.map((path) => `unexpected in the checkpoint: ${path}`),
    ...mismatched.map(
      ({ name, expected, actual }) =>
        `mismatched: ${name} is ${expected} here and ${actual} in the checkpoint`,
    ),
  ]
  const keys = (paths: readonly string[]) => paths.map((tensor) => ({ state, tensor }))
  return new StateMismatchError(
    `the tree of ${state} has another structure:\n  ${lines.join('\n  ')}`,
    {
      missing: keys(missing),
      unexpected: keys(unexpected),
      mismatched: mismatched.map(({ name, ...rest }) => ({ state, tensor: name, ...rest })),
      missingStates: [],
    },
  )
}

function entryOf(leaf: TreeLeaf): Attribute {
  return leaf.tensor === undefined ? leaf.value : leaf.mark
}

/** Copied so that two trees do not share an empty array or object. */
function copyOf(value: Attribute): Attribute {
  if (Array.isArray(value)) return [...value]
  return typeof value === 'object' && value !== null ? { ...value } : value
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
