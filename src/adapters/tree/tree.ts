/**
 * Plain state trees: nested objects and arrays with tensors and values in them, as functional trainers
 * keep their parameters and optimizer states. A tree becomes a state (named tensors and attributes),
 * and a saved state becomes exactly that tree again, or is restored into one of the same structure.
 *
 * A tensor is named by its path, `layers[0].weight` (see tree-path). Where every leaf is a tensor with
 * a shape, that is all. Otherwise the attributes list every leaf by its path, in order: a value as it
 * is, an empty array or object as such, and for a tensor what it is made of, `tensor` or the name of
 * its typed array's class.
 */

import type { Attribute, Attributes } from '../../format/attributes.js'
import { arrayType } from '../../format/dtype.js'
import { StateMismatchError, type TensorKey, type TensorMismatch } from '../../restore/compare.js'
import type {
  LoadedState,
  LoadedTensor,
  State,
  Stateful,
  TensorData,
  TypedArray,
} from '../../state.js'
import {
  buildTree,
  leavesOf,
  TENSOR,
  type TensorLeaf,
  type TensorLeaves,
  type TreeLeaf,
} from './leaves.js'

export type { TensorLeaves } from './leaves.js'

export interface TreeOptions {
  /** Tensors that are no plain memory. */
  readonly leaves?: TensorLeaves
  /** What the tree is the state of, e.g. `AdamW`. */
  readonly kind?: string
}

/**
 * A tree as something that can be saved and restored: `treeState(() => params, (p) => { params = p })`.
 *
 * `get` brings the tree as it is at a save or restore. A restore copies tensors into the arrays that
 * are in it and hands `set` a tree of new objects and arrays, with these tensors and with the values
 * that were saved. Both trees have to have the same structure: else a StateMismatchError lists every
 * difference, and nothing is changed. For a tree whose structure is not known, see `rebuildTree`.
 */
export function treeState<Tree>(
  get: () => Tree,
  set: (tree: Tree) => void | Promise<void>,
  options: TreeOptions = {},
): Stateful {
  return {
    stateDict: () => flattenTree(get(), options),
    async loadStateDict(state) {
      await set(await restoreTree(state, get(), { ...options, afterRestore: true }))
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
export function flattenTree(tree: unknown, { leaves: own, kind }: TreeOptions = {}): State {
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
  {
    leaves: own,
    afterRestore = false,
  }: TreeOptions & {
    /**
     * Within a `loadStateDict`: the names of tensors have been compared already. Where they differ all
     * the same, the caller of the restore has chosen `strict: false`, and leaves that are on one side
     * alone are left as they are.
     */
    readonly afterRestore?: boolean
  } = {},
): Promise<Tree> {
  const leaves = [...leavesOf(template, own)]
  const saved = savedLeaves(state)
  compare(state, leaves, saved, afterRestore)

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

/** Values by their paths; undefined for a tensor. */
function savedLeaves(state: LoadedState): ReadonlyMap<string, Attribute | undefined> {
  const saved = new Map<string, Attribute | undefined>()
  for (const path of state.keys()) saved.set(path, undefined)
  for (const [path, entry] of Object.entries(state.attributes)) {
    if (!saved.has(path)) saved.set(path, entry)
  }
  return saved
}

function compare(
  state: LoadedState,
  leaves: readonly TreeLeaf[],
  saved: ReadonlyMap<string, Attribute | undefined>,
  afterRestore: boolean,
): void {
  const missing: TensorKey[] = []
  const unexpected: TensorKey[] = []
  const mismatched: TensorMismatch[] = []
  const here = new Map(leaves.map((leaf) => [leaf.path, leaf]))
  for (const [path, leaf] of here) {
    const key = { state: state.name, tensor: path }
    const expected = shown(leaf)
    if (!saved.has(path)) missing.push(key)
    else {
      const entry = saved.get(path)
      const actual = entry === undefined ? shownTensor(state.get(path)) : shownValue(entry)
      if (expected !== actual) mismatched.push({ ...key, expected, actual })
    }
  }
  for (const path of saved.keys()) {
    if (!here.has(path)) unexpected.push({ state: state.name, tensor: path })
  }
  const isTensor = ({ tensor: path }: TensorKey) =>
    here.get(path)?.tensor !== undefined || state.has(path)
  const skips = afterRestore && [...missing, ...unexpected].some(isTensor)
  if (mismatched.length === 0 && (skips || missing.length + unexpected.length === 0)) return
  const lines = [
    ...missing.map(({ tensor }) => `missing from the checkpoint: ${tensor}`),
    ...unexpected.map(({ tensor }) => `unexpected in the checkpoint: ${tensor}`),
    ...mismatched.map(
      ({ tensor, expected, actual }) =>
        `mismatched: ${tensor} is ${expected} here and ${actual} in the checkpoint`,
    ),
  ]
  throw new StateMismatchError(
    `the tree of ${state.name} has another structure:\n  ${lines.join('\n  ')}`,
    { missing, unexpected, mismatched, missingStates: [] },
  )
}

function shown(leaf: TreeLeaf): string {
  if (leaf.tensor === undefined) return shownValue(leaf.value)
  return shownTensor({ dtype: leaf.dtype, shape: leaf.tensor.shape })
}

function shownTensor({ dtype, shape }: { dtype: string | undefined; shape: readonly number[] }) {
  return `${dtype} [${shape.join(', ')}]`
}

/** Values may differ, and be of another type: `best` is null at first, and a number later. */
function shownValue(value: Attribute): string {
  if (Array.isArray(value)) return 'an empty array'
  return typeof value === 'object' && value !== null ? 'an empty object' : 'a value'
}

function entryOf(leaf: TreeLeaf): Attribute {
  return leaf.tensor === undefined ? leaf.value : leaf.mark
}

/** So that an empty array or object in two trees is not the same one. */
function copyOf(value: Attribute): Attribute {
  if (Array.isArray(value)) return [...value]
  return typeof value === 'object' && value !== null ? { ...value } : value
}

function memoryOf({ path, tensor }: TensorLeaf): TensorData {
  if (typeof tensor.data === 'function') {
    throw new TypeError(`${path} is fetched by a function, so that nothing can be restored into it`)
  }
  return tensor.data
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
