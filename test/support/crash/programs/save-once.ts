/**
 * Saves once, when its parent says so. The parent kills it, makes calls fail, or removes the disk. Its one argument is
 * the JSON of a `SaveOnce`.
 *
 * It prints its `Threads`, waits for a byte on standard input, and prints an `Outcome`. Before and after the save it
 * calls `access` on a name that does not exist, which marks the save in a trace.
 */

import {
  accessSync,
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readSync,
  writeSync,
} from 'node:fs'
import { readlink } from 'node:fs/promises'
import { constants } from 'node:os'
import { dirname } from 'node:path'
import { isCheckpointError } from '../../../../src/errors.js'
import { FileSink } from '../../../../src/io/file/file-sink.js'
import { libc } from '../../../../src/io/file/libc.js'
import type { Durability } from '../../../../src/io/sink.js'
import { saveCheckpoint } from '../../../../src/save/save.js'
import { mutantFileSystem } from '../mutants.js'
import { BEGIN, END, type Outcome, type SaveOnce, type Threads } from '../save-once.js'
import { trainingAt } from '../training.js'

type Save = (path: string, step: number) => Promise<Durability>

const job: SaveOnce = JSON.parse(process.argv[2] ?? '')
const { path, step, before = [] } = job
const save = await saving(job)
// The calls that load it are not a save's own.
await libc()

// The thread that makes the file system's calls; there is one (UV_THREADPOOL_SIZE=1), and now it has
// been started.
const worker = await readlink('/proc/thread-self').catch(() => '/0')
const others = tasks()

// Those before it, of the steps before it. A saver in the background starts its thread with the first.
for (const [i, earlier] of before.entries()) await save(earlier, step - before.length + i)

const [saver, ...more] = tasks().filter((task) => !others.includes(task))
if (more.length > 0) throw new Error(`threads ${more} are not known`)
const threads: Threads = { main: process.pid, worker: Number(worker.split('/').at(-1)), saver }
writeSync(1, `${JSON.stringify(threads)}\n`)
readSync(0, new Uint8Array(1), 0, 1, null)

if (job.user !== undefined) {
  process.setgroups?.([])
  process.setgid?.(job.user)
  process.setuid?.(job.user)
}
if (job.descriptors !== undefined) leaveDescriptors(job.descriptors)

mark(BEGIN)
const outcome = await save(path, step).then<Outcome, Outcome>(
  (durability) => ({ durability }),
  (error: Error & { readonly cause?: NodeJS.ErrnoException }) => ({
    message: error.message,
    code: isCheckpointError(error) ? error.code : undefined,
    cause: systemName(error.cause),
  }),
)
mark(END)
writeSync(1, `${JSON.stringify(outcome)}\n`)

/** The way to save. Nothing is loaded but what it needs: a run starts hundreds of these. */
async function saving({ by, mutant }: SaveOnce): Promise<Save> {
  if (by === 'background') {
    const { BackgroundSaver } = await import('../../../../src/save/background/saver.js')
    const saver = new BackgroundSaver()
    return async (path, step) => {
      const { model, optimizer, progress } = trainingAt(step, job.saver)
      return (await saver.save(path, model, optimizer, progress)!.durable).durability
    }
  }
  if (by === 'manager') {
    const { CheckpointManager } = await import('../../../../src/manager/checkpoint-manager.js')
    const manager = new CheckpointManager(dirname(path), { keep: { newest: 2 } })
    return async (_, step) => {
      const { model, optimizer, progress } = trainingAt(step, job.saver)
      const { sequence: _own, ...given } = progress
      await manager.save(model, optimizer, given)
      await manager.flush()
      return 'durable'
    }
  }
  return async (path, step) => {
    const { model, optimizer, progress } = trainingAt(step, job.saver)
    const to =
      mutant === undefined ? path : new FileSink(path, { fileSystem: mutantFileSystem(mutant) })
    return (await saveCheckpoint(to, model, optimizer, progress)).durability
  }
}

/** The system's name for an error. Node has none for some of them (EDQUOT), but has the number. */
function systemName(error: NodeJS.ErrnoException | undefined): string | undefined {
  const { code } = error ?? {}
  const number = /^Unknown system error -(\d+)$/.exec(code ?? '')?.[1]
  if (number === undefined) return code
  return Object.entries(constants.errno).find(([, value]) => value === Number(number))?.[0]
}

/** The threads of this process. None where the system does not tell, and nothing can be traced. */
function tasks(): number[] {
  return existsSync('/proc/self/task') ? readdirSync('/proc/self/task').map(Number) : []
}

function mark(name: string): void {
  try {
    accessSync(name)
  } catch {
    // The file does not exist.
  }
}

/** Opens files until the limit, and closes as many again. */
function leaveDescriptors(count: number): void {
  const open: number[] = []
  for (;;) {
    try {
      open.push(openSync('/dev/null', 'r'))
    } catch {
      break
    }
  }
  for (const fd of open.slice(0, count)) closeSync(fd)
}
