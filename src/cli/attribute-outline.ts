/**
 * Attributes as a person reads them: keys without quotes where they need none, `-0`, `NaN` and
 * `Infinity` as they are, a bigint with its `n`. What JSON output has in full is cut short here: a
 * sampler's state may be a list of a million numbers.
 */

import type { Attribute } from '../format/attributes.js'
import { printable } from '../printable.js'
import type { Item, Outline } from './outline.js'
import { formatCount, formatNumber } from './quantity.js'

// Items of a list, and of a map within another, that are shown.
const MAX_ITEMS = 20

// UTF-16 units of a text that are shown.
const MAX_TEXT = 1000

const WORD = /^[\p{L}_$][\p{L}\p{N}_$./-]*$/u

export function attributeOutline(value: Attribute): Outline {
  if (value === null) return 'null'
  switch (typeof value) {
    case 'boolean':
      return String(value)
    case 'number':
      return formatNumber(value)
    case 'bigint':
      return `${value}n`
    case 'string':
      return quoted(value)
  }
  const isList = Array.isArray(value)
  const entries: [string, Attribute][] = isList
    ? value.slice(0, MAX_ITEMS).map((item) => ['', item])
    : Object.entries(value).slice(0, MAX_ITEMS)
  const items: Item[] = entries.map(([key, item]) => ({
    label: isList ? '' : `${keyText(key)}: `,
    value: attributeOutline(item),
  }))
  const more = (isList ? value.length : Object.keys(value).length) - items.length
  if (more > 0) items.push({ label: '', value: `… ${formatCount(more)} more` })
  return isList ? { open: '[', close: ']', items } : { open: '{', close: '}', items }
}

/** A key, in quotes where it could be taken for something else. */
export function keyText(key: string): string {
  return WORD.test(key) ? key : printable(JSON.stringify(key))
}

function quoted(text: string): string {
  const more = text.length - MAX_TEXT
  const shown = printable(JSON.stringify(more > 0 ? text.slice(0, MAX_TEXT) : text))
  return more > 0 ? `${shown} … ${formatCount(more)} more characters` : shown
}
