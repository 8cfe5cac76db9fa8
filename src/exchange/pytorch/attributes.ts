/** Converts the plain values of a pickle to attributes. */

import { type Attribute, INT64_MIN, setKey, UINT64_MAX } from '../../format/attributes.js'
import { quote } from '../../printable.js'
import { isUint8Array } from '../../realm.js'
import { foreignFault, notConvertible } from '../training.js'
import {
  PyDict,
  PyGlobal,
  PyRefused,
  PyStorage,
  PyTensor,
  PyTuple,
  type PyValue,
} from './values.js'

// The most values visited per byte of a pickle, and the minimum for any pickle. A small pickle can name one list many
// times within others; an ordinary one takes bytes for every value.
const VISITS_PER_BYTE = 4
const LEAST_VISITS = 10_000

// The most levels of lists and dicts: attributes allow about as many.
const MAX_DEPTH = 28

/** Walks values, however they refer to each other, within the budget of one file. */
export class AttributeMaker {
  readonly #budget: number
  #visits = 0

  /** For a pickle of this length in bytes. */
  constructor(pickleLength: number) {
    this.#budget = LEAST_VISITS + VISITS_PER_BYTE * pickleLength
  }

  /**
   * Returns the value without its tensors, which go to `tensors` with their paths; undefined if nothing else is left. A
   * tuple becomes a list, and a torch.dtype or device its name. Throws CKPT_NOT_CONVERTIBLE for a value that attributes
   * cannot hold.
   */
  make(
    value: PyValue,
    path: string,
    tensors: (path: string, tensor: PyTensor | PyRefused) => void,
    depth = 0,
  ): Attribute | undefined {
    this.visit(path, depth)
    if (value === null || typeof value === 'boolean' || typeof value === 'number') return value
    if (typeof value === 'string') {
      if (value.isWellFormed()) return value
      throw notConvertible(`${quote(path || 'the value')} is text that is not well-formed`)
    }
    if (typeof value === 'bigint') {
      if (value >= INT64_MIN && value <= UINT64_MAX) return value
      throw notConvertible(`${quote(path || 'the value')} is an integer of more than 64 bits`)
    }
    if (value instanceof PyTensor || value instanceof PyRefused) {
      tensors(path, value)
      return undefined
    }
    if (value instanceof PyDict) {
      const map: { [key: string]: Attribute } = {}
      const empty = value.entries.size === 0
      for (const [key, item] of value.entries) {
        const name = keyText(key, path)
        const made = this.make(item, joined(path, name), tensors, depth + 1)
        if (Object.hasOwn(map, name))
          throw notConvertible(`${quote(path || 'the value')} has the key ${quote(name)} twice`)
        if (made !== undefined) setKey(map, name, made)
      }
      return empty || Object.keys(map).length > 0 ? map : undefined
    }
    if (isUint8Array(value)) return Array.from(value)
    if (value instanceof PyTuple || Array.isArray(value)) {
      const items = Array.isArray(value) ? value : value.items
      const made = items.map((item, i) =>
        this.make(item, joined(path, String(i)), tensors, depth + 1),
      )
      return items.length > 0 && made.every((item) => item === undefined)
        ? undefined
        : made.map((item) => item ?? null)
    }
    if (value instanceof PyGlobal) return value.name
    throw notConvertible(
      `${quote(path || 'the value')} is ${value instanceof PyStorage ? 'a storage' : 'of a kind'} that has no form here`,
    )
  }

  /** Counts a value. Throws CKPT_FOREIGN_FILE, rule `pytorch.budget`. */
  visit(path: string, depth: number): void {
    this.#visits++
    if (this.#visits <= this.#budget && depth <= MAX_DEPTH) return
    throw foreignFault(
      'pytorch.budget',
      depth > MAX_DEPTH
        ? `${quote(path || 'the value')} is nested more than ${MAX_DEPTH} levels deep, or in itself`
        : `the file stands for more than ${this.#budget} values`,
      { expected: depth > MAX_DEPTH ? MAX_DEPTH : this.#budget },
    )
  }
}

/** The text of a key: optimizer states have numbers as keys. */
export function keyText(key: PyValue, path: string): string {
  if (typeof key === 'string' && key.isWellFormed()) return key
  if (typeof key === 'number' || typeof key === 'boolean' || typeof key === 'bigint')
    return String(key)
  throw notConvertible(`${quote(path || 'the value')} has a key that is neither text nor a number`)
}

function joined(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`
}
