/** The trainer's run for the resume check, with the faults that a trainer's own checkpoints may have. */

import { loadCheckpoint, restoreCheckpoint, saveCheckpoint } from '../../../src/index.js'
import type { ResumableRun } from '../../../src/resume-check/resume-check.js'
import { createRun as createTrainerRun } from '../trainer/run.js'

export type Fault =
  /** The part is compared, but the run's own way of saving leaves it out. */
  | { readonly forgets: 'optimizer' | 'sampler' | 'rng' | 'attributes' }
  /** Nobody knows that the part has a state. */
  | { readonly hides: 'sampler' | 'rng' }
  /** Something depends on what is no state at all. */
  | { readonly draws: true }
  | { readonly throws: 'step' | 'restore' | 'exit' }
  | Record<string, never>

export function createRun(fault: Fault): ResumableRun {
  const { model, optimizer, sampler, rng, train } = createTrainerRun()
  const all = { sampler, rng }
  const without = (name: unknown) =>
    Object.fromEntries(Object.entries(all).filter(([other]) => other !== name))
  const run = {
    model,
    optimizer,
    extras: without('hides' in fault ? fault.hides : undefined),
    step() {
      if ('throws' in fault && fault.throws === 'step') throw new Error('the loss is not a number')
      if ('throws' in fault && fault.throws === 'exit') process.exit(3)
      if ('draws' in fault)
        rng.loadAttributes({ ...rng.stateDict().attributes, spare: Math.random() })
      train(1)
    },
  }
  if ('throws' in fault && fault.throws === 'restore') {
    return { ...run, save: () => {}, restore: () => Promise.reject(new Error('not yet written')) }
  }
  if (!('forgets' in fault)) return run

  const { forgets } = fault
  const own = {
    optimizer: forgets === 'optimizer' ? null : optimizer,
    extras: without(forgets),
  }
  return {
    ...run,
    save: (path) => saveCheckpoint(path, model, own.optimizer, { extras: own.extras }),
    async restore(path) {
      await using checkpoint = await loadCheckpoint(path)
      const tensorsOnly = { stateDict: () => optimizer.stateDict(), loadAttributes: () => {} }
      const target = forgets === 'attributes' ? tensorsOnly : own.optimizer
      await restoreCheckpoint(checkpoint, model, target, { extras: own.extras })
    },
  }
}
