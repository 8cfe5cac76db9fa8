/** The tables of bindings/java: a class each. */

import { type FieldRow, fieldRow, type TableFile, type Tables, upperCase } from './tables.js'

const FOLDER = 'bindings/java/src/main/java/lightwatch/checkpoint'

export function javaTables(tables: Tables): TableFile[] {
  return [
    [`${FOLDER}/Dtype.java`, dtypeClass(tables)],
    [`${FOLDER}/ErrorCode.java`, errorCodeClass(tables)],
    [`${FOLDER}/Limits.java`, limitsClass(tables)],
    [`${FOLDER}/Rule.java`, ruleClass(tables)],
    [`${FOLDER}/Table.java`, tableClass(tables)],
  ]
}

function dtypeClass({ dtypes }: Tables): string {
  const constants = dtypes.map(
    ({ name, code, bits, about }) =>
      `  /** ${about} */\n  ${upperCase(name)}(${code}, ${bits}, "${name}")`,
  )
  return `package lightwatch.checkpoint;

import java.util.Arrays;
import java.util.Optional;

/**
 * The type of a tensor's elements.
 *
 * <p>Elements without a Java type are read as their bits: {@code float16} and {@code
 * bfloat16} as shorts, narrower ones as bytes, packed below eight bits; unsigned integers in the
 * signed type of their width (see {@link Integer#toUnsignedLong} and the like); complex
 * numbers as two floats or doubles, the real part first.
 */
public enum Dtype {
${constants.join(',\n')};

  // By their number in a file, a byte.
  private static final Dtype[] BY_CODE = new Dtype[256];

  static {
    for (Dtype dtype : values()) BY_CODE[dtype.code] = dtype;
  }

  private final int code;
  private final int bits;
  private final String text;

  Dtype(int code, int bits, String text) {
    this.code = code;
    this.bits = bits;
    this.text = text;
  }

  /** The width of an element in bits. */
  public int bits() {
    return bits;
  }

  /** Its name in the format, which is that of PyTorch and ml_dtypes: {@code float32}. */
  @Override
  public String toString() {
    return text;
  }

  /** The dtype of a name like {@code float32}. Throws IllegalArgumentException if there is none. */
  public static Dtype of(String name) {
    return Arrays.stream(values())
        .filter(dtype -> dtype.text.equals(name))
        .findFirst()
        .orElseThrow(
            () -> new IllegalArgumentException("there is no dtype " + Printable.quote(name)));
  }

  /** The dtype of a number in a file, from 0 to 255. */
  static Optional<Dtype> ofCode(int code) {
    return Optional.ofNullable(BY_CODE[code]);
  }
}
`
}

function errorCodeClass({ errors }: Tables): string {
  const constants = errors
    .filter(({ readers }) => readers)
    .map(({ code, about }) => `  /** ${about} */\n  ${code}`)
  return `package lightwatch.checkpoint;

/**
 * The kind of an error, for programs. Stable, and the same in every language that reads
 * checkpoints; {@link CheckpointException#rule} and the message say exactly what was found.
 */
public enum ErrorCode {
${constants.join(',\n')}
}
`
}

function limitsClass({ description, version, limits }: Tables): string {
  const constants = [version, ...limits].map(({ name, value, about }) => {
    const [type, suffix] = value < 2 ** 31 ? ['int', ''] : ['long', 'L']
    return `  /** ${about} */\n  static final ${type} ${upperCase(name)} = ${value}${suffix};\n`
  })
  return `package lightwatch.checkpoint;

/** The limits of the format. */
final class Limits {
  /** Four characters at byte 4 of a file. */
  static final String IDENTIFIER = "${description.identifier}";

${constants.join('\n')}
  private Limits() {}
}
`
}

function ruleClass({ rules }: Tables): string {
  const constants = rules.map(
    ({ name, about }) =>
      `  /** ${about} */\n  static final String ${upperCase(name)} = "${name}";\n`,
  )
  return `package lightwatch.checkpoint;

/** The names of the rules, as {@link CheckpointException#rule} has them. */
final class Rule {
${constants.join('\n')}
  private Rule() {}
}
`
}

function tableClass({ description }: Tables): string {
  const tables = Object.entries(description.tables)
  const fields = tables.map(([table, list]) =>
    list
      .map(fieldRow)
      .map(
        (row) =>
          `  static final Field ${upperCase(`${table}.${row.name}`)} =\n      ${fieldLiteral(row)};\n`,
      )
      .join(''),
  )
  const cases = tables.map(
    ([table, list]) =>
      `      case ${upperCase(table)} ->
          List.of(
${list.map(({ name }) => `              ${upperCase(`${table}.${name}`)}`).join(',\n')});
`,
  )
  return `package lightwatch.checkpoint;

import java.util.List;
import lightwatch.checkpoint.Schema.Field;
import lightwatch.checkpoint.Schema.Scalar;
import lightwatch.checkpoint.Schema.SegmentType;
import lightwatch.checkpoint.Schema.StringType;
import lightwatch.checkpoint.Schema.TableType;
import lightwatch.checkpoint.Schema.VectorType;

/** The tables of the schema and their fields. */
enum Table {
${tables.map(([table]) => `  ${upperCase(table)}("${table}")`).join(',\n')};

  /** The root of a file. */
  static final Table ROOT = ${upperCase(description.root)};

${fields.join('\n')}
  private final String text;

  Table(String text) {
    this.text = text;
  }

  /** In the order of their slots. */
  List<Field> fields() {
    return switch (this) {
${cases.join('')}    };
  }

  /** The name in the schema. */
  @Override
  public String toString() {
    return text;
  }
}
`
}

function fieldLiteral({ name, slot, required, kind, size, table }: FieldRow): string {
  const type = {
    number: `new Scalar(${size}, false)`,
    bool: 'new Scalar(1, true)',
    string: 'new StringType()',
    table: `new TableType(${upperCase(table ?? '')})`,
    numbers: `new VectorType(new Scalar(${size}, false))`,
    tables: `new VectorType(new TableType(${upperCase(table ?? '')}))`,
    segment: 'new SegmentType()',
  }[kind]
  return `new Field("${name}", ${slot}, ${required}, ${type})`
}
