import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdir, readdir, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import test, { type ExecutionContext } from 'ava'
import { FolderStore } from '../../src/io/file/folder-store.js'
import { Preemption } from '../../src/manager/preemption.js'
import { RunCheckpoints } from '../../src/manager/run-checkpoints.js'
import { loadsTypeScript, startChild } from '../support/child.js'
import { requires } from '../support/requires.js'
import { scratchFolder } from '../support/scratch.js'

type Respond = (line: string, send: (signal: NodeJS.Signals) => void) => void

/** Runs the program in a mode; `respond` gets every line, and a way to send a signal. */
async function run(t: ExecutionContext, mode: string, respond: Respond, more: string[] = []) {
  const folder = await scratchFolder(t)
  const child = startChild(t, '../manager/children/train-until-signal', [folder, mode, ...more])
  const lines: string[] = []
  for await (const line of child.lines) {
    lines.push(line)
    respond(line, (signal) => child.process.kill(signal))
  }
  const { code, signal, errors } = await child.ended
  const lastStep = Number(lines.findLast((line) => line.startsWith('step '))?.slice(5))
  return { folder, lines, code, signal, errors, lastStep }
}

const stepsIn = async (folder: string) =>
  (await new RunCheckpoints(new FolderStore(folder)).list()).map(({ step }) => step)

/** Sends a signal after the fifth step. */
const atStep5 =
  (signal: NodeJS.Signals): Respond =>
  (line, send) => {
    if (line === 'step 5') send(signal)
  }

/** Sends a signal after the first step, and others so many milliseconds later. */
const again =
  (...delays: readonly number[]): Respond =>
  (line, send) => {
    if (line !== 'step 1') return
    send('SIGINT')
    for (const delay of delays) setTimeout(() => send('SIGINT'), delay)
  }

/** A copy of the built library, as a second version in node_modules or a bundle is one. */
async function copyOfLibrary(t: ExecutionContext): Promise<string> {
  const root = fileURLToPath(new URL('../..', import.meta.url))
  const copy = join(await scratchFolder(t), 'copy')
  await mkdir(copy)
  for (const name of ['dist', 'package.json']) {
    await cp(join(root, name), join(copy, name), { recursive: true })
  }
  await symlink(join(root, 'node_modules'), join(copy, 'node_modules'))
  return copy
}

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  test(`after ${signal} the running step is finished and saved, and the process dies of it`, async (t) => {
    const ended = await run(t, 'plain', (line, send) => {
      if (line === 'step 5') send(signal)
    })
    t.is(ended.signal, signal, ended.errors)
    t.true(ended.lastStep >= 5)
    t.deepEqual(await stepsIn(ended.folder), [ended.lastStep])
  })
}

test('where the user has a handler it is called, and decides how the process ends', async (t) => {
  const ended = await run(t, 'handled', (line, send) => {
    if (line === 'step 5') send('SIGTERM')
  })
  t.is(ended.code, 0, ended.errors)
  t.deepEqual(ended.lines.slice(-2), ['preempted true', 'closed'])
  t.is(ended.lines.filter((line) => line === 'handled').length, 1)
  t.deepEqual(await stepsIn(ended.folder), [ended.lastStep])
})

test('a second signal does not cut the save short, and the process dies of the first', async (t) => {
  const ended = await run(t, 'slow', (line, send) => {
    if (line === 'step 5') send('SIGTERM')
    if (line === 'saving') send('SIGINT')
  })
  t.is(ended.signal, 'SIGTERM', ended.errors)
  t.deepEqual(await stepsIn(ended.folder), [ended.lastStep])
  t.deepEqual(await readdir(ended.folder), [
    `step-${String(ended.lastStep).padStart(12, '0')}.ckpt`,
  ])
})

test('a signal that comes after the last save has its effect when the manager is closed', async (t) => {
  const ended = await run(t, 'late', (line, send) => {
    if (line === 'step 1') send('SIGTERM')
  })
  t.is(ended.signal, 'SIGTERM', ended.errors)
  t.false(ended.lines.includes('survived'))
})

test('two managers in one process both save before it ends', async (t) => {
  const ended = await run(t, 'twins', (line, send) => {
    if (line === 'step 5') send('SIGTERM')
  })
  t.is(ended.signal, 'SIGTERM', ended.errors)
  // The signal may come between the two: then the first one saves a step later than the second.
  t.deepEqual(await stepsIn(ended.folder), [ended.lastStep])
  const [step, ...others] = await stepsIn(join(ended.folder, 'twin'))
  t.true(step === ended.lastStep || step === ended.lastStep - 1)
  t.deepEqual(others, [])
})

test('a save under way and skipped saves do not prevent the last one', async (t) => {
  const ended = await run(t, 'busy', (line, send) => {
    if (line === 'step 20') send('SIGTERM')
  })
  t.is(ended.signal, 'SIGTERM', ended.errors)
  t.is((await stepsIn(ended.folder)).at(-1), ended.lastStep)
})

for (const mode of ['deferring', 'tidying']) {
  test(`a listener that waits to be the last one tidies up, and the process dies (${mode})`, async (t) => {
    const ended = await run(t, mode, atStep5('SIGTERM'))
    t.is(ended.signal, 'SIGTERM', ended.errors)
    t.is(ended.lines.at(-1), 'tidied up')
    t.deepEqual(await stepsIn(ended.folder), [ended.lastStep])
  })
}

test('a `once` listener of the user decides how the process ends, too', async (t) => {
  const ended = await run(t, 'once', atStep5('SIGTERM'))
  t.is(ended.code, 0, ended.errors)
  t.deepEqual(ended.lines.slice(-2), ['preempted true', 'closed'])
  t.deepEqual(await stepsIn(ended.folder), [ended.lastStep])
})

test('where the user listens and trains on, the process lives, and each signal saves', async (t) => {
  const ended = await run(t, 'heard', (line, send) => {
    if (line === 'step 5' || line === 'step 300') send('SIGTERM')
  })
  t.is(ended.code, 0, ended.errors)
  t.is(ended.lines.filter((line) => line === 'heard').length, 2)
  t.is((await stepsIn(ended.folder)).length, 2)
  t.is(ended.errors, '')
})

test('two copies of the library both save before the process dies', async (t) => {
  const ended = await run(t, 'copies', atStep5('SIGTERM'), [await copyOfLibrary(t)])
  t.is(ended.signal, 'SIGTERM', ended.errors)
  t.is((await stepsIn(ended.folder)).length, 1)
  t.is((await stepsIn(join(ended.folder, 'twin'))).length, 1)
})

test('a second manager that never saves is not waited for', async (t) => {
  const ended = await run(t, 'idle', atStep5('SIGTERM'))
  t.is(ended.signal, 'SIGTERM', ended.errors)
  t.deepEqual(await stepsIn(ended.folder), [ended.lastStep])
})

test('a manager that has saved and is not called again is waited for during one step', async (t) => {
  const ended = await run(t, 'once-twin', atStep5('SIGTERM'))
  t.is(ended.signal, 'SIGTERM', ended.errors)
  t.deepEqual(await stepsIn(ended.folder), [ended.lastStep - 1])
})

test('after a save that failed the next one is made in its place, and then the process dies', async (t) => {
  const ended = await run(t, 'failing', atStep5('SIGTERM'))
  t.is(ended.signal, 'SIGTERM', ended.errors)
  t.true(ended.lines.some((line) => /failed: .*no weights yet/.test(line)))
  t.deepEqual(await stepsIn(ended.folder), [ended.lastStep])
})

for (const mode of ['over', 'hanging']) {
  test(`where no save comes, a signal is answered, and a later one ends the process (${mode})`, async (t) => {
    const ended = await run(t, mode, again(200, 1200))
    t.is(ended.signal, 'SIGINT', ended.errors)
    t.is(ended.errors.match(/SIGINT: the process ends when the next call of `save`/g)?.length, 1)
  })
}

test('a save that never ends is told of by the second signal, and cut short by the third', async (t) => {
  const ended = await run(t, 'stuck', again(1200, 2400))
  t.is(ended.signal, 'SIGINT', ended.errors)
  t.regex(ended.errors, /SIGINT: the checkpoint is being saved/)
})

const posix = requires(test, 'posix')

posix('SIGUSR1 ends the process too, whose own answer to it is a debugger', async (t) => {
  const ended = await run(t, 'usr1', atStep5('SIGUSR1'))
  t.is(ended.code, 128 + 10, ended.errors)
  t.notRegex(ended.errors, /[Dd]ebugger/)
  t.deepEqual(await stepsIn(ended.folder), [ended.lastStep])
})

// A process of its own PID namespace, as that of a container: the first process is number 1.
const NAMESPACE = ['--pid', '--fork', '--mount-proc']
const asFirst = requires(test, {
  what: 'a PID namespace of its own (unshare, root)',
  here: spawnSync('unshare', [...NAMESPACE, 'true']).status === 0,
})

asFirst('process 1 of a container ends too, though no signal ends it', async (t) => {
  const folder = await scratchFolder(t)
  const program = '../support/manager/children/train-until-signal.ts'
  const path = fileURLToPath(new URL(program, import.meta.url))
  const node = [process.execPath, loadsTypeScript, path, folder, 'self']
  const child = spawn('unshare', [...NAMESPACE, '--kill-child', ...node], { stdio: 'pipe' })
  t.teardown(() => child.kill('SIGKILL'))
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (output += text))
  const [code] = await once(child, 'close')
  t.is(code, 128 + 15, output)
  t.regex(output, /^step 5$/m)
  t.notRegex(output, /survived/)
  t.is((await stepsIn(folder)).length, 1)
})

test('in a worker thread, which no signal reaches, preemption is refused with the reason', async (t) => {
  const library = new URL('../../dist/src/index.js', import.meta.url).href
  const worker = new Worker(
    `import(${JSON.stringify(library)}).then(({ CheckpointManager }) => {
      new CheckpointManager('run', { preemption: false })
      new CheckpointManager('run', { preemption: true })
    })`,
    { eval: true, execArgv: [] },
  )
  const error = await new Promise((resolve) => worker.on('error', resolve))
  t.like(error, { name: 'TypeError' })
  t.regex(String(error), /worker thread: only the main thread receives signals/)
})

test.serial(
  'the first signal counts, until it has had its effect; then the next one does',
  async (t) => {
    const own = () => {}
    process.on('SIGUSR2', own)
    const told: string[] = []
    const preemption = new Preemption(['SIGUSR2', 'SIGWINCH'], (line) => void told.push(line))
    t.false(await preemption.called())
    await preemption.saved(true)
    process.emit('SIGUSR2', 'SIGUSR2')
    process.emit('SIGWINCH', 'SIGWINCH')
    t.true(await preemption.called())
    await preemption.saved(false)
    t.true(await preemption.called())
    await preemption.saved(true)
    t.false(await preemption.called())
    t.is(preemption.received, 'SIGUSR2')
    process.emit('SIGUSR2', 'SIGUSR2')
    t.true(await preemption.called())
    await preemption.close()
    process.off('SIGUSR2', own)
    t.deepEqual(told, [])
  },
)

test.serial('handlers come with the manager, and go with it', async (t) => {
  const before = process.listenerCount('SIGUSR2')
  const preemption = new Preemption(['SIGUSR2', 'SIGUSR2'], () => {})
  const another = new Preemption(['SIGUSR2'], () => {})
  t.is(process.listenerCount('SIGUSR2'), before + 1)
  await preemption.close()
  await preemption.close()
  t.is(process.listenerCount('SIGUSR2'), before + 1)
  await another.close()
  t.is(process.listenerCount('SIGUSR2'), before)
})

test('a name that is not a signal, or that cannot be listened to, is refused', (t) => {
  for (const signal of ['SIGNOTHING', 'SIGKILL', 'SIGSTOP', 15]) {
    t.throws(() => new Preemption([signal as NodeJS.Signals], () => {}), { instanceOf: TypeError })
  }
})
