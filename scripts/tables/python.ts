/** The tables of bindings/python. */

import { type DTypeRow, fieldRow, type TableFile, type Tables } from './tables.js'

const PATH = 'bindings/python/src/lightwatch_checkpoint/generated/tables.py'

export function pythonTables(tables: Tables): TableFile[] {
  const { description, dtypes, version, limits, errors, rules } = tables
  const constants = [version, ...limits].map(
    ({ name, value, about }) => `#: ${about}\n${name.toUpperCase()} = ${value}\n`,
  )
  const rows = Object.entries(description.tables).map(([table, fields]) => {
    const lines = fields.map((field) => {
      const { name, slot, required, kind, size, table } = fieldRow(field)
      const of = table === undefined ? 'None' : `"${table}"`
      return `        ("${name}", ${slot}, "${kind}", ${size}, ${of}, ${required ? 'True' : 'False'}),\n`
    })
    return `    "${table}": (\n${lines.join('')}    ),\n`
  })
  return [
    [
      PATH,
      `from typing import Literal

${constants.join('\n')}
#: Each dtype's name, its number in the file, the bits of an element, and what NumPy calls it, where
#: NumPy has it.
DTYPES = (
${dtypes.map((row) => `    ("${row.name}", ${row.code}, ${row.bits}, ${numpyType(row)}),\n`).join('')})

#: Four bytes at byte 4 of a file.
IDENTIFIER = b"${description.identifier}"

ROOT = "${description.root}"

#: The fields of each table by their slots: name, slot, what it holds, bytes of a number, the table that
#: it leads to, and whether it is required.
TABLES = {
${rows.join('')}}

#: What a program can do about an error.
ErrorCode = Literal[
${errors.map(({ code, about }) => `    # ${about}\n    "${code}",\n`).join('')}]

#: The rule of the format that is broken.
Rule = Literal[
${rules.map(({ name, about }) => `    # ${about}\n    "${name}",\n`).join('')}]
`,
    ],
  ]
}

function numpyType({ kind, bits }: DTypeRow): string {
  if (kind === 'bool') return '"?"'
  if (kind === 'other' || bits < 8) return 'None'
  const letter = { float: 'f', int: 'i', uint: 'u', complex: 'c' }[kind]
  return `"<${letter}${bits / 8}"`
}
