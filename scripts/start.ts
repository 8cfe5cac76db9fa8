/**
 * `npm start`: shows exact resume on a real training. It trains the example's classifier of handwritten digits without
 * a break, and again with two kills (SIGKILL, at random moments) and resumes. Then it compares the two, bit for bit.
 * Exits with 1 if they differ. With `--store s3` the checkpoints are in a bucket of an S3 server on this machine, and each
 * process begins with nothing else.
 */

import { type ChildProcess, fork, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { AwsClient } from 'aws4fetch'
import {
  type Checkpoint,
  type CheckpointState,
  type CheckpointStore,
  FolderStore,
  loadCheckpoint,
  type StoredCheckpoint,
} from '../src/index.js'
import { S3Store } from '../src/io/s3/s3-store.js'
import { digits, installPackages } from './install-packages.js'
import { startS3Server } from './s3-server.js'

const SEED = 1

/** The messages of the example to the program that has started it; see its progress.js. */
type Message =
  | { readonly event: 'step'; readonly step: number; readonly steps: number }
  | { readonly event: 'saving' | 'saved'; readonly step: number }

/** Decides with each message whether to kill, and after how many milliseconds. */
type Killer = (message: Message) => number | undefined

/** Where the two runs are, and what the example needs to find them there. */
interface Place {
  /** The location of a run, as the example takes it. */
  locate(run: string): string
  storeOf(run: string): CheckpointStore
  readonly environment: { readonly [name: string]: string }
  /** How a person looks at a checkpoint that stays; absent if none does. */
  readonly look?: (name: string) => string
  end(): Promise<void>
}

const root = fileURLToPath(new URL('..', import.meta.url))
const runs = join(digits, 'runs')
const BUCKET = 'digits'
const started = performance.now()

try {
  process.exitCode = await main()
} catch (error) {
  console.error(`\n${error instanceof Error ? error.message : String(error)}`)
  process.exitCode = 1
}

async function main(): Promise<number> {
  title('Building the library')
  build()
  title('Installing the example (TensorFlow.js, and 10,000 digits of MNIST)')
  await installPackages(digits)

  const { values } = parseArgs({
    options: {
      store: { type: 'string', default: 'folder' },
      epochs: { type: 'string', default: '8' },
    },
  })
  if (values.store !== 'folder' && values.store !== 's3') {
    throw new Error(`--store is folder or s3, not ${values.store}`)
  }
  const place = values.store === 's3' ? await inBucket() : await inFolder()
  try {
    return await compareTrainings(place, values.epochs)
  } finally {
    await place.end()
  }
}

async function inFolder(): Promise<Place> {
  const locate = (run: string) => join(runs, run)
  for (const run of ['uninterrupted', 'killed']) {
    await rm(locate(run), { recursive: true, force: true })
  }
  return {
    locate,
    storeOf: (run) => new FolderStore(locate(run)),
    environment: {},
    look: (name) => relative(process.cwd(), join(locate('killed'), name)),
    end: async () => {},
  }
}

async function inBucket(): Promise<Place> {
  title('Starting an S3 server (versitygw; the first time, Go builds it for two minutes)')
  const server = await startS3Server()
  const { endpoint, region, accessKeyId, secretAccessKey } = server
  const client = new AwsClient({ region, accessKeyId, secretAccessKey })
  await client.fetch(`${endpoint}/${BUCKET}`, { method: 'PUT', aws: { service: 's3' } })
  console.log(`${endpoint}, bucket ${BUCKET}`)
  return {
    locate: (run) => `s3://${BUCKET}/runs/${run}`,
    storeOf: (run) => new S3Store({ client, bucket: BUCKET, prefix: `runs/${run}`, endpoint }),
    environment: server.environment,
    end: () => server.stop(),
  }
}

async function compareTrainings(place: Place, epochs: string): Promise<number> {
  const { environment } = place
  const run = (name: string, killer?: Killer) =>
    train(place.locate(name), epochs, environment, killer)
  title('Training without a break')
  await run('uninterrupted')

  title('Training again, from the same seed, with kills')
  let kills = 0
  for (const killer of [atAnyMoment(0.1, 0.45), inASave(0.5, 0.9)]) {
    const killedAt = await run('killed', killer)
    if (killedAt === undefined) throw new Error('the training ended before it could be killed')
    kills++
    console.log(`kill ${kills}: SIGKILL ${killedAt}`)
  }
  await run('killed')

  title('Comparing')
  const last = (run: string) => lastCheckpoint(place.storeOf(run))
  return compare(await last('uninterrupted'), await last('killed'), kills, place.look)
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

/**
 * Trains in a separate process, until the end or the kill. Returns the moment of the kill in words, or undefined if the
 * training came to its end.
 */
async function train(
  run: string,
  epochs: string,
  environment: Place['environment'],
  killer?: Killer,
): Promise<string | undefined> {
  const args = ['--run', run, '--epochs', epochs, '--seed', String(SEED)]
  const env = { ...process.env, ...environment }
  const child = fork(join(digits, 'train.js'), args, { cwd: digits, execArgv: [], env })
  const last: { step: number; saving: boolean } = { step: 0, saving: false }
  let kill: Promise<void> | undefined
  child.on('message', (message: Message) => {
    last.step = message.step
    last.saving = message.event === 'saving'
    const delay = kill === undefined ? killer?.(message) : undefined
    if (delay !== undefined) kill = killLater(child, delay)
  })
  const [code, signal] = (await once(child, 'exit')) as [number | null, string | null]
  await kill
  if (killer !== undefined && signal === 'SIGKILL') {
    // Over the progress bar, if there is one.
    if (process.stdout.isTTY) process.stdout.write('\n')
    return last.saving ? `in the save of step ${last.step}` : `after step ${last.step}`
  }
  if (code !== 0) throw new Error(`the training failed (${signal ?? `exit code ${code}`})`)
  return undefined
}

async function killLater(child: ChildProcess, milliseconds: number): Promise<void> {
  await sleep(milliseconds)
  child.kill('SIGKILL')
}

/** Some time after a random step in the given range of the run: during a step or a save. */
function atAnyMoment(from: number, to: number): Killer {
  const part = between(from, to)
  return (message) =>
    message.event === 'step' && message.step >= part * message.steps ? between(0, 30) : undefined
}

/** During a save in the given range of the run: while it writes, syncs or renames. */
function inASave(from: number, to: number): Killer {
  const part = between(from, to)
  let steps = Number.POSITIVE_INFINITY
  let began = 0
  // The duration of the last save, which predicts that of the next.
  let duration = 0
  return (message) => {
    if (message.event === 'step') steps = message.steps
    else if (message.event === 'saved') duration = performance.now() - began
    else {
      began = performance.now()
      if (duration > 0 && message.step >= part * steps) return between(0, duration)
    }
    return undefined
  }
}

function between(from: number, to: number): number {
  return from + Math.random() * (to - from)
}

async function lastCheckpoint(store: CheckpointStore): Promise<StoredCheckpoint> {
  const files = await store.list((name) => name.endsWith('.ckpt'))
  const last = files
    .map(({ name }) => name)
    .sort()
    .at(-1)
  if (last === undefined) throw new Error(`${store.path} has no checkpoint`)
  return { store, name: last }
}

/** Compares two checkpoints and prints the outcome; returns the exit code. */
async function compare(
  expected: StoredCheckpoint,
  actual: StoredCheckpoint,
  kills: number,
  look: Place['look'],
): Promise<number> {
  // Of objects in a bucket, for their bytes at once.
  const cache = await mkdtemp(join(tmpdir(), 'lightwatch-start-'))
  try {
    await using a = await loadCheckpoint(expected, { cache })
    await using b = await loadCheckpoint(actual, { cache })
    return compareStates(a, b, kills, look?.(actual.name))
  } finally {
    await rm(cache, { recursive: true, force: true })
  }
}

function compareStates(
  a: Checkpoint,
  b: Checkpoint,
  kills: number,
  file: string | undefined,
): number {
  const differences = [
    ...(a.step === b.step ? [] : [`step ${a.step} and step ${b.step}`]),
    ...different(a.model, b.model),
    ...different(a.optimizer!, b.optimizer!),
  ]
  let bytes = 0
  for (const state of [a.model, a.optimizer!]) {
    for (const [, tensor] of state) bytes += tensor.byteLength
  }
  console.log(`accuracy: ${(100 * a.metrics.accuracy!).toFixed(2)} % without a break,`)
  console.log(`          ${(100 * b.metrics.accuracy!).toFixed(2)} % with ${kills} kills`)
  if (file !== undefined) {
    console.log('\nThe checkpoint is there to be looked at:')
    console.log(`  npx ckpt inspect ${file}`)
    console.log(`  npx ckpt verify ${file}`)
    console.log(`  npx ckpt view ${dirname(file)}\n`)
  }
  if (differences.length > 0) {
    console.log(`DIFFERENT after ${kills} kills:\n  ${differences.join('\n  ')}`)
    return 1
  }
  console.log(
    `identical: ${a.model.size} weights and ${a.optimizer!.size} optimizer buffers, ` +
      `${bytes.toLocaleString('en')} bytes, after ${kills} kills`,
  )
  return 0
}

/** The names of the tensors that differ between the two states, to the last bit. */
function different(a: CheckpointState, b: CheckpointState): string[] {
  const names = new Set([...a.keys(), ...b.keys()])
  return [...names]
    .filter((name) => !a.has(name) || !b.has(name) || !sameBits(a.get(name).data, b.get(name).data))
    .map((name) => `${a.name}: ${name}`)
}

function sameBits(a: ArrayBufferView, b: ArrayBufferView): boolean {
  return bytesOf(a).equals(bytesOf(b))
}

function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength)
}
