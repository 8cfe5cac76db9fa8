/**
 * Trains, in steps that keep the thread to themselves, until a signal ends the process. Prints
 * `step <n>` after each step, and `saving` when a save begins. After MAX_STEPS steps it prints
 * `survived`, and ends.
 *
 *   train-until-signal <folder> <mode> [<folder of another copy of the library>]
 *
 *   plain      saves nothing unless a signal comes
 *   handled    has a listener of its own, which ends the training
 *   once       has one that is called once
 *   heard      has one that ends nothing
 *   deferring  has one that acts if it is the only one, as signal-exit's do
 *   tidying    has signal-exit
 *   slow       a save stands still until a second signal has come
 *   stuck      a save never ends
 *   failing    the first save fails
 *   late       the signal comes after the last step, and the manager is closed
 *   over       there are no more steps, and nothing is closed
 *   hanging    the first step never ends
 *   twins      has a second manager, of <folder>/twin, which saves as well
 *   idle       has a second manager, which never saves
 *   once-twin  has a second manager, which has saved once
 *   copies     has a second manager, of another copy of the library, which saves as well
 *   busy       a save is under way all the time, and others are skipped
 *   usr1       is told by SIGUSR1
 *   self       sends itself SIGTERM after the fifth step
 */

import { writeSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { CheckpointManager } from '../../built.js'

const MAX_STEPS = 500

const [folder = '', mode = '', copy = ''] = process.argv.slice(2)

// At once, and not when the event loop gets to it.
const print = (line: string) => writeSync(1, `${line}\n`)

const weights = new Float32Array(4)
let saves = 0

const model = {
  stateDict: () => ({
    w: {
      dtype: 'float32' as const,
      shape: [4],
      async data() {
        print('saving')
        saves++
        // Long enough for the signal that the parent sends now.
        if (mode === 'slow' && saves === 1) await setTimeout(300)
        if (mode === 'stuck') await setTimeout(60_000)
        if (mode === 'failing' && saves === 1) throw new Error('no weights yet')
        return weights
      },
    },
  }),
}

/** A step that keeps the thread for itself. */
function train(step: number): void {
  const end = performance.now() + 2
  while (performance.now() < end) weights[0] = step
  print(`step ${step}`)
}

let stopped = false
if (mode === 'handled' || mode === 'once') {
  process[mode === 'once' ? 'once' : 'on']('SIGTERM', () => {
    print('handled')
    stopped = true
  })
}
if (mode === 'heard') {
  process.on('SIGTERM', () => {
    print('heard')
  })
}
if (mode === 'deferring') {
  const listener = () => {
    if (process.listeners('SIGTERM').length > 1) return
    process.off('SIGTERM', listener)
    print('tidied up')
    process.kill(process.pid, 'SIGTERM')
  }
  process.on('SIGTERM', listener)
}
if (mode === 'tidying') {
  const { onExit } = await import('signal-exit')
  onExit(() => {
    print('tidied up')
  })
}

const preemption = mode === 'usr1' ? ['SIGUSR1'] : true
const options =
  mode === 'busy'
    ? ({ preemption, whenBusy: 'skip' } as const)
    : { preemption, save: { everySteps: 1e9 } }
const managers = [new CheckpointManager(folder, options)]
const manager = managers[0]!
const twin = join(folder, 'twin')
if (mode === 'twins') managers.push(new CheckpointManager(twin, options))
const idle = mode === 'idle' ? new CheckpointManager(twin, options) : undefined
const onceTwin = mode === 'once-twin' ? new CheckpointManager(twin, options) : undefined
await onceTwin?.save(model, null, { step: 0, force: true })
if (mode === 'copies') {
  const other = await import(pathToFileURL(join(copy, 'dist/src/index.js')).href)
  if (other.CheckpointManager === CheckpointManager) throw new Error('this is the same copy')
  managers.push(new other.CheckpointManager(twin, options))
}

if (mode === 'late') {
  print('step 1')
  // Long enough for the signal that the parent sends now.
  while (!manager.preempted) await setTimeout(5)
  await manager.close()
  print('survived')
}
if (mode === 'over') {
  await manager.save(model, null, { step: 1, force: true })
  await manager.flush()
}
if (mode === 'over' || mode === 'hanging') {
  print('step 1')
  await setTimeout(60_000)
}

for (let step = 1; !stopped && step <= MAX_STEPS; step++) {
  train(step)
  if (mode === 'self' && step === 5) process.kill(process.pid, 'SIGTERM')
  for (const each of managers) {
    await each.save(model, null, { step }).catch((error) => print(`failed: ${error.message}`))
  }
}
print(`preempted ${manager.preempted}`)
for (const each of [...managers, idle, onceTwin]) await each?.close()
print(stopped ? 'closed' : 'survived')
