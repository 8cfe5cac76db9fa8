/**
 * JSON text that is safe to print and good to read. It is laid out from its own tokens and not from
 * the values they stand for, so that no digit of a number and no repeated key is lost.
 */

import type { Item, Outline } from './outline.js'
import { outlineLines } from './outline.js'

// Wider than this, an array or object is broken over lines.
const WIDTH = 100

// Deeper than any config. JSON.parse takes any depth; what lays it out does not.
const MAX_DEPTH = 100

// What `printable` of src/errors.ts escapes. In a token of JSON it can stand in strings alone.
const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu

/** A token of JSON with everything escaped that could steer a terminal. It means the same. */
export function safeJson(text: string): string {
  return text.replace(UNSAFE, (character) => {
    let escaped = ''
    for (let i = 0; i < character.length; i++) {
      escaped += `\\u${character.charCodeAt(i).toString(16).padStart(4, '0')}`
    }
    return escaped
  })
}

/** A value as lines of JSON, safe to print, with a line feed at the end. */
export function jsonDocument(value: unknown): string {
  const text = JSON.stringify(value)
  const outline = jsonOutline(text)
  return `${outline === undefined ? safeJson(text) : outlineLines(outline, WIDTH).join('\n')}\n`
}

/** JSON text to be laid out, or undefined where it is no JSON or nested beyond all measure. */
export function jsonOutline(text: string): Outline | undefined {
  try {
    JSON.parse(text)
  } catch {
    return undefined
  }
  const root: Item[] = []
  const stack: { close: string; items: Item[]; label: string }[] = []
  let items = root
  let label = ''
  // From here on the text is known to be JSON: a token is what its first character says.
  for (let at = 0; at < text.length; ) {
    const start = text[at]!
    if (start === '{' || start === '[') {
      if (stack.length === MAX_DEPTH) return undefined
      stack.push({ close: start === '{' ? '}' : ']', items, label })
      items = []
      label = ''
      at++
    } else if (start === '}' || start === ']') {
      const outer = stack.pop()!
      const group = { open: start === '}' ? '{' : '[', close: outer.close, items }
      items = outer.items
      items.push({ label: outer.label, value: group })
      label = ''
      at++
    } else if (start === ',' || isSpace(start)) {
      at++
    } else {
      const end = start === '"' ? endOfString(text, at) : endOfWord(text, at)
      const word = safeJson(text.slice(at, end))
      at = end
      while (at < text.length && isSpace(text[at]!)) at++
      if (text[at] === ':') {
        label = `${word}: `
        at++
      } else {
        items.push({ label, value: word })
        label = ''
      }
    }
  }
  return root[0]!.value
}

function isSpace(character: string): boolean {
  return character === ' ' || character === '\n' || character === '\r' || character === '\t'
}

function endOfString(text: string, start: number): number {
  let at = start + 1
  while (text[at] !== '"') at += text[at] === '\\' ? 2 : 1
  return at + 1
}

function endOfWord(text: string, start: number): number {
  let at = start + 1
  while (at < text.length && !isSpace(text[at]!) && !',]}'.includes(text[at]!)) at++
  return at
}
