/** What is committed is what the schema makes now. */

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { generate, generatedFolders, readGenerated } from '../../scripts/generated.js'
import { checkConformity, readReleased } from '../../scripts/released.js'

const project = fileURLToPath(new URL('../..', import.meta.url))

const schema = await readFile(join(project, 'schema/checkpoint.fbs'), 'utf8')

const sorted = (files: ReadonlyMap<string, string>) => Object.fromEntries([...files].sort())

test('the generated code of every language is what `npm run gen` makes of the schema now', async (t) => {
  const made = await generate(project)
  t.true(made.has('generated/description.ts'))
  t.true(made.has('generated/lightwatch/format/checkpoint.ts'))
  for (const folder of generatedFolders) {
    t.true(
      [...made.keys()].some((path) => path.startsWith(`${folder}/`)),
      folder,
    )
  }
  t.deepEqual(sorted(await readGenerated(project)), sorted(made))
})

test('the schema is an evolution of every released one', async (t) => {
  await t.notThrowsAsync(checkConformity(schema, await readReleased(project)))
})
