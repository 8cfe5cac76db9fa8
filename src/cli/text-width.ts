/**
 * How wide text is in a terminal, one code point at a time: East Asian wide characters and emoji take
 * two cells, combining marks none, everything else one. Sequences that a terminal may draw as one
 * emoji (families, skin tones, flags) are not looked at as a whole, so a column can be a few cells
 * out there; terminals do not agree on them either.
 */

// Printable ASCII, which is nearly every name.
const NARROW = /^[\x20-\x7e]*$/

// Marks that stand on the character before them, and the vowels and finals of a Hangul syllable.
const ZERO = /^[\p{Mn}\p{Me}\p{Cf}\u1160-\u11ff]$/u

// What Unicode calls wide or fullwidth. Regional indicators (pairs of which are flags) are emoji of
// one cell each; halfwidth forms belong to wide scripts, but are narrow.
const WIDE =
  /^[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97c\uac00-\ud7a3\uf900-\ufaff\ufe10-\ufe19\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{16fe0}-\u{18dff}\u{1aff0}-\u{1b2ff}\u{20000}-\u{3fffd}\p{Emoji_Presentation}]$/u
const REGIONAL = /^[\u{1f1e6}-\u{1f1ff}]$/u

/** Cells that printable text takes in a terminal. */
export function textWidth(text: string): number {
  if (NARROW.test(text)) return text.length
  let width = 0
  for (const character of text) width += characterWidth(character)
  return width
}

function characterWidth(character: string): number {
  if (NARROW.test(character)) return 1
  if (ZERO.test(character)) return 0
  return WIDE.test(character) && !REGIONAL.test(character) ? 2 : 1
}

/** Text with spaces behind it, or before it, so that it takes `width` cells. */
export function padText(text: string, width: number, align: 'left' | 'right' = 'left'): string {
  const space = ' '.repeat(Math.max(0, width - textWidth(text)))
  return align === 'left' ? text + space : space + text
}

/**
 * Text of at most `width` cells: what is too long loses its middle, since names of tensors and paths
 * of files differ at their ends.
 */
export function cutText(text: string, width: number): string {
  if (textWidth(text) <= width) return text
  if (width <= 1) return '…'.slice(0, Math.max(0, width))
  const characters = [...text]
  const front = Math.floor((width - 1) / 2)
  let head = ''
  for (let i = 0, used = 0; i < characters.length; i++) {
    used += characterWidth(characters[i]!)
    if (used > front) break
    head += characters[i]
  }
  const left = width - 1 - textWidth(head)
  let start = characters.length
  for (let used = 0; start > 0; start--) {
    used += characterWidth(characters[start - 1]!)
    if (used > left) break
  }
  // Marks whose character was cut away go with it.
  while (start < characters.length && characterWidth(characters[start]!) === 0) start++
  return `${head}…${characters.slice(start).join('')}`
}
