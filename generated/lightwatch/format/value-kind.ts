// Generated from schema/checkpoint.fbs; do not edit: npm run gen
// @ts-nocheck

/**
 * The field of a Value that holds it.
 */
export enum ValueKind {
  /**
   * Never in a valid file.
   */
  Unknown = 0,

  /**
   * No field.
   */
  Null = 1,

  /**
   * `boolean`
   */
  Boolean = 2,

  /**
   * `integer`, an integer that a double holds exactly: at most 2^53 - 1 either way.
   */
  Integer = 3,

  /**
   * `integer`, any int64 (a bigint in JavaScript).
   */
  Int64 = 4,

  /**
   * `uinteger`, an integer from 2^63 up.
   */
  Uint64 = 5,

  /**
   * `number`
   */
  Float64 = 6,

  /**
   * `text`
   */
  Text = 7,

  /**
   * `list`
   */
  List = 8,

  /**
   * `map`
   */
  Map = 9
}
