import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { promisify } from 'node:util'
import test from 'ava'
import { bindings, lackOf, prepare } from '../support/conformance/implementations.js'
import { blocksOf } from '../support/docs/markdown.js'
import { firstNotPrinted, printsOf, programOf, runProgram } from '../support/docs/program.js'
import { requires } from '../support/requires.js'
import { scratchFolder } from '../support/scratch.js'

const run = promisify(execFile)
const page = readFileSync(new URL('../../docs/guide/other-languages.md', import.meta.url), 'utf8')
const lack = await lackOf(bindings.find(({ name }) => name === 'Python')!)

requires(test, { what: `Python (${lack})`, here: lack === undefined })(
  "the guide's Python reads what its TypeScript saved, and prints what it says",
  async (t) => {
    t.timeout(300_000)
    const { columns, missing } = await prepare(['Python'], () => {})
    t.deepEqual(missing, [])
    const folder = await scratchFolder(t)
    await runProgram(programOf(page), folder)
    const { code } = blocksOf(page).find(({ language }) => language === 'python')!
    const { stdout } = await run(columns[0]!.command.program, ['-c', code], { cwd: folder })
    const prints = printsOf(code)
    t.is(prints.length, 2)
    t.is(firstNotPrinted(prints, stdout), undefined, stdout)
  },
)
