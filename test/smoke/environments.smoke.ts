/** The package in the environments that people have: a test for each work, and a table at the end. */

import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import test, { type ExecutionContext } from 'ava'
import { scratchFolder } from '../support/scratch.js'
import {
  applications,
  bundles,
  type Command,
  runners,
  runtimes,
} from '../support/smoke/environments.js'
import { workspace } from '../support/smoke/workspace.js'

const run = promisify(execFile)
const installed = workspace()

const WORKS = ['save', 'manage', 'kill and resume', 'ckpt'] as const
type Work = (typeof WORKS)[number]
const table = new Map<string, Map<Work, string>>()

/** Registers a test for a cell of the table. */
function cell(environment: string, work: Work, body: (t: ExecutionContext) => Promise<void>): void {
  const row = table.get(environment) ?? new Map<Work, string>()
  table.set(environment, row)
  row.set(work, 'failed')
  test.serial(`${environment}: ${work}`, async (t) => {
    t.timeout(300_000)
    await body(t)
    row.set(work, 'ok')
  })
}

async function execute(command: Command, ...args: string[]): Promise<string> {
  const { stdout } = await run(command.program, [...command.args, ...args], {
    ...(command.cwd === undefined ? {} : { cwd: command.cwd }),
    timeout: 120_000,
    maxBuffer: 2 ** 26,
  })
  return stdout
}

/** Kills a training when it has told of three durable steps; resolves to the last of them. */
async function killAfterThree(child: ChildProcess): Promise<number> {
  let last = 0
  const lines = createInterface(child.stdout!)
  const timer = setTimeout(() => child.kill('SIGKILL'), 120_000)
  lines.on('line', (line) => {
    const step = /^durable (\d+)/.exec(line)?.[1]
    if (step === undefined) return
    last = Number(step)
    if (last >= 3) child.kill('SIGKILL')
  })
  await new Promise((resolve) => child.on('close', resolve))
  clearTimeout(timer)
  return last
}

for (const { name, prepare, ckpt } of [...runtimes, ...bundles, ...applications]) {
  let made: Promise<Command> | undefined
  const command = async (t: ExecutionContext): Promise<Command> => {
    made ??= installed.then(async (folder) => {
      const own = join(folder, 'made', name.replace(/\W+/g, '-'))
      await mkdir(own, { recursive: true })
      return prepare(folder, own)
    })
    made.catch((error) => t.log(String(error?.stderr ?? error).slice(0, 2000)))
    return made
  }
  for (const work of ['save', 'manage'] as const) {
    cell(name, work, async (t) => {
      t.regex(await execute(await command(t), work, await scratchFolder(t)), /^done$/m)
    })
  }
  cell(name, 'kill and resume', async (t) => {
    const made = await command(t)
    const folder = await scratchFolder(t)
    const child = spawn(made.program, [...made.args, 'train', folder], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const last = await killAfterThree(child)
    t.true(last >= 3, `it told of ${last} durable steps before it ended`)
    const resumed = /^resumed (\d+)/m.exec(await execute(made, 'resume', folder))?.[1]
    t.true(Number(resumed) >= last, `resumed at ${resumed}, and ${last} was durable`)
  })
  if (ckpt !== undefined) {
    cell(name, 'ckpt', async (t) => {
      const folder = await scratchFolder(t)
      await execute(await command(t), 'save', folder)
      t.regex(await execute(ckpt(await installed), 'verify', join(folder, 'a.ckpt')), /ok/)
    })
  }
}

for (const { name, command } of runners) {
  cell(name, 'save', async (t) => {
    await t.notThrowsAsync(command(await installed).then((made) => execute(made, '-t', 'save')))
  })
  cell(name, 'manage', async (t) => {
    await t.notThrowsAsync(command(await installed).then((made) => execute(made, '-t', 'manage')))
  })
}

test.after.always((t) => {
  const width = Math.max(...[...table.keys()].map((name) => name.length))
  t.log(
    [
      ['environment'.padEnd(width), ...WORKS].join(' | '),
      ...[...table].map(([name, row]) =>
        [
          name.padEnd(width),
          ...WORKS.map((work) => (row.get(work) ?? '').padEnd(work.length)),
        ].join(' | '),
      ),
    ].join('\n'),
  )
})
