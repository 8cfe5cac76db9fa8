/**
 * jax-js: makes trees of its arrays (parameters, optimizer states, random keys) fit for saveCheckpoint
 * and restoreCheckpoint. It is known by its shape alone and not imported; written for @jax-js/jax 0.1.
 *
 * Its arrays count references, and most calls on one, `data()` among them, use a reference up. Here
 * none is lost and none is left over: a save takes a reference for each read and uses that up, and a
 * restore gives back the references of the arrays that it replaces.
 */

import { CheckpointError } from '../errors.js'
import { describe } from '../format/attributes.js'
import { arrayType, type DType } from '../format/dtype.js'
import { givenOptions, type OptionNames } from '../options.js'
import type { LoadedTensor, Stateful, TensorData, TensorLike, TypedArray } from '../state.js'
import { checkAccessors } from './tree/leaves.js'
import {
  compareTree,
  flattenTree,
  restoreTree,
  type TensorLeaves,
  type TreeOptions,
} from './tree/tree.js'

/** What is used of a jax-js `Array`. */
export interface JaxArray {
  readonly shape: readonly number[]
  readonly dtype: string
  /** `wasm`, `cpu`, `webgpu`, `webgl`. */
  readonly device: string
  readonly weakType: boolean
  /** The array itself, with one more reference. */
  readonly ref: JaxArray
  readonly refCount: number
  /** Brings the elements, and uses up a reference. */
  data(): Promise<ArrayBufferView>
  dispose(): void
}

/** What is used of jax-js's `numpy`. */
export interface JaxNumpy {
  array(values: never, options?: { shape?: number[]; dtype?: never; device?: never }): JaxArray
}

// What jax-js calls its dtypes, and this library as well.
const DTYPES: ReadonlySet<string> = new Set<DType>([
  'float32',
  'float64',
  'float16',
  'int32',
  'uint32',
  'bool',
])

const OPTIONS: OptionNames<Omit<TreeOptions, 'leaves'>> = { kind: true }

/**
 * A tree of jax-js arrays as something that can be saved and restored. `numpy` is that of jax-js:
 *
 *     const optimizer = jaxTree(numpy, () => optState, (restored) => { optState = restored })
 *
 * The tree may hold what any tree may (see `treeState`): numbers and `[]`, as optax's states do, typed
 * arrays, strings. `get` brings it as it is at a save or restore, and its references stay yours: leave
 * the arrays alive until the save is staged. One that was disposed of by then is CKPT_TENSOR_CHANGED.
 *
 * A restore makes new arrays of the saved bits, on the devices of those that are there, hands `set` the
 * tree with them, and disposes of those that were there before. What stood in two places (tied weights,
 * the same array with a reference for each) does so again. Where the restore fails, or `set` throws,
 * the new ones are disposed of, and those that were there are untouched.
 */
export function jaxTree<Tree>(
  numpy: JaxNumpy,
  get: () => Tree,
  set: (tree: Tree) => void | Promise<void>,
  options: Omit<TreeOptions, 'leaves'> = {},
): Stateful {
  if (typeof numpy?.array !== 'function') {
    throw new TypeError(`expected jax-js's numpy, with array(), not ${describe(numpy)}`)
  }
  checkAccessors('jaxTree', get, set)
  const given = givenOptions('jaxTree', OPTIONS, options)
  return {
    stateDict: () => flattenTree(get(), { ...given, leaves: leavesFor(restoreNothing) }),
    compareStateDict(saved) {
      for (const [, { dtype }] of saved) checkFloat16(dtype)
      return compareTree(saved, get(), { ...given, leaves: leavesFor(restoreNothing) })
    },
    async loadStateDict(state, load) {
      const made: JaxArray[] = []
      const replaced: JaxArray[] = []
      const twins = new Map<JaxArray, JaxArray>()
      const leaves = leavesFor(async (saved, leaf) => {
        const twin = twins.get(leaf)
        const array = twin === undefined ? await arrayOf(numpy, saved, leaf) : twin.ref
        twins.set(leaf, array)
        made.push(array)
        replaced.push(leaf)
        return array
      })
      try {
        const tree = await restoreTree(state, get(), {
          ...given,
          leaves,
          ...(load ?? { afterRestore: true }),
        })
        await set(tree)
      } catch (error) {
        // `set` may have used some of them up before it threw.
        for (const array of made) if (array.refCount > 0) array.dispose()
        throw error
      }
      // One reference for each place. Where `set` has given up the old tree itself, none is left.
      for (const array of replaced) if (array.refCount > 0) array.dispose()
    },
  }
}

type Restore = (saved: LoadedTensor, leaf: JaxArray) => Promise<JaxArray>

function leavesFor(restore: Restore): TensorLeaves<JaxArray> {
  // One array in two places is one tensor under two names.
  const tensors = new Map<JaxArray, TensorLike>()
  const tensorOf = (leaf: JaxArray): TensorLike => ({
    dtype: dtypeOf(leaf),
    shape: [...leaf.shape],
    data: () => elementsOf(leaf),
  })
  return {
    is: isJaxArray,
    save(leaf) {
      const tensor = tensors.get(leaf) ?? tensorOf(leaf)
      tensors.set(leaf, tensor)
      return tensor
    },
    restore,
  }
}

const restoreNothing: Restore = () => Promise.reject(new TypeError('this tree is being saved'))

/** `ref` is looked for and not read: reading it would take a reference. */
function isJaxArray(value: object): value is JaxArray {
  if (!('ref' in value && 'refCount' in value && 'shape' in value)) return false
  const { data, dispose } = value as Partial<JaxArray>
  return typeof data === 'function' && typeof dispose === 'function'
}

function dtypeOf({ dtype }: JaxArray): DType {
  if (!DTYPES.has(dtype)) throw new TypeError(`jax-js's dtype ${dtype} is not known here`)
  return dtype as DType
}

async function elementsOf(leaf: JaxArray): Promise<TensorData> {
  if (leaf.refCount === 0) {
    throw new CheckpointError(
      'CKPT_TENSOR_CHANGED',
      `nothing was saved: a jax-js array (${leaf.dtype} [${leaf.shape}]) was disposed of before it was read; ` +
        'await the save (in the background, `staged`) before the next training step uses it up',
    )
  }
  const elements = await leaf.ref.data()
  // jax-js holds a bool in four bytes; a file, like everybody else, in one.
  return leaf.dtype === 'bool' ? Uint8Array.from(elements as Int32Array) : elements
}

/** A new array of the saved bits, with one reference. */
async function arrayOf(
  numpy: JaxNumpy,
  saved: LoadedTensor,
  { device, weakType, shape }: JaxArray,
): Promise<JaxArray> {
  const array = (values: unknown, options: object) => numpy.array(values as never, options)
  // One that is put on a device by name is bound to it; so only those are that need it.
  const probe = array(0, {})
  const place = probe.device === device ? {} : { device }
  probe.dispose()

  const ArrayType = arrayType(saved.dtype)
  const elements = new ArrayType(saved.byteLength / ArrayType.BYTES_PER_ELEMENT)
  await saved.readInto(elements)
  // A number of JavaScript's, as in np.array(3): its dtype gives way to others in sums.
  if (weakType && shape.length === 0 && saved.dtype === 'float32') return array(elements[0], place)
  const { dtype } = saved
  return array(valuesOf(elements, dtype), { shape: [...saved.shape], dtype, ...place })
}

/** The elements as jax-js takes them. */
function valuesOf(elements: TypedArray, dtype: DType): ArrayBufferView | [] {
  // It fails on a typed array without elements.
  if (elements.length === 0) return []
  if (dtype === 'bool') return Int32Array.from(elements as Uint8Array)
  if (dtype !== 'float16') return elements
  checkFloat16(dtype)
  const { Float16Array: Float16 } = globalThis as unknown as {
    Float16Array: new (buffer: ArrayBufferLike) => ArrayBufferView
  }
  return new Float16(elements.buffer)
}

/** Throws a TypeError for float16 if the engine has no arrays of it, which jax-js needs. */
function checkFloat16(dtype: DType): void {
  if (dtype === 'float16' && !('Float16Array' in globalThis)) {
    throw new TypeError('float16 in jax-js needs an engine with Float16Array')
  }
}
