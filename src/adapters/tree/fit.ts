/**
 * Compares a saved state with the tree that it will be restored into: which leaves are missing, which are unexpected,
 * and which do not match. It changes nothing.
 */

import type { Attribute } from '../../format/attributes.js'
import {
  bytesOf,
  type LoadedState,
  type LoadedTensor,
  type StateFit,
  type TensorData,
} from '../../state.js'
import type { TensorLeaf, TreeLeaf } from './leaves.js'

/** The values by their paths; undefined for a tensor. */
export function savedLeaves(state: LoadedState): ReadonlyMap<string, Attribute | undefined> {
  const saved = new Map<string, Attribute | undefined>()
  for (const path of state.keys()) saved.set(path, undefined)
  for (const [path, entry] of Object.entries(state.attributes)) {
    if (!saved.has(path)) saved.set(path, entry)
  }
  return saved
}

/** How a saved state fits a tree, by paths. */
export type TreeFit = Required<Pick<StateFit, 'missing' | 'unexpected' | 'mismatched'>>

/**
 * Compares `saved`, the leaves of `state`, with those of a tree. Reads tensors only if one stands in two places of the
 * tree. Throws a TypeError for a leaf that cannot be restored into.
 */
export async function compareLeaves(
  state: LoadedState,
  leaves: readonly TreeLeaf[],
  saved: ReadonlyMap<string, Attribute | undefined>,
): Promise<TreeFit> {
  const here = new Map(leaves.map((leaf) => [leaf.path, leaf]))
  const missing: string[] = []
  const mismatched: TreeFit['mismatched'][number][] = []
  for (const [path, leaf] of here) {
    const expected = shown(leaf)
    if (leaf.tensor !== undefined && !leaf.own) memoryOf(leaf)
    if (!saved.has(path)) missing.push(path)
    else {
      const entry = saved.get(path)
      const actual = entry === undefined ? shownTensor(state.get(path)) : shownValue(entry)
      if (expected !== actual) mismatched.push({ name: path, expected, actual })
    }
  }
  const unexpected = [...saved.keys()].filter((path) => !here.has(path))
  if (mismatched.length === 0) {
    for (const [path, twin] of tiesOf(leaves)) {
      if (!state.has(path) || !state.has(twin)) continue
      if (await sameElements(state.get(path), state.get(twin))) continue
      const expected = `the same tensor as ${twin}`
      mismatched.push({ name: path, expected, actual: 'another one' })
    }
  }
  return { missing, unexpected, mismatched }
}

/** The tensors that also stand in an earlier place of the tree, with the path of that place. */
function* tiesOf(leaves: readonly TreeLeaf[]): Generator<readonly [path: string, twin: string]> {
  const known = new Map<object, Map<string, string>>()
  for (const leaf of leaves) {
    if (leaf.tensor === undefined) continue
    const bytes = leaf.own ? undefined : bytesOf(memoryOf(leaf))
    const origin = bytes?.buffer ?? leaf.value
    const range = bytes === undefined ? '' : `${bytes.byteOffset}+${bytes.byteLength}`
    const ranges = known.get(origin) ?? new Map<string, string>()
    known.set(origin, ranges)
    const twin = ranges.get(range)
    if (twin === undefined) ranges.set(range, leaf.path)
    else yield [leaf.path, twin]
  }
}

/** Whether two tensors of the same length are equal, bit for bit. Reads both. */
export async function sameElements(a: LoadedTensor, b: LoadedTensor): Promise<boolean> {
  const [left, right] = [bytesOf(await a.read()), bytesOf(await b.read())]
  return left.every((byte, i) => byte === right[i])
}

function shown(leaf: TreeLeaf): string {
  if (leaf.tensor === undefined) return shownValue(leaf.value)
  return shownTensor({ dtype: leaf.dtype, shape: leaf.tensor.shape })
}

function shownTensor({ dtype, shape }: { dtype: string | undefined; shape: readonly number[] }) {
  return `${dtype} [${shape.join(', ')}]`
}

/** Values may differ, and even change their type: `best` is null at first, and a number later. */
function shownValue(value: Attribute): string {
  if (Array.isArray(value)) return 'an empty array'
  return typeof value === 'object' && value !== null ? 'an empty object' : 'a value'
}

/** The memory of a tensor in a tree, which is the caller's. Throws a TypeError if there is none. */
export function memoryOf({ path, tensor }: TensorLeaf): TensorData {
  if (typeof tensor.data === 'function') {
    throw new TypeError(`${path} is fetched by a function, so that nothing can be restored into it`)
  }
  return tensor.data
}
