/**
 * `npm run example:resume`: trains every example without a break, and again with a kill (SIGKILL, at a random moment)
 * and a resume. Then it compares the last checkpoints of the two, bit for bit. Exits with 1 if an example differs or
 * fails.
 */

import { fork, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { loadCheckpoint } from '../src/index.js'
import { differences, statesOf } from '../src/resume-check/difference.js'
import { digits, installPackages, jax, libraries, nanogpt, plain } from './install-packages.js'

interface Example {
  readonly title: string
  readonly folder: string
  readonly program: string
  readonly settings: readonly string[]
}

const EXAMPLES: readonly Example[] = [
  {
    title: 'TensorFlow.js, with a loop of its own',
    folder: digits,
    program: 'train.js',
    settings: ['--epochs', '3'],
  },
  {
    title: 'TensorFlow.js, with model.fitDataset',
    folder: digits,
    program: 'fit.js',
    settings: ['--epochs', '4'],
  },
  {
    title: 'TensorFlow.js, deep Q-learning with a replay buffer',
    folder: digits,
    program: 'dqn.js',
    settings: ['--steps', '300'],
  },
  {
    title: 'jax-js',
    folder: jax,
    program: 'train.js',
    settings: ['--steps', '200'],
  },
  {
    title: 'plain JavaScript',
    folder: plain,
    program: 'train.js',
    settings: ['--steps', '400'],
  },
  {
    title: 'TensorFlow.js, a GPT of @genai-fi/nanogpt',
    folder: nanogpt,
    program: 'train.js',
    settings: ['--steps', '120'],
  },
  ...['brain.js', 'synaptic', 'neataptic', 'toygrad', 'convnetjs', 'ml-fnn'].map((library) => ({
    title: library,
    folder: libraries,
    program: 'train.js',
    settings: ['--library', library, '--steps', '600'],
  })),
]

/** The messages of an example to the program that has started it. */
interface Message {
  readonly event: string
  readonly step: number
  readonly steps: number
}

const root = fileURLToPath(new URL('..', import.meta.url))
const started = performance.now()

try {
  title('Building the library')
  build()
  let failures = 0
  for (const example of EXAMPLES) if (!(await check(example))) failures++
  title(
    failures === 0
      ? `identical: all ${EXAMPLES.length} examples`
      : `${failures} of ${EXAMPLES.length} examples did not resume exactly`,
  )
  process.exitCode = failures === 0 ? 0 : 1
} catch (error) {
  console.error(`\n${error instanceof Error ? error.message : String(error)}`)
  process.exitCode = 1
}

function title(text: string): void {
  const seconds = ((performance.now() - started) / 1000).toFixed(0).padStart(3)
  console.log(`\n${seconds} s  ${text}`)
}

function build(): void {
  const args = ['--import=tsx', join('scripts', 'build.ts')]
  const { status } = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' })
  if (status !== 0) throw new Error('the library does not build; see above')
}

async function check(example: Example): Promise<boolean> {
  title(example.title)
  await installPackages(example.folder)
  const runs = join(example.folder, 'runs')
  const name = example.program.replace('.js', '')
  const [whole, killed] = [join(runs, `${name}-whole`), join(runs, `${name}-killed`)]
  for (const run of [whole, killed]) await rm(run, { recursive: true, force: true })
  await train(example, whole)
  // Late enough for a first checkpoint, and early enough for the kill to come in time.
  const part = 0.4 + 0.4 * Math.random()
  const step = await train(example, killed, part)
  console.log(`killed after step ${step}`)
  if ((await checkpointsOf(killed)).length === 0) throw new Error('killed before the first save')
  await train(example, killed)
  return compare(await lastOf(whole), await lastOf(killed))
}

/**
 * Trains in a separate process, to its end, or, with `killAt`, until a kill some time after that share of its steps.
 * Returns the last step that it reported.
 */
async function train(example: Example, run: string, killAt?: number): Promise<number> {
  const { folder, program, settings } = example
  const child = fork(join(folder, program), ['--run', run, ...settings], {
    cwd: folder,
    execArgv: [],
  })
  let last = 0
  let killing: Promise<void> | undefined
  child.on('message', ({ event, step, steps }: Message) => {
    last = step
    if (event !== 'step' || killAt === undefined || step < killAt * steps) return
    killing ??= sleep(30 * Math.random()).then(() => void child.kill('SIGKILL'))
  })
  const [code, signal] = (await once(child, 'exit')) as [number | null, string | null]
  await killing
  if (process.stdout.isTTY && killAt !== undefined) process.stdout.write('\n')
  const expected = killAt === undefined ? code === 0 : signal === 'SIGKILL'
  if (!expected) throw new Error(`${program} ended with ${signal ?? `exit code ${code}`}`)
  return last
}

async function checkpointsOf(run: string): Promise<string[]> {
  const names = await readdir(run).catch(() => [])
  return names.filter((name) => name.endsWith('.ckpt')).sort()
}

async function lastOf(run: string): Promise<string> {
  const last = (await checkpointsOf(run)).at(-1)
  if (last === undefined) throw new Error(`${run} has no checkpoint`)
  return join(run, last)
}

async function compare(expected: string, actual: string): Promise<boolean> {
  await using a = await loadCheckpoint(expected)
  await using b = await loadCheckpoint(actual)
  const { tensors, attributes, other } = differences(a, b)
  const lines = [
    ...(a.step === b.step ? [] : [`step ${a.step} and step ${b.step}`]),
    ...other,
    ...attributes.map(({ state, path }) => `${state}: attribute ${path}`),
    ...tensors.map(({ state, tensor, index }) => `${state}: ${tensor}[${index}]`),
  ]
  if (lines.length > 0) {
    console.log(`DIFFERENT after the resume:\n  ${lines.join('\n  ')}`)
    return false
  }
  const states = [...statesOf(a).values()]
  const count = states.reduce((sum, { size }) => sum + size, 0)
  const names = states.map(({ name }) => name).join(', ')
  console.log(`identical: ${count} tensors and the attributes of ${names}, at step ${a.step}`)
  return true
}
