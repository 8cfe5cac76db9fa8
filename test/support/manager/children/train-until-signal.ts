/**
 * Trains, in steps that never give anybody a turn, until a signal ends it. Prints `step <n>` after
 * each step, and `saving` when a save begins.
 *
 *   train-until-signal <folder> plain     saves nothing unless a signal comes
 *   train-until-signal <folder> handled   has a handler of its own, which ends the training
 *   train-until-signal <folder> slow      a save stands still until a second signal has come
 *   train-until-signal <folder> late      the signal comes after the last step
 *   train-until-signal <folder> twins     has a second manager, of <folder>/twin
 *   train-until-signal <folder> busy      a save is under way all the time, and others are skipped
 */

import { writeSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { CheckpointManager } from '../../built.js'

const [folder = '', mode = ''] = process.argv.slice(2)

// At once, and not when the event loop gets to it.
const print = (line: string) => writeSync(1, `${line}\n`)

const weights = new Float32Array(4)
let isSlow = mode === 'slow'

const model = {
  stateDict: () => ({
    w: {
      dtype: 'float32' as const,
      shape: [4],
      async data() {
        print('saving')
        // Long enough for the signal that the parent sends now.
        if (isSlow) await setTimeout(300)
        isSlow = false
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
if (mode === 'handled') {
  process.on('SIGTERM', () => {
    print('handled')
    stopped = true
  })
}

const options =
  mode === 'busy'
    ? ({ preemption: true, whenBusy: 'skip' } as const)
    : { preemption: true, save: { everySteps: 1e9 } }
const managers = [new CheckpointManager(folder, options)]
if (mode === 'twins') managers.push(new CheckpointManager(join(folder, 'twin'), options))

if (mode === 'late') {
  print('step 1')
  // Long enough for the signal that the parent sends now.
  while (!managers[0]!.preempted) await setTimeout(5)
  await managers[0]!.close()
  print('survived')
}

for (let step = 1; !stopped; step++) {
  train(step)
  for (const manager of managers) await manager.save(model, null, { step })
}
print(`preempted ${managers[0]!.preempted}`)
await managers[0]!.close()
print('closed')
