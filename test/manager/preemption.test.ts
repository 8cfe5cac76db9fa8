import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { CheckpointFolder } from '../../src/manager/checkpoint-folder.js'
import { Preemption } from '../../src/manager/preemption.js'
import { startChild } from '../support/child.js'
import { scratchFolder } from '../support/scratch.js'

/** Runs the program in a mode; `respond` gets every line, and a way to send a signal. */
async function run(
  t: ExecutionContext,
  mode: string,
  respond: (line: string, send: (signal: NodeJS.Signals) => void) => void,
) {
  const folder = await scratchFolder(t)
  const child = startChild(t, '../manager/children/train-until-signal', [folder, mode])
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
  (await new CheckpointFolder(folder).list()).map(({ step }) => step)

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

test('of two managers in one process both save before it dies', async (t) => {
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

test('a save that is under way, and others that are skipped, do not cost the last one', async (t) => {
  const ended = await run(t, 'busy', (line, send) => {
    if (line === 'step 20') send('SIGTERM')
  })
  t.is(ended.signal, 'SIGTERM', ended.errors)
  t.is((await stepsIn(ended.folder)).at(-1), ended.lastStep)
})

test.serial('the first signal counts, until it has had its effect; then the next one does', (t) => {
  const own = () => {}
  process.on('SIGUSR2', own)
  const preemption = new Preemption(['SIGUSR2', 'SIGWINCH'])
  t.false(preemption.pending)
  preemption.yieldToSignal()
  process.emit('SIGUSR2', 'SIGUSR2')
  process.emit('SIGWINCH', 'SIGWINCH')
  t.true(preemption.pending)
  preemption.yieldToSignal()
  t.false(preemption.pending)
  t.is(preemption.received, 'SIGUSR2')
  process.emit('SIGUSR2', 'SIGUSR2')
  t.true(preemption.pending)
  preemption.close()
  process.off('SIGUSR2', own)
})

test.serial('handlers come with the manager, and go with it', (t) => {
  const before = process.listenerCount('SIGUSR2')
  const preemption = new Preemption(['SIGUSR2', 'SIGUSR2'])
  t.is(process.listenerCount('SIGUSR2'), before + 1)
  preemption.close()
  preemption.close()
  t.is(process.listenerCount('SIGUSR2'), before)
})

test('what is no signal, or one that nobody can listen to, is refused', (t) => {
  for (const signal of ['SIGNOTHING', 'SIGKILL', 'SIGSTOP', 15]) {
    t.throws(() => new Preemption([signal as NodeJS.Signals]), { instanceOf: TypeError })
  }
})
