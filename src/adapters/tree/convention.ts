/**
 * Objects that follow PyTorch's convention: `state_dict()` returns a tree of tensors and values, `load_state_dict(tree)`
 * takes it back. In JavaScript the names are also spelled `stateDict()` and `loadStateDict()`.
 */

import { type Attribute, describe } from '../../format/attributes.js'
import { givenOptions, type OptionNames } from '../../options.js'
import type { LoadedState, LoadedTensor, StateFit, Stateful } from '../../state.js'
import { compareLeaves, savedLeaves } from './fit.js'
import { flattenTree, rebuildTree } from './flatten.js'
import { leavesOf, type TensorLeaves } from './leaves.js'

/** An object with one of the two spellings of PyTorch's convention. */
export type PytorchStyle =
  | { state_dict(): unknown; load_state_dict(tree: never): unknown }
  | { stateDict(): unknown; loadStateDict(tree: never): unknown }

/** Options of `pytorchStyle`. */
export interface PytorchStyleOptions {
  /** How the trees hold tensors that are not plain memory. */
  readonly leaves?: TensorLeaves | undefined
  /** Makes what the trees hold for a tensor; by default a typed array or `{ dtype, shape, data }`. */
  readonly make?: ((saved: LoadedTensor) => unknown) | undefined
  /** What it is the state of, for example `AdamW`. */
  readonly kind?: string | undefined
}

const OPTIONS: OptionNames<PytorchStyleOptions> = { leaves: true, make: true, kind: true }

/**
 * Makes a Stateful of an object that follows PyTorch's convention. Its state dict is a tree as `flattenTree` takes it,
 * or a Map of names; both methods may be asynchronous. A restore hands over a new tree, so that an optimizer that
 * creates its buffers in its first step gets those too: what is null or an empty object or array here may be filled.
 * Every other difference of names, dtypes and shapes is an error before anything is changed.
 *
 * Throws a TypeError if the object has neither spelling.
 */
export function pytorchStyle(object: PytorchStyle, options: PytorchStyleOptions = {}): Stateful {
  const { leaves, make, kind } = givenOptions('pytorchStyle', OPTIONS, options)
  const [save, load] = methodsOf(object)
  const treeOf = async (): Promise<{ tree: unknown; isMap: boolean }> => {
    const dict = await save.call(object)
    const isMap = Object.prototype.toString.call(dict) === '[object Map]'
    return { tree: isMap ? Object.fromEntries(dict as Map<string, unknown>) : dict, isMap }
  }
  return {
    createsTensors: true,
    async stateDict() {
      return flattenTree((await treeOf()).tree, { leaves, kind })
    },
    async compareStateDict(saved) {
      return fitOf(saved, (await treeOf()).tree, leaves)
    },
    async loadStateDict(state) {
      const { isMap } = await treeOf()
      const tree = await rebuildTree(state, make)
      await load.call(object, isMap ? new Map(Object.entries(tree as object)) : tree)
    },
  }
}

type Method = (...given: unknown[]) => unknown

function methodsOf(object: unknown): readonly [save: Method, load: Method] {
  const methods = (object ?? {}) as { readonly [name: string]: unknown }
  for (const [save, load] of [
    ['state_dict', 'load_state_dict'],
    ['stateDict', 'loadStateDict'],
  ] as const) {
    const [first, second] = [methods[save], methods[load]]
    if (typeof first === 'function' && typeof second === 'function') {
      return [first as Method, second as Method]
    }
  }
  throw new TypeError(
    'pytorchStyle needs an object with state_dict() and load_state_dict(), or stateDict() and loadStateDict(); ' +
      `found ${describe(object)}`,
  )
}

async function fitOf(
  saved: LoadedState,
  tree: unknown,
  own: TensorLeaves | undefined,
): Promise<StateFit> {
  const leaves = [...leavesOf(tree, own)]
  const open = leaves.flatMap(({ path, tensor, value }) =>
    tensor === undefined && isEmpty(value as Attribute) ? [path] : [],
  )
  // What replaces the empty one is under its path, or at it; the root has none.
  const isOpen = (path: string) =>
    open.some(
      (one) =>
        one === '$' ||
        path === one ||
        (/^[.[]/.test(path.slice(one.length)) && path.startsWith(one)),
    )
  const { missing, unexpected, mismatched } = await compareLeaves(saved, leaves, savedLeaves(saved))
  return {
    missing: missing.filter((path) => !open.includes(path)),
    unexpected: unexpected.filter((path) => !isOpen(path)),
    mismatched: mismatched.filter(({ name }) => !open.includes(name)),
  }
}

function isEmpty(value: Attribute): boolean {
  if (Array.isArray(value)) return value.length === 0
  return value === null || (typeof value === 'object' && Object.keys(value).length === 0)
}
