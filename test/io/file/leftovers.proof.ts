/** What dead savers leave and living ones have, in real processes, containers and threads. */

import { spawn, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import * as fs from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ExecutionContext } from 'ava'
import { testWith } from '../../support/requires.js'
import { scratchFolder } from '../../support/scratch.js'

const program = fileURLToPath(new URL('../../support/children/save-and-stop.mjs', import.meta.url))
const hidden = fileURLToPath(new URL('../../support/children/without-koffi.mjs', import.meta.url))

type How = 'saves' | 'killed' | 'exits' | 'waits' | 'thread'

/** How a process gets at locks. */
const LOCKS = {
  'by the C library': { nodeArguments: [], environment: {} },
  'by a child': { nodeArguments: ['--import', hidden], environment: {} },
  // There is no program `flock` to be found.
  none: { nodeArguments: ['--import', hidden], environment: { PATH: '' } },
} as const

type Locks = keyof typeof LOCKS

interface Options {
  readonly locks?: Locks
  readonly name?: string
  /** A shell's commands that come before it in a sandbox with process numbers of its own. */
  readonly sandbox?: string
}

function command(how: How, folder: string, { locks, name = 'a.ckpt', sandbox }: Options) {
  const { nodeArguments, environment } = LOCKS[locks ?? 'by the C library']
  const node = [process.execPath, ...nodeArguments, program, how, folder, name]
  const env = { ...process.env, ...environment }
  if (sandbox === undefined) return { file: node[0]!, args: node.slice(1), env }
  const assigned = Object.entries(environment).map(([key, value]) => `${key}='${value}'`)
  const quoted = [...assigned, ...node.map((word) => `'${word}'`)].join(' ')
  // The program is not the first process where commands come before it.
  const script = sandbox === '' ? `exec env ${quoted}` : `${sandbox}; ${quoted}; true`
  const args = ['--pid', '--fork', '--mount-proc', '--uts', 'sh', '-c', script]
  return { file: '/usr/bin/unshare', args, env: process.env }
}

/** Runs it to its end. */
function run(how: How, folder: string, options: Options = {}): string {
  const { file, args, env } = command(how, folder, options)
  const { stdout, stderr } = spawnSync(file, args, { encoding: 'utf8', env, timeout: 60_000 })
  return `${stdout}${stderr}`
}

/** Starts one that waits in the middle of its save, and returns how to let it go on. */
async function startWaiting(
  t: ExecutionContext,
  folder: string,
  options: Options = {},
): Promise<() => Promise<string>> {
  const { file, args, env } = command('waits', folder, options)
  const child = spawn(file, args, { env, stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => child.kill('SIGKILL'))
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text) => {
    output += text
  })
  const ended = new Promise((resolve) => child.once('close', resolve))
  while (!existsSync(join(folder, 'is-at-it'))) await new Promise((r) => setTimeout(r, 5))
  return async () => {
    await fs.writeFile(join(folder, 'go-on'), '')
    await ended
    return output.trim()
  }
}

const temporaryFiles = async (folder: string) =>
  (await fs.readdir(folder)).filter((name) => name.endsWith('.tmp'))

const onLinux = testWith()
const withContainers = testWith('root', 'mounts', 'program:unshare')
const withFlock = testWith('program:flock')

for (const locks of ['by the C library', 'by a child', 'none'] as const) {
  const tried = locks === 'by a child' ? withFlock : onLinux

  tried(`locks ${locks}: what a killed process leaves, the next save removes`, async (t) => {
    const folder = await scratchFolder(t)
    run('killed', folder, { locks })
    const [left] = await temporaryFiles(folder)
    t.is(left?.endsWith('.locked.tmp'), locks !== 'none')
    t.is(run('saves', folder, { locks }).trim(), 'durable')
    t.deepEqual(await fs.readdir(folder), ['a.ckpt'])
  })

  tried(`locks ${locks}: the file of a living saver stays, whoever else saves`, async (t) => {
    for (const other of Object.keys(LOCKS) as Locks[]) {
      const folder = await scratchFolder(t)
      const goOn = await startWaiting(t, folder, { locks })
      const before = await temporaryFiles(folder)
      t.is(before.length, 1)
      t.regex(run('saves', folder, { locks: other, name: 'b.ckpt' }), /durable/)
      t.deepEqual(await temporaryFiles(folder), before)
      t.is(await goOn(), 'durable')
      t.deepEqual((await fs.readdir(folder)).sort(), ['a.ckpt', 'b.ckpt', 'go-on', 'is-at-it'])
    }
  })
}

onLinux('what a thread leaves that is ended, the next save of its process removes', async (t) => {
  for (const locks of ['by the C library', 'by a child'] as const) {
    const folder = await scratchFolder(t)
    t.is(run('thread', folder, { locks }).trim(), 'durable')
    t.deepEqual(await fs.readdir(folder), ['a.ckpt'])
  }
})

withContainers(
  'a container that starts again removes what its first process has left',
  async (t) => {
    for (const locks of ['by the C library', 'by a child'] as const) {
      const folder = await scratchFolder(t)
      for (let i = 0; i < 2; i++) {
        run('exits', folder, { locks, sandbox: '' })
        t.is((await temporaryFiles(folder)).length, 1)
      }
      t.is(run('saves', folder, { locks, sandbox: '' }).trim(), 'durable')
      t.deepEqual(await fs.readdir(folder), ['a.ckpt'])
    }
  },
)

const WITHOUT_PROC = 'mount -t tmpfs tmpfs /proc'
const OTHER_NAME = 'hostname elsewhere'

for (const [where, sandbox] of [
  ['in another container', 'true'],
  ['in a sandbox without /proc', WITHOUT_PROC],
  ['on a machine of another name', OTHER_NAME],
] as const) {
  withContainers(
    `the file of a living saver ${where} stays, and goes when it has died`,
    async (t) => {
      for (const locks of ['by the C library', 'by a child', 'none'] as const) {
        const folder = await scratchFolder(t)
        // Not the first process there: its number is that of no process of the other one.
        const goOn = await startWaiting(t, folder, {
          locks,
          sandbox: `${sandbox}; sleep 0; sleep 0`,
        })
        const before = await temporaryFiles(folder)
        t.is(before.length, 1)
        const other = { locks, name: 'b.ckpt' }
        for (const own of [{ ...other, sandbox: '' }, { ...other, sandbox }, other]) {
          t.regex(run('saves', folder, own), /durable/)
          t.deepEqual(await temporaryFiles(folder), before, `locks ${locks}`)
        }
        t.is(await goOn(), 'durable')
        if (locks === 'none') continue
        run('exits', folder, { locks, sandbox })
        t.is((await temporaryFiles(folder)).length, 1)
        t.is(run('saves', folder, { locks }).trim(), 'durable')
        t.deepEqual(await temporaryFiles(folder), [])
      }
    },
  )
}

withContainers(
  'where nothing tells the living from the dead, the file stays, with a warning',
  async (t) => {
    const folder = await scratchFolder(t)
    const sandbox = WITHOUT_PROC
    run('exits', folder, { locks: 'none', sandbox })
    const left = await temporaryFiles(folder)
    t.is(left.length, 1)
    const printed = run('saves', folder, { locks: 'none', sandbox })
    t.regex(printed, /durable/)
    t.true(printed.includes('CheckpointWarning') && printed.includes(left[0]!))
    t.deepEqual(await temporaryFiles(folder), left)
  },
)
