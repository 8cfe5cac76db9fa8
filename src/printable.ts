/** Text from files and callers, made safe to print. */

// Control and format characters (which turn the direction of text, or are not seen), and separators of
// lines: a name in a file must not be able to steer a terminal or a reader's eye.
const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu

/** Text from a file, made safe to print: what steers a terminal becomes `\u{...}`. */
export function printable(text: string): string {
  return text.toWellFormed().replace(UNSAFE, (c) => `\\u{${c.codePointAt(0)!.toString(16)}}`)
}

// Longest text that is quoted whole in a message, in UTF-16 units.
const QUOTE_LIMIT = 200

/** A name from a file or a caller, quoted, printable, and not longer than a line. */
export function quote(text: string): string {
  const shown = text.length > QUOTE_LIMIT ? `${text.slice(0, QUOTE_LIMIT)}…` : text
  return `"${printable(shown).replace(/"/g, '\\"')}"`
}
