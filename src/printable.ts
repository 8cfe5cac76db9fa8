/** Text from files and callers, made safe to print. */

// Control characters, format characters (which reverse the direction of text, or are invisible) and line separators. A
// name in a file must not be able to steer a terminal or mislead a reader.
const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu

/** Makes text from a file safe to print: each character that steers a terminal becomes `\u{...}`. */
export function printable(text: string): string {
  return text.toWellFormed().replace(UNSAFE, (c) => `\\u{${c.codePointAt(0)!.toString(16)}}`)
}

// Longest text that a message quotes in full, in UTF-16 units.
const QUOTE_LIMIT = 200

/** Quotes a name from a file or a caller: printable, and never longer than a line. */
export function quote(text: string): string {
  const shown = text.length > QUOTE_LIMIT ? `${text.slice(0, QUOTE_LIMIT)}…` : text
  return `"${printable(shown).replace(/"/g, '\\"')}"`
}
