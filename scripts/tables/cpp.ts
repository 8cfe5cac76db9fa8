/** The tables of bindings/cpp. */

import {
  type DTypeRow,
  type FieldRow,
  fieldRow,
  snakeCase,
  type TableFile,
  type Tables,
} from './tables.js'

export function cppTables(tables: Tables): TableFile[] {
  const { description, dtypes, version, limits, errors, rules } = tables
  const codes = errors.filter(({ savers }) => savers)
  const constants = limits.map(
    ({ name, value, about }) =>
      `/// ${about}\ninline constexpr std::uint64_t ${name} = ${value};\n`,
  )
  const names = Object.keys(description.tables)
  const fields = Object.entries(description.tables).map(([table, list]) => {
    const rows = list.map(fieldRow).map((row) => `    ${fieldLiteral(row)},\n`)
    return `inline constexpr FieldDescription ${snakeCase(table)}_fields[] = {\n${rows.join('')}};\n`
  })
  return [
    [
      'bindings/cpp/include/lightwatch/checkpoint/tables.hpp',
      `#ifndef LIGHTWATCH_CHECKPOINT_TABLES_HPP
#define LIGHTWATCH_CHECKPOINT_TABLES_HPP

#include <cstdint>

#include "lightwatch/checkpoint/schema.hpp"

namespace lightwatch {

/// ${version.about}
inline constexpr std::uint32_t ${version.name} = ${version.value};

/// The type of a tensor's elements; the numbers are those of the file.
enum class DType : std::uint8_t {
${dtypes.map(({ name, code, about }) => `  /// ${about}\n  ${enumerator(name)} = ${code},\n`).join('')}};

/// The kind of a CheckpointError, for programs. The codes are the same in every language.
enum class ErrorCode {
${codes.map(({ code, about }) => `  /// ${about}\n  ${snakeCase(code)},\n`).join('')}};

/// The code as text, as all implementations have it: "CKPT_FORMAT".
constexpr const char *to_string(ErrorCode code) noexcept {
  switch (code) {
${codes.map(({ code }) => `    case ErrorCode::${snakeCase(code)}: return "${code}";\n`).join('')}  }
  return "CKPT_UNKNOWN";
}

namespace detail {

${constants.join('\n')}
inline constexpr char file_identifier[] = "${description.identifier}";

/// By the number in a file, from 0 on; those that are no dtype have no name.
inline constexpr DTypeRow dtype_rows[] = {
${dtypeRows(dtypes)}};

/// The names of the rules.
namespace rule {
${rules.map(({ name, about }) => `/// ${about}\ninline constexpr char ${snakeCase(name)}[] = "${name}";\n`).join('')}}  // namespace rule

enum class TableType : std::uint8_t { ${names.map(snakeCase).join(', ')} };

/// The root of a file.
inline constexpr TableType root_table = TableType::${snakeCase(description.root)};

${fields.join('\n')}
/// By TableType.
inline constexpr TableDescription table_descriptions[] = {
${names.map((name) => `    describe_table("${name}", ${snakeCase(name)}_fields),\n`).join('')}};

}  // namespace detail
}  // namespace lightwatch

#endif
`,
    ],
  ]
}

// Names that are keywords of C++.
const KEYWORDS: { readonly [name: string]: string } = { bool: 'boolean' }

function enumerator(name: string): string {
  return KEYWORDS[name] ?? name
}

function dtypeRows(dtypes: readonly DTypeRow[]): string {
  const last = Math.max(...dtypes.map(({ code }) => code))
  return Array.from({ length: last + 1 }, (_, code) => {
    const row = dtypes.find((dtype) => dtype.code === code)
    if (row === undefined) return '    {nullptr, 0, ViewKind::none, 0},\n'
    const { name, bits, kind, view } = row
    // A complex number is one of C++'s own.
    const [viewKind, width] = kind === 'complex' ? ['complex', bits] : [view.kind, view.bits]
    return `    {"${name}", ${bits}, ViewKind::${viewKind}_number, ${width / 8}},\n`
  }).join('')
}

function fieldLiteral({ name, slot, required, kind, size, table }: FieldRow): string {
  const type = kind === 'bool' ? 'boolean' : kind
  const of = `TableType::${snakeCase(table ?? 'checkpoint')}`
  return `{"${name}", ${slot}, ${required}, FieldType::${type}, ${size}, ${of}}`
}
