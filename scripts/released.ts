/**
 * The schemas of released versions, and whether today's schema is an evolution of them. Readers and writers of any
 * release, past or future, must understand each other's files. flatc enforces most of the rules (nothing removed, moved
 * or retyped, no default changed). This file refuses changes that flatc accepts although they make files unreadable.
 */

import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { SchemaDescription } from '../src/format/description.js'
import { describeSchema } from './describe-schema.js'
import { FlatcError, flatc } from './flatc.js'
import { binarySchema, type Reflection, reflect } from './reflection.js'

/** The folder of a project's released schemas: one file for each version, named by it. */
export const SCHEMA = 'schema/checkpoint.fbs'
export const RELEASED = 'schema/released'

/** The released schemas of the project in `folder`, by path; none before the first release. */
export async function readReleased(folder: string): Promise<Map<string, string>> {
  const released = new Map<string, string>()
  const names = await readdir(join(folder, RELEASED))
  for (const name of names.filter((name) => name.endsWith('.fbs')).sort()) {
    released.set(`${RELEASED}/${name}`, await readFile(join(folder, RELEASED, name), 'utf8'))
  }
  return released
}

/**
 * Compares `schema`, the text of an .fbs, with released ones by their paths. Throws an Error that names the release and
 * every way in which the schema does not conform to it; of those that flatc finds, only the first.
 */
export async function checkConformity(
  schema: string,
  released: ReadonlyMap<string, string>,
): Promise<void> {
  for (const [path, text] of released) {
    const breaks = [
      ...(await flatcBreaks(schema, path, text)),
      ...ownBreaks(await reflect(schema, SCHEMA), await reflect(text, path)),
    ]
    if (breaks.length > 0) {
      const list = breaks.map((line) => `\n  ${line}`).join('')
      throw new Error(`${SCHEMA} does not conform to ${path}:${list}`)
    }
  }
}

/** Whether a release has exactly this schema, apart from comments. */
export async function isReleased(
  schema: string,
  released: ReadonlyMap<string, string>,
): Promise<boolean> {
  const binary = await binarySchema(schema)
  for (const text of released.values()) {
    if (Buffer.compare(binary, await binarySchema(text)) === 0) return true
  }
  return false
}

async function flatcBreaks(schema: string, path: string, released: string): Promise<string[]> {
  try {
    await flatc(['--conform', path, SCHEMA], { [path]: released, [SCHEMA]: schema })
    return []
  } catch (error) {
    const found = error instanceof FlatcError && /schemas don't conform: (.*)/.exec(error.output)
    if (!found) throw error
    return [found[1]!]
  }
}

function ownBreaks(schema: Reflection, released: Reflection): string[] {
  return [
    ...missingNames(schema, released),
    ...descriptionBreaks(describeSchema(schema), describeSchema(released)),
  ]
}

/** flatc compares only what has the same full name, and ignores what is missing or renamed. */
function missingNames(schema: Reflection, released: Reflection): string[] {
  const names = new Set(namesOf(schema))
  return namesOf(released)
    .filter((name) => !names.has(name))
    .map((name) => `${name} is gone`)
}

/** Tables, structs, enums, and the values of enums: a number without a name could be reused. */
function namesOf({ objects, enums }: Reflection): string[] {
  const names = objects.map((object) => object.name)
  for (const { name, values } of enums) {
    names.push(name, ...values.map((value) => `${name}.${value.name}`))
  }
  return names
}

function descriptionBreaks(schema: SchemaDescription, released: SchemaDescription): string[] {
  const breaks: string[] = []
  for (const key of ['identifier', 'root'] as const) {
    if (schema[key] !== released[key]) {
      breaks.push(`the ${key} was ${released[key]} and is ${schema[key]}`)
    }
  }
  for (const [table, fields] of Object.entries(schema.tables)) {
    const before = released.tables[table]
    for (const field of fields) {
      const name = `${table}.${field.name}`
      const old = before?.find((candidate) => candidate.slot === field.slot)
      if (field.required && before !== undefined && !old?.required) {
        breaks.push(`${name} is required, and was not: older files may lack it`)
      }
      if (old !== undefined && JSON.stringify(old.type) !== JSON.stringify(field.type)) {
        breaks.push(`the type of ${name} differs`)
      }
    }
    for (const old of before ?? []) {
      const field = fields.find((candidate) => candidate.slot === old.slot)
      if (old.required && !field?.required) {
        breaks.push(`${table}.${old.name} was required, and is not: older readers insist on it`)
      }
    }
  }
  return breaks
}
