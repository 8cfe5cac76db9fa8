/** The rules that a source file names, to find rules without a test of their own. */

import { readFile } from 'node:fs/promises'

// The first argument of the functions that make an error, the last but one of `unique`, and `rule:`.
const NAMED = /(?:\b(?:broken|fault)\(\s*|\bunique\([^']*|\brule: )'([\w.]+)'/g

/** The names in src/format/`file`, each once, in alphabetical order. */
export async function ruleNames(file: string): Promise<string[]> {
  const text = await readFile(new URL(`../../../src/format/${file}`, import.meta.url), 'utf8')
  return [...new Set(Array.from(text.matchAll(NAMED), (match) => match[1]!))].sort()
}
