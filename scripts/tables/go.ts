/** The tables of bindings/go. */

import {
  camelCase,
  fieldRow,
  pascalCase,
  shortCode,
  type TableFile,
  type Tables,
} from './tables.js'

export function goTables(tables: Tables): TableFile[] {
  const { description, dtypes, version, limits, errors, rules } = tables
  const constants = limits.map(({ name, value, about }) =>
    constant(camelCase(name), String(value), about),
  )
  const codes = errors
    .filter(({ readers }) => readers)
    .map(({ code, about }) =>
      constant(`Code${pascalCase(shortCode(code))}`, `"${code}"`, about, 'Code'),
    )
  const names = rules.map(({ name, about }) =>
    constant(`rule${pascalCase(name)}`, `"${name}"`, about),
  )
  const rows = dtypes.map(({ name, code, bits, kind, view, about }) => {
    const element = kind === 'complex' ? name : `${view.kind}${view.bits}`
    return `\t// ${about}\n\t${code}: {"${name}", ${bits}, "${element}"},\n`
  })
  const fields = Object.entries(description.tables).map(([table, list]) => {
    const lines = list.map((field) => {
      const { name, slot, required, kind, size, table } = fieldRow(field)
      const parts = [`name: "${name}"`, `slot: ${slot}`]
      if (required) parts.push('required: true')
      parts.push(`kind: ${kind}Field`)
      if (size !== 0) parts.push(`size: ${size}`)
      if (table !== undefined) parts.push(`table: "${table}"`)
      return `\t\t{${parts.join(', ')}},\n`
    })
    return `\t"${table}": {\n${lines.join('')}\t},\n`
  })
  return [
    [
      'bindings/go/tables.go',
      `package checkpoint

${constant(pascalCase(version.name), String(version.value), version.about)}
${constants.join('\n')}
${codes.join('\n')}
${names.join('\n')}
// dtypes by their numbers in a file.
var dtypes = map[DType]dtypeRow{
${rows.join('')}}

const identifier = "${description.identifier}"

// tables of the schema, with their fields in the order of their slots.
var tables = map[string][]field{
${fields.join('')}}
`,
    ],
  ]
}

function constant(name: string, value: string, about: string, type = ''): string {
  return `// ${name}: ${about}\nconst ${name}${type && ` ${type}`} = ${value}\n`
}
