/** The description of the .ckpt schema, and look-ups in it. */

import { description } from '../../generated/description.js'
import type { FieldDescription } from './description.js'

/** The description of schema/checkpoint.fbs. The verifier follows it. */
export const schema = description

/** A field of a table. Throws if there is none, which is a mistake in this library: all names are its own. */
export function fieldOf(table: string, name: string): FieldDescription {
  const field = schema.tables[table]?.find((f) => f.name === name)
  if (field === undefined) throw new Error(`the schema has no field ${table}.${name}`)
  return field
}
