/** Saves what a checkpoint holds again, by the library for TypeScript. */

import { type CheckpointState, loadCheckpoint, saveCheckpoint } from '../../../src/index.js'

/** Loads `from`, and saves all of it to `to`: its states, their attributes and tied tensors, and its progress. */
export async function rewrite(from: string, to: string): Promise<void> {
  await using checkpoint = await loadCheckpoint(from)
  const { epoch, step, loss, metrics, configText, sequence, savedAt } = checkpoint
  const { model, optimizer, extras } = checkpoint
  await saveCheckpoint(to, stateful(model), optimizer === null ? null : stateful(optimizer), {
    epoch,
    step,
    loss,
    metrics,
    config: configText ?? undefined,
    sequence,
    savedAt,
    extras: Object.fromEntries([...extras].map(([name, state]) => [name, stateful(state)])),
  })
}

function stateful(state: CheckpointState) {
  return {
    stateDict: () => ({
      ...(state.kind === null ? {} : { kind: state.kind }),
      attributes: state.attributes,
      tensors: state,
    }),
  }
}
