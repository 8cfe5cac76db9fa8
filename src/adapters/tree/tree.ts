/**
 * Plain state trees: nested objects and arrays of tensors and values, as functional trainers keep their parameters and
 * optimizer states. A saved state is restored into a tree of the same structure, or becomes a new tree
 * (`rebuildTree`).
 */

import { givenOptions, type OptionNames } from '../../options.js'
import { StateMismatchError } from '../../restore/compare.js'
import type { LoadedState, StateFit, Stateful } from '../../state.js'
import { compareLeaves, memoryOf, savedLeaves, type TreeFit } from './fit.js'
import { checkSaved, copyOf, flattenTree, TREE_OPTIONS, type TreeOptions } from './flatten.js'
import { buildTree, checkAccessors, leavesOf, type TreeLeaf } from './leaves.js'

export { type PytorchStyle, type PytorchStyleOptions, pytorchStyle } from './convention.js'
export { flattenTree, rebuildTree, type TreeOptions } from './flatten.js'
export type { TensorLeaves } from './leaves.js'

const RESTORE_OPTIONS: OptionNames<RestoreTreeOptions> = {
  ...TREE_OPTIONS,
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
  const given = givenOptions('treeState', TREE_OPTIONS, options)
  return {
    stateDict: () => flattenTree(get(), given),
    compareStateDict: (saved) => compareTree(saved, get(), given),
    async loadStateDict(state, load) {
      await set(await restoreTree(state, get(), { ...given, ...(load ?? { afterRestore: true }) }))
    },
  }
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
  const { leaves: own } = givenOptions('compareTree', TREE_OPTIONS, options)
  return compareLeaves(state, [...leavesOf(template, own)], savedLeaves(state))
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
