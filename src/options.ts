/**
 * Options by name. An unknown name is refused, because a misspelt option would silently have no effect. An option whose
 * value is undefined counts as absent.
 */

import { describe } from './format/attributes.js'
import { quote } from './printable.js'

/**
 * The names of `Options`, written once next to their interface. The type check fails if a name is missing here, and if
 * the interface does not have it.
 */
export type OptionNames<Options extends object> = { readonly [name in keyof Options]-?: true }

/**
 * A new object with the options that were given. `caller` names the function in messages. Throws a TypeError if
 * `options` is not an object, and for a name that is not in `names`.
 */
export function givenOptions<Options extends object>(
  caller: string,
  names: OptionNames<Options>,
  options: Options | undefined,
): Options {
  const given: { [name: string]: unknown } = {}
  if (options === undefined) return given as Options
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new TypeError(`the options of ${caller} must be an object, not ${describe(options)}`)
  }
  const values = options as { readonly [name: string]: unknown }
  for (const name of Object.keys(values)) {
    if (!Object.hasOwn(names, name) && values[name] !== undefined) {
      throw new TypeError(unknownOption(caller, name, Object.keys(names)))
    }
  }
  // By the names and not by the keys: an object may inherit its options from a prototype.
  for (const name of Object.keys(names)) {
    const value = values[name]
    if (value !== undefined) given[name] = value
  }
  return given as Options
}

function unknownOption(caller: string, name: string, names: readonly string[]): string {
  const [closest] = names
    .map((known) => ({ known, changes: changesBetween(name.toLowerCase(), known.toLowerCase()) }))
    .filter(({ known, changes }) => changes <= Math.min(2, known.length / 2))
    .sort((a, b) => a.changes - b.changes)
  const hint = closest === undefined ? '. ' : `; did you mean ${quote(closest.known)}? `
  return `${caller} has no option ${quote(name)}${hint}It has: ${names.join(', ')}`
}

/** How many letters must be added, dropped or replaced to make `b` of `a`; Infinity from 3 on. */
function changesBetween(a: string, b: string): number {
  if (Math.abs(a.length - b.length) > 2) return Number.POSITIVE_INFINITY
  let row = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(replaced, row[j]! + 1, next[j - 1]! + 1))
    }
    row = next
  }
  return row[b.length]!
}
