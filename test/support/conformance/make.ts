/**
 * Makes the corpus anew, byte for byte: valid/, invalid/ and invalid.json.
 *
 *   npx tsx test/support/conformance/make.ts
 */

import { mkdir, rm, writeFile } from 'node:fs/promises'
import { CORPUS, makeCorpus } from './corpus.js'

const files = await makeCorpus()
for (const folder of ['valid/', 'invalid/']) {
  await rm(new URL(folder, CORPUS), { recursive: true, force: true })
  await mkdir(new URL(folder, CORPUS))
}
let total = 0
for (const [path, bytes] of files) {
  await writeFile(new URL(path, CORPUS), bytes)
  total += bytes.byteLength
}
console.log(`${files.size} files, ${total} bytes`)
