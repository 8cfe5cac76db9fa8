/** The examples of the READMEs, which have to work from the published packages alone. */

import { copyFile, readFile } from 'node:fs/promises'
import { join } from 'node:path'

/** The only fenced block of a README that is in a language and contains `word`. Throws where there is not one. */
export function exampleOf(readme: string, language: string, word = ''): string {
  const found = [...readme.matchAll(/^```([^\n]+)\n(.*?)^```$/gms)]
    .filter(([, info, code]) => info!.split(',')[0] === language && code!.includes(word))
    .map(([, , code]) => code!)
  if (found.length !== 1) {
    throw new Error(`expected one ${language} block with "${word}", found ${found.length}`)
  }
  return found[0]!
}

/** The README of a binding. */
export function readmeOf(root: string, language: string): Promise<string> {
  return readFile(join(root, 'bindings', language, 'README.md'), 'utf8')
}

/** Gives a folder the checkpoint that the examples of readers open, run.ckpt: the golden file. */
export async function giveCheckpoint(root: string, folder: string): Promise<void> {
  await copyFile(join(root, 'test/golden/v1.ckpt'), join(folder, 'run.ckpt'))
}
