/**
 * Plain state trees: nested objects and arrays with tensors and values in them, as functional trainers
 * keep their parameters and optimizer states. A tree becomes a state (named tensors and attributes),
 * and a saved state becomes exactly that tree again, or is restored into one of the same structure.
 *
 * A tensor is named by its path, `layers[0].weight` (see `treePath`). Where every leaf is a tensor with
 * a shape, that is all. Otherwise the attributes list every leaf by its path, in order: a value as it
 * is, an empty array or object as such, and for a tensor what it is made of, `tensor` or the name of
 * its typed array's class.
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

export type { TensorLeaves } from './leaves.js'

/** How a tree becomes a state. */
export interface TreeOptions {
  /** Tensors that are no plain memory. */
  readonly leaves?: TensorLeaves | undefined
  /** What the tree is the state of, e.g. `AdamW`. */
  readonly kind?: string | undefined
}

const OPTIONS: OptionNames<TreeOptions> = { leaves: true, kind: true }
const RESTORE_OPTIONS: OptionNames<RestoreTreeOptions> = {
  ...OPTIONS,
  strict: true,
  afterRestore: true,
}

/**
 * A tree as something that can be saved and restored: `treeState(() => params, (p) => { params = p })`.
 *
 * `get` brings the tree as it is at a save or restore. A restore copies tensors into the arrays that
 * are in it and hands `set` a tree of new objects and arrays, with these tensors and with the values
 * that were saved. Both trees must have the same structure: a StateMismatchError lists every difference,
 * before anything of the restore is changed. With `strict: false`, leaves that one side alone has are
 * skipped. For a tree whose structure is not known, see `rebuildTree`.
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
 * The state of a tree. Tensors are typed arrays (of one dimension), `{ shape, data, dtype? }`, or the
 * `leaves` of the options; values are numbers, bigints, strings, booleans and null; and objects and
 * arrays may be empty. Nothing is copied.
 *
 * Throws a TypeError, with the path, for anything else: undefined, a function, an instance of a class.
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
 * The tree that was saved, with memory of its own: typed arrays where typed arrays were, and
 * `{ dtype, shape, data }` where tensors had a shape. `make` brings another form of these.
 *
 * Also takes states that no tree was the source of, as long as their names are paths: `a.b` is the key
 * `b` of an object `a`, and `m/dense` is one key. Throws a TypeError where they are not.
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
        throw new TypeError(`this state is no tree: its attributes do not list the tensor ${path}`)
      }
    }
  }
  return buildTree(leaves)
}

/** What `restoreTree` takes. */
export interface RestoreTreeOptions extends TreeOptions {
  /** False: leaves that one side alone has are left as they are. What does not match is an error. */
  readonly strict?: boolean | undefined
  /**
   * Like `strict: false` if tensors are among the leaves that one side alone has: for a
   * `loadStateDict` that is not told whether the restore is strict.
   */
  readonly afterRestore?: boolean | undefined
}

/**
 * Restores a saved state into `template`, a tree of the same structure, and returns a tree of new
 * objects and arrays: with the template's own tensors, overwritten by what was saved (or those that
 * the `leaves` of the options made of it), and with the values that were saved.
 *
 * Throws a StateMismatchError that lists every leaf that is missing, unexpected, of another dtype or
 * shape, or a value here and a tensor there; then nothing has been changed.
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
  // Those that are made anew come first: that may fail, and memory is not yet written then.
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
 * How a saved state fits `template`, for a `compareStateDict`. Reads no tensor, unless one stands in two
 * places of the template. Throws a TypeError if there is no way into a tensor of the template.
 */
export function compareTree(
  state: LoadedState,
  template: unknown,
  options: TreeOptions = {},
): Promise<StateFit> {
  const { leaves: own } = givenOptions('compareTree', OPTIONS, options)
  return compareLeaves(state, [...leavesOf(template, own)], savedLeaves(state))
}

/** Throws a TypeError for what is not a saved state: a whole checkpoint, or the path of one. */
function checkSaved(caller: string, state: unknown): void {
  if (typeof (state as Partial<LoadedState> | null)?.keys === 'function') return
  throw new TypeError(
    `${caller} takes a state of a checkpoint, (await loadCheckpoint(path)).model, say; ` +
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

/** So that an empty array or object in two trees is not the same one. */
function copyOf(value: Attribute): Attribute {
  if (Array.isArray(value)) return [...value]
  return typeof value === 'object' && value !== null ? { ...value } : value
}

/** `{ dtype, shape, data }`, with memory of its own. */
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

/** The typed array that `mark` says it was, or undefined where it was none. */
async function typedArrayOf(saved: LoadedTensor, mark: unknown): Promise<unknown> {
  if (saved.shape.length !== 1 || typeof mark !== 'string' || !mark.endsWith('Array'))
    return undefined
  const elements = await elementsOf(saved)
  if (elements[Symbol.toStringTag] === mark) return elements
  // Two classes beside those that dtypes are read as: Uint8ClampedArray, and Float16Array where the
  // engine has it (its raw bits where not).
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
