/**
 * Checks attributes that come back from a checkpoint, all of them before the first is assigned, so
 * that a `loadAttributes` which throws has changed nothing.
 */

import type { Attribute, Attributes } from '../../../src/format/attributes.js'

/** What an attribute has to be. */
export interface Check<T extends Attribute> {
  /** In words, for a message: `a whole number of at least 0`. */
  readonly wanted: string
  readonly accepts: (value: Attribute) => value is T
}

type Checked<C> = { [K in keyof C]: C[K] extends Check<infer T> ? T : never }

/**
 * The attributes, typed. Throws a TypeError that names the first one that is missing, unknown or not
 * what its check wants; `owner` begins the message.
 */
export function checkedAttributes<C extends { readonly [key: string]: Check<Attribute> }>(
  attributes: Attributes,
  owner: string,
  checks: C,
): Checked<C> {
  for (const key of Object.keys(attributes)) {
    if (!Object.hasOwn(checks, key)) throw new TypeError(`${owner} has no attribute '${key}'`)
  }
  for (const [key, { wanted, accepts }] of Object.entries(checks)) {
    const value = Object.hasOwn(attributes, key) ? attributes[key] : undefined
    if (value === undefined) throw new TypeError(`${owner}: the attribute '${key}' is missing`)
    if (!accepts(value)) {
      throw new TypeError(`${owner}: '${key}' must be ${wanted}, not ${inWords(value)}`)
    }
  }
  return attributes as Checked<C>
}

export const boolean: Check<boolean> = {
  wanted: 'true or false',
  accepts: (value) => typeof value === 'boolean',
}

export const nonNegative: Check<number> = {
  wanted: 'a finite number of at least 0',
  accepts: (value): value is number =>
    typeof value === 'number' && Number.isFinite(value) && value >= 0,
}

/** Two decay rates, each the weight of the past in a running average. */
export const rates: Check<readonly [number, number]> = {
  wanted: 'two numbers of at least 0 and less than 1',
  accepts: (value): value is readonly [number, number] =>
    Array.isArray(value) &&
    value.length === 2 &&
    value.every((item) => typeof item === 'number' && item >= 0 && item < 1),
}

export const counter: Check<number> = {
  wanted: 'a whole number of at least 0',
  accepts: (value): value is number => Number.isSafeInteger(value) && (value as number) >= 0,
}

export const uint64: Check<bigint> = {
  wanted: 'a bigint from 0 to 2^64 - 1',
  accepts: (value): value is bigint =>
    typeof value === 'bigint' && BigInt.asUintN(64, value) === value,
}

export const finiteOrNull: Check<number | null> = {
  wanted: 'a finite number or null',
  accepts: (value): value is number | null => value === null || Number.isFinite(value),
}

function inWords(value: Attribute): string {
  if (typeof value === 'bigint') return `${value}n`
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'a list' : 'a map'
  return typeof value === 'string' ? JSON.stringify(value) : String(value)
}
