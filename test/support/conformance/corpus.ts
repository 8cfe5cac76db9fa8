/** The corpus as it has to be, made anew: every file with its name, its bytes and what is expected. */

import { readFile } from 'node:fs/promises'
import { Patch } from '../format/patch.js'
import { saveGolden } from '../golden/save.js'
import { expectedReport } from './expected-report.js'
import { invalidFiles } from './invalid.js'
import type { FileReport } from './report.js'
import { writeFile } from './second-writer.js'
import { type ValidFile, validFiles } from './valid.js'

/** The folder that the corpus lies in. */
export const CORPUS = new URL('../../conformance/', import.meta.url)

/** What `invalid.json` says of a file. */
export interface Invalidity {
  readonly code: string
  readonly rule: string | null
  readonly about: string
}

/** The bytes of a valid file. */
export async function bytesOf({ holds, second, written, make }: ValidFile): Promise<Uint8Array> {
  if (written !== undefined) return readFile(new URL(written, import.meta.url))
  if (make !== undefined) return make()
  return second === undefined ? saveGolden(holds) : writeFile(holds, second)
}

/** What readers have to say of the bytes of a valid file. */
export function reportOf({ holds }: ValidFile, bytes: Uint8Array): FileReport {
  const { view, root } = new Patch(bytes)
  return expectedReport(holds, view.getUint32(root.position('metadata_length'), true))
}

/** Every file of the corpus, by its path in the folder. */
export async function makeCorpus(): Promise<ReadonlyMap<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>()
  const add = (path: string, content: Uint8Array | string): void => {
    if (files.has(path)) throw new Error(`${path} is there twice`)
    files.set(path, typeof content === 'string' ? new TextEncoder().encode(content) : content)
  }
  for (const file of validFiles) {
    const bytes = await bytesOf(file)
    add(`valid/${file.name}.ckpt`, bytes)
    add(`valid/${file.name}.json`, `${JSON.stringify(reportOf(file, bytes), null, 1)}\n`)
  }
  const invalid: Record<string, Invalidity> = {}
  for (const { name, code, rule, about, bytes } of invalidFiles) {
    add(`invalid/${name}.ckpt`, bytes)
    invalid[name] = { code, rule, about }
  }
  add('invalid.json', `${JSON.stringify(invalid, null, 1)}\n`)
  return files
}
