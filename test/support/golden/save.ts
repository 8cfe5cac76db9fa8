/** Saves the content of a golden file through the library's public interface. */

import { MemorySink, type Stateful, saveCheckpoint } from '../../../src/index.js'
import type { Golden, GoldenState } from './v1.js'

export async function saveGolden(golden: Golden): Promise<Uint8Array> {
  const { epoch, step, loss, metrics, config, sequence, savedAt } = golden
  const { model, optimizer, extras } = golden
  const sink = new MemorySink()
  await saveCheckpoint(sink, stateful(model), optimizer === null ? null : stateful(optimizer), {
    epoch,
    step,
    loss,
    metrics: Object.fromEntries(metrics),
    config: config ?? undefined,
    sequence: sequence ?? null,
    savedAt: savedAt ?? null,
    extras: Object.fromEntries(extras.map((state) => [state.name, stateful(state)])),
  })
  return sink.bytes
}

function stateful({ kind, attributes, tensors }: GoldenState): Stateful {
  return {
    stateDict: () => ({
      ...(kind === null ? {} : { kind }),
      attributes,
      tensors: tensors.map(({ name, dtype, shape, bytes }) => [
        name,
        { dtype, shape, data: bytes },
      ]),
    }),
  }
}
