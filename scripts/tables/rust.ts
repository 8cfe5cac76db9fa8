/** The tables of bindings/rust. */

import {
  type DTypeRow,
  type FieldRow,
  fieldRow,
  pascalCase,
  shortCode,
  type TableFile,
  type Tables,
  upperCase,
} from './tables.js'

export function rustTables(tables: Tables): TableFile[] {
  const { description, dtypes, version, limits, errors, rules } = tables
  const codes = errors.filter(({ readers }) => readers)
  const constants = limits.map(
    ({ name, value, about }) =>
      `/// ${about}\npub(crate) const ${upperCase(name)}: u64 = ${value};\n`,
  )
  const statics = Object.entries(description.tables).map(([table, fields]) => {
    const rows = fields.map(fieldRow).map((row) => `        ${fieldLiteral(row)},\n`)
    return `pub(crate) static ${upperCase(table)}: Table = Table {
    name: "${table}",
    fields: &[
${rows.join('')}    ],
};
`
  })
  return [
    [
      'bindings/rust/src/tables.rs',
      `use crate::schema::{Field, Holds, Table};

/// ${version.about}
pub const ${upperCase(version.name)}: u32 = ${version.value};

${constants.join('\n')}
/// Four bytes at byte 4 of a file.
pub(crate) const IDENTIFIER: &[u8; 4] = b"${description.identifier}";

${dtypeEnum(dtypes)}
/// The kind of an [\`Error\`](crate::Error). Stable; the same codes in every language.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorCode {
${codes.map(({ code, about }) => `    /// ${about}\n    ${pascalCase(shortCode(code))},\n`).join('')}}

impl ErrorCode {
    /// The code as text: \`CKPT_FORMAT\`.
    pub fn as_str(self) -> &'static str {
        match self {
${codes.map(({ code }) => `            ErrorCode::${pascalCase(shortCode(code))} => "${code}",\n`).join('')}        }
    }
}

/// The names of the rules.
#[allow(dead_code)]
pub(crate) mod rule {
${rules.map(({ name, about }) => `    /// ${about}\n    pub(crate) const ${upperCase(name)}: &str = "${name}";\n`).join('')}}

/// The tables of the schema; the root is \`${upperCase(description.root)}\`.
${statics.join('\n')}`,
    ],
  ]
}

function dtypeEnum(dtypes: readonly DTypeRow[]): string {
  const arms = (value: (row: DTypeRow) => string) =>
    dtypes.map((row) => `            DType::${pascalCase(row.name)} => ${value(row)},\n`).join('')
  return `/// The type of a tensor's elements. The names are those of PyTorch and ml_dtypes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DType {
${dtypes.map(({ name, about }) => `    /// ${about}\n    ${pascalCase(name)},\n`).join('')}}

/// The numbers that elements are viewed as; a complex number is two of them.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum View {
${views(dtypes)
  .map((view) => `    ${view},\n`)
  .join('')}}

impl DType {
    /// All dtypes, floats first.
    pub const ALL: &'static [DType] = &[
${dtypes.map(({ name }) => `        DType::${pascalCase(name)},\n`).join('')}    ];

    /// The name in the schema: \`float32\`.
    pub fn name(self) -> &'static str {
        match self {
${arms(({ name }) => `"${name}"`)}        }
    }

    /// Bits of an element. Below 8 elements are packed, from the least significant bit of each
    /// byte upwards without gaps.
    pub fn bits(self) -> u32 {
        match self {
${arms(({ bits }) => String(bits))}        }
    }

    /// The dtype of a number in a file, where there is one.
    pub(crate) fn of_code(code: u8) -> Option<DType> {
        match code {
${dtypes.map(({ name, code }) => `            ${code} => Some(DType::${pascalCase(name)}),\n`).join('')}            _ => None,
        }
    }

    pub(crate) fn view(self) -> View {
        match self {
${arms((row) => `View::${viewName(row)}`)}        }
    }
}
`
}

function views(dtypes: readonly DTypeRow[]): string[] {
  return [...new Set(dtypes.map(viewName))]
}

function viewName({ view: { kind, bits } }: DTypeRow): string {
  return `${{ float: 'F', int: 'I', uint: 'U' }[kind]}${bits}`
}

function fieldLiteral({ name, slot, required, kind, size, table }: FieldRow): string {
  const of = {
    number: `Number(${size})`,
    bool: 'Bool',
    string: 'Text',
    table: `Table(&${upperCase(table ?? '')})`,
    numbers: `Numbers(${size})`,
    tables: `Tables(&${upperCase(table ?? '')})`,
    segment: 'Segment',
  }[kind]
  return `Field { name: "${name}", slot: ${slot}, required: ${required}, holds: Holds::${of} }`
}
