/** The description of our own schema, and look-ups in it. */

import { description } from '../../generated/description.js'
import type { FieldDescription } from './description.js'

/** The description of schema/checkpoint.fbs, by which the verifier walks metadata. */
export const schema = description

/** A field of a table of our schema. Names come from this library alone, so a miss is our mistake. */
export function fieldOf(table: string, name: string): FieldDescription {
  const field = schema.tables[table]?.find((f) => f.name === name)
  if (field === undefined) throw new Error(`the schema has no field ${table}.${name}`)
  return field
}
