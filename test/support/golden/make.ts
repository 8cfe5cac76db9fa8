/**
 * Makes the golden file of the current format version, and the content that a reader must find in it:
 *
 *   npx tsx test/support/golden/make.ts && npx biome check --write test/golden
 *
 * A golden file is made once. It shows that files of old versions can still be read, so the files of released versions
 * are never made again. To make the file of an unreleased version again, remove it first.
 */

import { writeFile } from 'node:fs/promises'
import { expected } from './expected.js'
import { saveGolden } from './save.js'
import { v1 } from './v1.js'

const file = await saveGolden(v1)
const json = `${JSON.stringify(expected(v1), null, 1)}\n`
await writeFile(new URL('../../golden/v1.ckpt', import.meta.url), file, { flag: 'wx' })
await writeFile(new URL('../../golden/v1.json', import.meta.url), json, { flag: 'wx' })
console.log(`v1.ckpt: ${file.byteLength} bytes`)
