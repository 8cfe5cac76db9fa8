/**
 * The code of the guides and of the README runs as it stands. The conventions are in test/README.md.
 */

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { INSTALL_MS } from '../support/adapters/tensorflow-trainings.js'
import { firstNotPrinted, needsBucket, programOf, runProgram } from '../support/docs/program.js'
import { requires } from '../support/requires.js'
import { S3_SERVER } from '../support/s3/server-need.js'
import { scratchFolder } from '../support/scratch.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
const guides = readdirSync(join(root, 'docs', 'guide'))
  .filter((name) => name.endsWith('.md') && name !== 'README.md')
  .map((name) => join('docs', 'guide', name))

for (const page of ['README.md', ...guides]) {
  const program = programOf(readFileSync(join(root, page), 'utf8'))
  const declare = requires(test.serial, ...(needsBucket(program) ? [S3_SERVER] : []))
  declare(`the code of ${page.replaceAll('\\', '/')} runs, and prints what it says`, async (t) => {
    t.timeout(INSTALL_MS, 'with an npm ci of a framework')
    if (program.source === '') {
      t.true(program.reasons.length > 0, 'nothing of it is run, and it does not say why')
      return
    }
    const printed = await runProgram(program, await scratchFolder(t))
    t.is(firstNotPrinted(program.prints, printed), undefined, printed)
  })
}

test('a line that is not printed, or not in its place, is found', (t) => {
  t.is(firstNotPrinted(['a', 'c … e'], 'a\nb\nc d e\n'), undefined)
  t.is(firstNotPrinted(['a', 'c'], 'c\na\n'), 'c')
  t.is(firstNotPrinted(['a', 'a'], 'a\n'), 'a')
  t.is(firstNotPrinted(['a'], 'ab\n'), 'a')
})

test('blocks with a note are left out of the program, or are files beside it', (t) => {
  const block = (code: string, note = '') => `${note}\n\`\`\`ts\n${code}\n\`\`\`\n`
  const page = [
    block('one() // prints 1'),
    block('two()', '<!-- not run: why -->'),
    block('three()', '<!-- file: three.ts -->'),
    '```sh\nfour\n```\n',
  ].join('')
  const { source, files, prints, reasons } = programOf(page)
  t.is(source, 'one() // prints 1\n')
  t.deepEqual([...files], [['three.ts', 'three()\n']])
  t.deepEqual([prints, reasons], [['1'], ['why']])
  t.throws(() => programOf(block('one()', '<!-- not runn: why -->')), { message: /line 2/ })
})
