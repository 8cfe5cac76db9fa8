/**
 * Nested values as text: on one line what fits on a line, else an item a line, indented; of a list of
 * words, as many on a line as fit. For trees of attributes and for JSON.
 */

import { textWidth } from './text-width.js'

/** A value: a word, or items in brackets. All text in it is printable. */
export type Outline = string | Group

export interface Group {
  readonly open: string
  readonly close: string
  readonly items: readonly Item[]
}

export interface Item {
  /** What stands before the value, e.g. `lr: `; empty in a list. */
  readonly label: string
  readonly value: Outline
}

const INDENT = '  '

/** The lines of `label` and `value`, with lines of more than `width` cells broken where they can be. */
export function outlineLines(value: Outline, width: number, label = ''): string[] {
  const lines: string[] = []
  add(lines, '', label, value, '', width)
  return lines
}

function add(
  lines: string[],
  indent: string,
  label: string,
  value: Outline,
  after: string,
  width: number,
): void {
  const start = indent + label
  const inline = inlineText(value, width - textWidth(start) - after.length)
  if (inline !== undefined) {
    lines.push(start + inline + after)
  } else if (typeof value === 'string') {
    lines.push(start + value + after)
  } else if (value.items.every((item) => item.label === '' && typeof item.value === 'string')) {
    lines.push(start + value.open)
    const words = value.items.map((item) => item.value as string)
    for (const line of filled(words, indent + INDENT, width)) lines.push(line)
    lines.push(indent + value.close + after)
  } else {
    lines.push(start + value.open)
    const last = value.items.length - 1
    for (const [i, item] of value.items.entries()) {
      add(lines, indent + INDENT, item.label, item.value, i < last ? ',' : '', width)
    }
    lines.push(indent + value.close + after)
  }
}

/** Words with commas between them, as many on a line as fit: a list of numbers may be long. */
function filled(words: readonly string[], indent: string, width: number): string[] {
  const lines: string[] = []
  let line = indent
  for (const [i, word] of words.entries()) {
    const next = i < words.length - 1 ? `${word},` : word
    if (line === indent) line += next
    else if (textWidth(line) + 1 + textWidth(next) <= width) line += ` ${next}`
    else {
      lines.push(line)
      line = indent + next
    }
  }
  return [...lines, line]
}

/** The value on one line, or undefined where it takes more than `room` cells. */
function inlineText(value: Outline, room: number): string | undefined {
  if (typeof value === 'string') return textWidth(value) <= room ? value : undefined
  let text = value.open
  for (const [i, item] of value.items.entries()) {
    text += i === 0 ? item.label : `, ${item.label}`
    // Ends here where it is too long, so that a large tree is not put together at each of its levels.
    const inner = inlineText(item.value, room - textWidth(text) - 1)
    if (inner === undefined) return undefined
    text += inner
  }
  text += value.close
  return textWidth(text) <= room ? text : undefined
}
