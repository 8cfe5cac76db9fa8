/** What differs between two trees of values: attributes, metrics, a config. */

import { type Attribute, isPlainObject, sameAttributes } from '../format/attributes.js'

/** A value that only one side has, or that differs. */
export interface ValueChange {
  /** Where it is: `lr`, `param_groups[0].weight_decay`. */
  readonly path: string
  /** The value of the first; undefined if it has none. */
  readonly before: Attribute | undefined
  /** The value of the second; undefined if it has none. */
  readonly after: Attribute | undefined
}

/**
 * Every value that differs, by its path, bit for bit in its numbers. A list whose length differs, and one of
 * anything but maps, is a value as a whole: a sampler's state may be a million numbers.
 */
export function valueChanges(
  before: Attribute | undefined,
  after: Attribute | undefined,
  path = '',
): ValueChange[] {
  if (Object.is(before, after)) return []
  if (before === undefined || after === undefined) return [{ path, before, after }]
  if (isMap(before) && isMap(after)) {
    const keys = new Set([...Object.keys(before), ...Object.keys(after)])
    return [...keys].flatMap((key) =>
      valueChanges(own(before, key), own(after, key), path === '' ? key : `${path}.${key}`),
    )
  }
  if (isListOfMaps(before) && isListOfMaps(after) && before.length === after.length) {
    return before.flatMap((item, i) => valueChanges(item, after[i], `${path}[${i}]`))
  }
  return sameAttributes(before, after) ? [] : [{ path, before, after }]
}

type AttributeMap = { readonly [key: string]: Attribute }

function isMap(value: Attribute): value is AttributeMap {
  return isPlainObject(value)
}

function isListOfMaps(value: Attribute): value is readonly AttributeMap[] {
  return Array.isArray(value) && value.every(isPlainObject)
}

function own(map: AttributeMap, key: string): Attribute | undefined {
  return Object.hasOwn(map, key) ? map[key] : undefined
}
