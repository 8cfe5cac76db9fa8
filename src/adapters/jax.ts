/**
 * jax-js: makes trees of its arrays (parameters, optimizer states, random keys) fit for saveCheckpoint and
 * restoreCheckpoint. The adapter knows jax-js by its shape alone and does not import it. It was written for @jax-js/jax
 * 0.1.
 *
 * jax-js arrays count references, and most calls on one, including `data()`, use up a reference. The adapter neither
 * loses nor leaks references. A save takes a reference for each read and uses it up; a restore releases the references
 * of the arrays that it replaces.
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

/** The members of a jax-js `Array` that this adapter uses. */
export interface JaxArray {
  readonly shape: readonly number[]
  readonly dtype: string
  /** `wasm`, `cpu`, `webgpu`, `webgl`. */
  readonly device: string
  readonly weakType: boolean
  /** The array itself, with one more reference. */
  readonly ref: JaxArray
  readonly refCount: number
  /** Fetches the elements, and uses up a reference. */
  data(): Promise<ArrayBufferView>
  dispose(): void
}

/** The members of jax-js's `numpy` that this adapter uses. */
export interface JaxNumpy {
  array(values: never, options?: { shape?: number[]; dtype?: never; device?: never }): JaxArray
}

// The dtypes of jax-js; this library has the same names for them.
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
 * A tree of jax-js arrays as a Stateful. `numpy` is that of jax-js:
 *
 *     const optimizer = jaxTree(numpy, () => optState, (restored) => { optState = restored })
 *
 * The tree may hold everything that `treeState` takes: numbers and `[]`, as in optax's states, typed arrays, strings.
 * `get` returns the current tree. Its references stay yours: keep the arrays alive until the save is staged. If one has
 * been disposed of by then, the save fails with CKPT_TENSOR_CHANGED.
 *
 * A restore makes new arrays of the saved bits, on the devices of the current ones, passes `set` a tree with them, and
 * disposes of the current ones. An array that stands in two places (tied weights, with a reference for each place) does
 * so again. If the restore fails, or `set` throws, the new arrays are disposed of and the current ones are untouched.
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
      // One reference for each place. If `set` has released the old tree itself, none is left.
      for (const array of replaced) if (array.refCount > 0) array.dispose()
    },
  }
}

type Restore = (saved: LoadedTensor, leaf: JaxArray) => Promise<JaxArray>

function leavesFor(restore: Restore): TensorLeaves<JaxArray> {
  // An array in two places is one tensor under two names.
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

/** Looks for `ref` without reading it, because reading takes a reference. */
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
  // jax-js holds a bool in four bytes; a file, like every other format, holds it in one.
  return leaf.dtype === 'bool' ? Uint8Array.from(elements as Int32Array) : elements
}

/** A new array of the saved bits, with one reference. */
async function arrayOf(
  numpy: JaxNumpy,
  saved: LoadedTensor,
  { device, weakType, shape }: JaxArray,
): Promise<JaxArray> {
  const array = (values: unknown, options: object) => numpy.array(values as never, options)
  // An array that is put on a device by name is bound to it, so only arrays that need it are.
  const probe = array(0, {})
  const place = probe.device === device ? {} : { device }
  probe.dispose()

  const ArrayType = arrayType(saved.dtype)
  const elements = new ArrayType(saved.byteLength / ArrayType.BYTES_PER_ELEMENT)
  await saved.readInto(elements)
  // A JavaScript number, as in np.array(3): its dtype yields to others in sums.
  if (weakType && shape.length === 0 && saved.dtype === 'float32') return array(elements[0], place)
  const { dtype } = saved
  return array(valuesOf(elements, dtype), { shape: [...saved.shape], dtype, ...place })
}

/** The elements in the form that jax-js takes. */
function valuesOf(elements: TypedArray, dtype: DType): ArrayBufferView | [] {
  // jax-js fails on a typed array without elements.
  if (elements.length === 0) return []
  if (dtype === 'bool') return Int32Array.from(elements as Uint8Array)
  if (dtype !== 'float16') return elements
  checkFloat16(dtype)
  const { Float16Array: Float16 } = globalThis as unknown as {
    Float16Array: new (buffer: ArrayBufferLike) => ArrayBufferView
  }
  return new Float16(elements.buffer)
}

/** Throws a TypeError for float16 if the engine lacks Float16Array, which jax-js needs. */
function checkFloat16(dtype: DType): void {
  if (dtype === 'float16' && !('Float16Array' in globalThis)) {
    throw new TypeError('float16 in jax-js needs an engine with Float16Array')
  }
}
