/**
 * A process of the resume check: makes a run, and takes one part of it. What it did is in files; a
 * process can hand nothing else over to the next one.
 */

import { join } from 'node:path'
import { loadRun, observe, restore, save } from './run.js'
import { type Message, observationOf, SAVED, type Task } from './task.js'

process.once('message', (task: Task) => {
  perform(task).then(
    () => report({ event: 'done' }),
    (error: unknown) => {
      const reason = error instanceof Error ? (error.stack ?? error.message) : String(error)
      report({ event: 'failed', reason })
    },
  )
})

async function perform({ part, module, argument, before, after, folder }: Task): Promise<void> {
  const run = await loadRun(module, argument)
  const saved = join(folder, SAVED)
  let step = 0
  if (part === 'second') {
    await restore(run, saved)
    step = before
  }
  for (; step < before; step++) {
    await run.step()
    report({ event: 'step', step: step + 1 })
  }
  await observe(run, join(folder, observationOf(part, step)), step)
  if (part === 'first') {
    await save(run, saved, step)
    return
  }
  while (step < before + after) {
    await run.step()
    step++
    await observe(run, join(folder, observationOf(part, step)), step)
    report({ event: 'step', step })
  }
}

function report(message: Message): void {
  process.send?.(message)
}
