import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import type { ElementType, FieldDescription, FieldType } from '../../../src/format/description.js'
import { buildOracle } from '../../support/fuzz/cpp/build.js'
import { type Descriptions, Differential } from '../../support/fuzz/cpp/differential.js'
import { watchRuntime } from '../../support/fuzz/guards.js'
import { SEED } from '../../support/seed.js'

const INPUTS = 160_000

let folder: string
let oracle: string

test.before(async () => {
  // A read out of range throws from here on.
  watchRuntime()
  Error.stackTraceLimit = 0
  folder = await mkdtemp(join(tmpdir(), 'lightwatch-oracle-'))
  oracle = await buildOracle(folder)
})

test.after.always(() => rm(folder, { recursive: true, force: true }))

test('our verifier accepts nothing that the one for C++ refuses, and every accepted buffer can be read', async (t) => {
  t.timeout(300_000)
  const differential = await Differential.start(oracle)
  t.teardown(() => differential.close())
  const { tally, disagreements } = await differential.compare(SEED, 0, INPUTS)
  t.deepEqual(disagreements, [])
  for (const schema of ['file', 'metadata', 'every']) {
    const of = (outcome: string) => tally.get(`${schema}: ${outcome}`) ?? 0
    t.log(`${schema}: ${of('both accept')} accepted by both, ${of('both refuse')} refused by both`)
    // Mutations that are all refused, or all accepted, would say little.
    t.true(of('both accept') > INPUTS / 100)
    t.true(of('both refuse') > INPUTS / 100)
  }
})

type Change = (field: FieldDescription) => FieldDescription

/** Descriptions in which every field has been changed. */
function everyField(change: Change): (right: Descriptions) => Descriptions {
  const changed = (description: Descriptions['metadata']): Descriptions['metadata'] => ({
    ...description,
    tables: Object.fromEntries(
      Object.entries(description.tables).map(([name, fields]) => [name, fields.map(change)]),
    ),
  })
  return ({ metadata, every }) => ({ metadata: changed(metadata), every: changed(every) })
}

const ofType = (change: (type: FieldType) => FieldType): Change => {
  return (field) => ({ ...field, type: change(field.type) })
}

const OFFSET: ElementType = { base: 'scalar', scalar: 'uint32', size: 4 }
const BYTE: ElementType = { base: 'scalar', scalar: 'uint8', size: 1 }

// Mistakes that a verifier could make, each of them planted by way of what it goes by.
const mistakes: { readonly [what: string]: (right: Descriptions) => Descriptions } = {
  'no field is required': everyField((field) => ({ ...field, required: false })),
  'strings are not looked at': everyField(ofType((t) => (t.base === 'string' ? OFFSET : t))),
  'tables in tables are not looked at': everyField(
    ofType((t) => (t.base === 'table' ? OFFSET : t)),
  ),
  'vectors are not looked at': everyField(ofType((t) => (t.base === 'vector' ? OFFSET : t))),
  'elements that are offsets are not followed': everyField(
    ofType((type) => {
      if (type.base !== 'vector') return type
      const { element } = type
      const followed = element.base === 'string' || element.base === 'table'
      return followed ? { ...type, element: OFFSET } : type
    }),
  ),
  'elements are taken for bytes': everyField(
    ofType((t) =>
      t.base === 'vector' && t.element.base === 'scalar' ? { ...t, element: BYTE } : t,
    ),
  ),
  'scalars are taken for bytes': everyField(ofType((t) => (t.base === 'scalar' ? BYTE : t))),
  'nothing is looked at': everyField((field) => ({ ...field, required: false, type: BYTE })),
}

for (const [what, wrong] of Object.entries(mistakes)) {
  test(`negative control: it would be noticed if ${what}`, async (t) => {
    t.timeout(300_000)
    const differential = await Differential.start(oracle, wrong)
    t.teardown(() => differential.close())
    const { disagreements } = await differential.compare(SEED, 0, 12_000)
    t.true(disagreements.length > 0)
  })
}
