/**
 * Run before publishing (`prepublishOnly`): fails unless schema/released/ has the schema that is about
 * to be published. After the release nobody could tell which schema it went out with.
 */

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isReleased, RELEASED, readReleased, SCHEMA } from './released.js'

const folder = process.argv[2] ?? fileURLToPath(new URL('..', import.meta.url))

const schema = await readFile(join(folder, SCHEMA), 'utf8')
if (!(await isReleased(schema, await readReleased(folder)))) {
  console.error(`${SCHEMA} is not in ${RELEASED}: copy it there as <version>.fbs, and commit it`)
  process.exitCode = 1
}
