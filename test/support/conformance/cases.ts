/** The files that every implementation is asked about, and what each has to say. */

import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { CORPUS, type Invalidity } from './corpus.js'
import type { Report } from './report.js'
import { validFiles } from './valid.js'

export interface Case {
  /** As the table calls it. */
  readonly name: string
  readonly path: string
  readonly expected: Report
}

/** Every file of the corpus: the valid ones, then the invalid ones. */
export async function corpusCases(): Promise<Case[]> {
  const path = (name: string): string => fileURLToPath(new URL(name, CORPUS))
  const cases: Case[] = []
  for (const { name } of validFiles) {
    const expected: Report = JSON.parse(await readFile(path(`valid/${name}.json`), 'utf8'))
    cases.push({ name: `valid/${name}`, path: path(`valid/${name}.ckpt`), expected })
  }
  const invalid: Record<string, Invalidity> = JSON.parse(
    await readFile(path('invalid.json'), 'utf8'),
  )
  for (const [name, { code, rule }] of Object.entries(invalid)) {
    const expected: Report = { error: { code, rule } }
    cases.push({ name: `invalid/${name}`, path: path(`invalid/${name}.ckpt`), expected })
  }
  return cases
}
