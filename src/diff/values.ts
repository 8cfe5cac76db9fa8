/** The differences between two trees of values: attributes, metrics, a config. */

import { type Attribute, isPlainObject, sameAttributes } from '../format/attributes.js'

/** A value that differs, or that only one side has. */
export interface ValueChange {
  /** The path: `lr`, `param_groups[0].weight_decay`. */
  readonly path: string
  /** The first value; undefined if there is none. */
  readonly before: Attribute | undefined
  /** The second value; undefined if there is none. */
  readonly after: Attribute | undefined
}

/**
 * Returns every value that differs, with its path. Numbers are compared bit for bit. Two lists are compared as whole
 * values unless their lengths are equal and they hold only maps, because a sampler's state may be a million numbers.
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
