/** What has to hold of one package before it is published, as steps that can be run and timed. */

import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

/** A package and its registry. */
export interface PackageCheck {
  /** As `--only` and the table call it. */
  readonly name: string
  /** Programs that have to be there. */
  readonly needs: readonly string[]
  /** In their order; one that fails ends the check of this package. */
  readonly steps: readonly Step[]
}

export interface Step {
  /** What holds when `run` has resolved. */
  readonly title: string
  readonly run: (work: Work) => Promise<void>
}

/** Where the steps of one package work. */
export interface Work {
  /** The repository. */
  readonly root: string
  /** The version that all packages have. */
  readonly version: string
  /** A folder of this package's own, empty at first, and removed in the end. */
  readonly folder: string
  /** Runs a program (in `folder`, unless told otherwise) and resolves to its output; rejects with the end of it. */
  run(program: string, args: readonly string[], options?: RunOptions): Promise<string>
}

export interface RunOptions {
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
}

/** How the check of one package went. */
export interface Outcome {
  readonly name: string
  readonly done: number
  readonly steps: number
  readonly seconds: number
  /** Of the step that failed: its title, and why. */
  readonly failure?: { readonly title: string; readonly why: string }
}

// Lines of a program's output that an error shows.
const LAST_LINES = 40

/** Runs the steps of one package. Says each one with `say` when it has ended. Never rejects for a failed step. */
export async function runCheck(
  check: PackageCheck,
  project: { readonly root: string; readonly version: string },
  say: (line: string) => void,
): Promise<Outcome> {
  const { name, steps } = check
  const begin = performance.now()
  const folder = await mkdtemp(join(tmpdir(), `release-${name.replace(/\W/g, '')}-`))
  const work: Work = {
    ...project,
    folder,
    run: (program, args, { cwd = '.', env = {} } = {}) =>
      output(program, args, resolve(folder, cwd), env),
  }
  const seconds = (since: number) => (performance.now() - since) / 1000
  let done = 0
  try {
    for (const { title, run } of [...needed(check), ...steps]) {
      const started = performance.now()
      try {
        await run(work)
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error)
        say(`  ✘ ${title}\n${why.replace(/^/gm, '      ')}`)
        return { name, done, steps: steps.length, seconds: seconds(begin), failure: { title, why } }
      }
      if (!steps.some((step) => step.title === title)) continue
      done++
      say(`  ✔ ${title} (${seconds(started).toFixed(1)} s)`)
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
  return { name, done, steps: steps.length, seconds: seconds(begin) }
}

/** A package that cannot be checked on this machine is a failure: nothing would be known of it. */
function needed({ needs }: PackageCheck): Step[] {
  return needs.map((program) => ({
    title: `${program} is there`,
    run: async ({ run }) => {
      await run(program, [program === 'go' ? 'version' : '--version'])
    },
  }))
}

function output(
  program: string,
  args: readonly string[],
  cwd: string,
  env: Readonly<Record<string, string>>,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let printed = ''
    let errors = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      printed += text
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      errors += text
    })
    child.on('error', reject)
    child.on('close', (code, signal) => {
      if (code === 0) return resolve(printed)
      const lines = `${printed}${errors}`.trimEnd().split('\n').slice(-LAST_LINES).join('\n')
      reject(new Error(`${[program, ...args].join(' ')} ended with ${code ?? signal}:\n${lines}`))
    })
  })
}

/** Fails unless the two are equal; says both. */
export function expectEqual(found: unknown, expected: unknown, what: string): void {
  const [a, b] = [JSON.stringify(found), JSON.stringify(expected)]
  if (a !== b) throw new Error(`${what}: expected ${b}, found ${a}`)
}

/** Fails unless every one of `expected` is in `found`. */
export function expectAll(
  found: readonly string[],
  expected: readonly string[],
  what: string,
): void {
  const missing = expected.filter((name) => !found.includes(name))
  if (missing.length > 0) {
    throw new Error(`${what}: ${missing.join(', ')} missing from:\n${found.join('\n')}`)
  }
}

/** Fails if any of `found` matches. */
export function expectNone(found: readonly string[], unwanted: RegExp, what: string): void {
  const stray = found.filter((name) => unwanted.test(name))
  if (stray.length > 0) throw new Error(`${what}: unexpected ${stray.join(', ')}`)
}
