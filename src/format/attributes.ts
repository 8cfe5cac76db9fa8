/**
 * Attributes: the typed tree of what a state has besides its tensors (hyper-parameters, parameter groups, counters, a
 * scheduler's or a sampler's state). Unlike JSON it keeps NaN, the infinities, -0 and bigints as they are.
 */

import { ATTRIBUTE_DEPTH, MAX_DEPTH } from '../../generated/limits.js'
import { textFault } from './text.js'

/** A value in a tree of attributes. A number is a double; a bigint is an int64 or a uint64. */
export type Attribute =
  | null
  | boolean
  | number
  | bigint
  | string
  | readonly Attribute[]
  | { readonly [key: string]: Attribute }

/** The attributes of a state, by name. */
export type Attributes = { readonly [key: string]: Attribute }

// The depth, in tables, that a value adds to its parent: its own table, and in a map also that of its entry.
const IN_LIST = 1
const IN_MAP = 2

/** The smallest int64. Attributes hold integers from here to the largest uint64. */
export const INT64_MIN = -(2n ** 63n)
/** The largest int64. */
export const INT64_MAX = 2n ** 63n - 1n
/** The largest uint64. */
export const UINT64_MAX = 2n ** 64n - 1n

/**
 * Copies and validates `value`. Later changes to the caller's object do not affect the copy. Throws a TypeError with
 * the path of the first part that a file cannot hold: `optimizer.attributes.groups[0].lr`.
 */
export function copyAttributes(value: unknown, path: string): Attributes {
  if (!isPlainObject(value)) {
    throw new TypeError(`${path} must be a plain object, not ${describe(value)}`)
  }
  return copyMap(value, path, ATTRIBUTE_DEPTH)
}

/** `depth` is the depth of the values, in tables. */
function copyMap(value: object, path: string, depth: number): Attributes {
  const copy: { [key: string]: Attribute } = {}
  for (const key of Object.keys(value)) {
    const at = `${path}.${key}`
    const fault = textFault(key)
    if (fault !== undefined) throw new TypeError(`the key ${JSON.stringify(at)} ${fault}`)
    setKey(copy, key, copyAttribute((value as Record<string, unknown>)[key], at, depth))
  }
  return copy
}

function copyAttribute(value: unknown, path: string, depth: number): Attribute {
  // The same limit as in readers, so that every loaded state can be saved again.
  if (depth > MAX_DEPTH) {
    throw new TypeError(
      `${path} is nested too deep (or in itself): expected at most ${MAX_DEPTH} tables, where a list ` +
        'counts as one and a map as two',
    )
  }
  switch (typeof value) {
    case 'boolean':
    case 'number':
      return value
    case 'bigint':
      if (value < INT64_MIN || value > UINT64_MAX) {
        throw new RangeError(`${path} is ${value}, which fits neither an int64 nor a uint64`)
      }
      return value
    case 'string': {
      const fault = textFault(value)
      if (fault !== undefined) throw new TypeError(`${path} ${fault}`)
      return value
    }
    case 'object':
      if (value === null) return null
      if (Array.isArray(value)) {
        // By index, so that a hole is found and not skipped.
        return Array.from(value, (item, i) => copyAttribute(item, `${path}[${i}]`, depth + IN_LIST))
      }
      if (isPlainObject(value)) return copyMap(value, path, depth + IN_MAP)
  }
  const hint = ArrayBuffer.isView(value) ? '; put arrays of numbers into the tensors' : ''
  throw new TypeError(
    `${path} is ${describe(value)}, which attributes cannot hold: ` +
      `null, booleans, numbers, bigints, strings, and lists and plain objects of these${hint}`,
  )
}

/** Sets a key that comes from a file, where `__proto__` is a key like any other. */
export function setKey<T>(object: { [key: string]: T }, key: string, value: T): void {
  if (key === '__proto__') {
    Object.defineProperty(object, key, {
      value,
      enumerable: true,
      writable: true,
      configurable: true,
    })
  } else object[key] = value
}

/** Whether two trees are equal, bit for bit in their numbers (NaN equals NaN, 0 differs from -0). */
export function sameAttributes(a: Attribute, b: Attribute): boolean {
  if (Object.is(a, b)) return true
  if (a === null || b === null || typeof a !== 'object' || typeof b !== 'object') return false
  if (Array.isArray(a) || Array.isArray(b)) {
    if (!Array.isArray(a) || !Array.isArray(b) || a.length !== b.length) return false
    return a.every((item, i) => sameAttributes(item, b[i] as Attribute))
  }
  const left = a as Attributes
  const right = b as Attributes
  const keys = Object.keys(left)
  return (
    keys.length === Object.keys(right).length &&
    keys.every((key) => Object.hasOwn(right, key) && sameAttributes(left[key]!, right[key]!))
  )
}

/** An object literal (of this realm or another), not an instance of a class. */
export function isPlainObject(value: unknown): value is { readonly [key: string]: unknown } {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const prototype = Object.getPrototypeOf(value)
  return prototype === null || Object.getPrototypeOf(prototype) === null
}

/** Describes a value in words, for a message. */
export function describe(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'an array'
  if (typeof value === 'object') {
    if (isPromise(value)) return 'a Promise (is an await missing?)'
    const name = value.constructor?.name
    return name === undefined || name === 'Object' ? 'an object' : `an instance of ${name}`
  }
  if (typeof value === 'undefined') return 'undefined'
  return `a ${typeof value}`
}

function isPromise(value: object): boolean {
  return 'then' in value && typeof value.then === 'function'
}
