/**
 * The code of the guides and of the README runs as it stands. The conventions are in test/README.md.
 */

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { INSTALL_MS } from '../support/adapters/tensorflow-trainings.js'
import { programOf, runProgram } from '../support/docs/program.js'
import { scratchFolder } from '../support/scratch.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
const guides = readdirSync(join(root, 'docs', 'guide'))
  .filter((name) => name.endsWith('.md') && name !== 'README.md')
  .map((name) => join('docs', 'guide', name))

/** Whether the lines are among those that were printed, in this order. `…` stands for any text. */
function firstNotPrinted(lines: readonly string[], printed: string): string | undefined {
  const output = printed.split('\n')
  let at = 0
  for (const line of lines) {
    const pattern = new RegExp(
      `^${line.replace(/[.*+?^${}()|[\]\\]/g, '\\$&').replaceAll('…', '.*')}\\s*$`,
    )
    while (at < output.length && !pattern.test(output[at]!)) at++
    if (at++ >= output.length) return line
  }
  return undefined
}

for (const page of guides) {
  test.serial(
    `the code of ${page.replaceAll('\\', '/')} runs, and prints what it says`,
    async (t) => {
      t.timeout(INSTALL_MS, 'with an npm ci of a framework')
      const program = programOf(readFileSync(join(root, page), 'utf8'))
      if (program.source === '') {
        t.true(program.reasons.length > 0, 'nothing of it is run, and it does not say why')
        return
      }
      const printed = await runProgram(program, await scratchFolder(t))
      t.is(firstNotPrinted(program.prints, printed), undefined, printed)
    },
  )
}
