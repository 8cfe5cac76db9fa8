/** The tables of the library itself. */

import type { DTypeRow, TableFile, Tables, View } from './tables.js'

export function typescriptTables({ dtypes, version, limits, errors, rules }: Tables): TableFile[] {
  const constants = [version, ...limits].map(
    ({ name, value, about }) => `/** ${about} */\nexport const ${name.toUpperCase()} = ${value}\n`,
  )
  return [
    ['generated/dtypes.ts', dtypesModule(dtypes)],
    ['generated/limits.ts', constants.join('\n')],
    [
      'generated/errors.ts',
      `/**
 * Stable codes. A code says what a program can do about an error; \`rule\` and the other fields say what
 * exactly was found.
 */
export type CheckpointErrorCode =
${errors.map(({ code, about }) => `  /** ${about} */\n  | '${code}'\n`).join('')}
/** The rules of the format, as \`rule\` of an error names the one that is broken. */
export type Rule =
${rules.map(({ name, about }) => `  /** ${about} */\n  | '${name}'\n`).join('')}`,
    ],
  ]
}

function dtypesModule(dtypes: readonly DTypeRow[]): string {
  const rows = dtypes.map(
    ({ name, code, bits, view, about }) =>
      `  /** ${about} */\n  ${name}: { code: ${code}, bits: ${bits}, array: ${arrayOf(view)} },\n`,
  )
  return `/**
 * The dtypes by their names, floats first: the number in the file, the bits of an element, and the typed
 * array that holds elements, or their raw bits, or two numbers for a complex one.
 */
export const DTYPES = {
${rows.join('')}} as const
`
}

function arrayOf({ kind, bits }: View): string {
  const name = { float: 'Float', int: 'Int', uint: 'Uint' }[kind]
  return `${kind !== 'float' && bits === 64 ? 'Big' : ''}${name}${bits}Array`
}
