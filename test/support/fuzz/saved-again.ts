/**
 * What a reader takes, a writer gives back: a checkpoint that was loaded can be saved again, and then
 * says the same. Only a tree of attributes that no writer of ours would have made so deep is refused.
 */

import { sameAttributes } from '../../../src/format/attributes.js'
import { MemorySink } from '../../../src/io/memory-sink.js'
import type { Checkpoint } from '../../../src/load/checkpoint.js'
import { loadCheckpoint } from '../../../src/load/load.js'
import { saveCheckpoint } from '../../../src/save/save.js'
import { snapshot } from '../memory-state.js'
import { allocation, Violation } from './guards.js'

/** Throws a Violation where it does not hold. */
export async function checkSavedAgain(checkpoint: Checkpoint): Promise<void> {
  const { limit } = allocation
  allocation.limit = Number.POSITIVE_INFINITY
  try {
    const sink = new MemorySink()
    try {
      await save(checkpoint, sink)
    } catch (error) {
      if (error instanceof TypeError && /nested more than|not JSON text/.test(error.message)) return
      throw new Violation('what was loaded cannot be saved', { cause: error })
    }
    const again = await loadCheckpoint(sink.bytes)
    await compare(checkpoint, again)
  } finally {
    allocation.limit = limit
  }
}

async function save(checkpoint: Checkpoint, sink: MemorySink): Promise<void> {
  const { model, optimizer, extras, epoch, step, loss, metrics, configText } = checkpoint
  await saveCheckpoint(
    sink,
    { stateDict: () => model },
    optimizer === null ? null : { stateDict: () => optimizer },
    {
      epoch,
      step,
      loss,
      metrics,
      ...(configText === null ? {} : { config: configText }),
      extras: Object.fromEntries(
        [...extras].map(([name, state]) => [name, { stateDict: () => state }]),
      ),
    },
  )
}

async function compare(first: Checkpoint, second: Checkpoint): Promise<void> {
  const same =
    first.epoch === second.epoch &&
    first.step === second.step &&
    Object.is(first.loss, second.loss) &&
    sameAttributes(first.metrics, second.metrics) &&
    first.configText === second.configText &&
    first.states.length === second.states.length
  if (!same) throw new Violation('the progress is not the same after a save')
  for (const state of first.states) {
    // Extras whose names are numbers come first: so objects have it.
    const other = second.states.find(({ name }) => name === state.name)
    if (other === undefined) throw new Violation(`a save has lost ${JSON.stringify(state.name)}`)
    const { attributes, ...rest } = await snapshot(state)
    const { attributes: otherAttributes, ...otherRest } = await snapshot(other)
    if (JSON.stringify(rest) !== JSON.stringify(otherRest)) {
      throw new Violation(`the state ${JSON.stringify(state.name)} is not the same after a save`)
    }
    if (!sameAttributes(attributes, otherAttributes)) {
      throw new Violation(`the attributes of ${JSON.stringify(state.name)} are not the same`)
    }
  }
}
