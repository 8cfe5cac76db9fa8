// Saves a checkpoint again: the path of the one, and that of the other.

import { type CheckpointState, loadCheckpoint, saveCheckpoint } from '../../../../src/index.js'

const [from, to] = process.argv.slice(2) as [string, string]

const stateful = (state: CheckpointState) => ({
  stateDict: () => ({
    ...(state.kind === null ? {} : { kind: state.kind }),
    attributes: state.attributes,
    tensors: state,
  }),
})

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
