/** The table of dtypes in docs/format.md, which stands between two comments. */

import type { DTypeRow } from './tables.js'

/** The document of the format, in a project. */
export const DOCUMENT = 'docs/format.md'

const BEGIN = '<!-- dtypes: npm run gen -->\n'
const END = '<!-- /dtypes -->\n'

/** The document with the table of these dtypes. Throws where it has no place for it. */
export function withDTypes(document: string, dtypes: readonly DTypeRow[]): string {
  const begin = document.indexOf(BEGIN)
  const end = document.indexOf(END)
  if (begin === -1 || end < begin) throw new Error(`${DOCUMENT} has no place for the dtypes`)
  const rows = dtypes.map(
    ({ name, code, bits, about }) => `| \`${name}\` | ${code} | ${bits} | ${about} |\n`,
  )
  return (
    document.slice(0, begin + BEGIN.length) +
    `\n| dtype | Number | Bits | |\n| --- | --- | --- | --- |\n${rows.join('')}\n` +
    document.slice(end)
  )
}
