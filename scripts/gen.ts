/**
 * `npm run gen`: writes all generated code from schema/checkpoint.fbs. If flatc does not accept the schema, or if it
 * does not conform to a released one, it reports that and writes nothing. `npm run gen -- <folder>` does so for the
 * project in another folder.
 */

import { fileURLToPath } from 'node:url'
import { generate, generatedFolders, writeGenerated } from './generated.js'

const folder = process.argv[2] ?? fileURLToPath(new URL('..', import.meta.url))

try {
  const files = await generate(folder)
  await writeGenerated(folder, files)
  console.log(`${files.size} files in ${generatedFolders.join(', ')}`)
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}
