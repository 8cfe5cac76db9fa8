/** Checkpoints for the tests of the command line: always the same bytes. */

import { open } from 'node:fs/promises'
import { fileMetadata } from '../../../src/cli/metadata.js'
import { allStates } from '../../../src/format/metadata.js'
import { saveCheckpoint } from '../../../src/index.js'
import type { Attributes } from '../../../src/public.js'
import type { StateDict } from '../../../src/state.js'

export const stateful = (state: StateDict) => ({ stateDict: () => state })

/** Saves tensors without bytes to speak of under these names, and attributes. */
export async function saveNames(
  path: string,
  names: readonly string[],
  attributes: Attributes = {},
): Promise<void> {
  const tensors = new Map(
    names.map((name) => [name, { shape: [2], data: Float32Array.of(1, 2) }] as const),
  )
  await saveCheckpoint(path, stateful({ tensors, attributes }))
}

/** A model with tied weights, an optimizer, a scheduler without tensors, and averaged weights. */
export async function saveSample(path: string): Promise<void> {
  const embedding = Float32Array.from({ length: 32 * 16 }, (_, i) => i)
  const model = stateful({
    'wte.weight': { shape: [32, 16], data: embedding },
    'h.0.bias': { dtype: 'bfloat16', shape: [16], data: new Uint16Array(16) },
    'lm_head.weight': { shape: [32, 16], data: embedding },
    seen: { shape: [], data: BigInt64Array.of(64n) },
    none: { shape: [0, 4], data: new Uint8Array(0) },
  })
  const optimizer = stateful({
    kind: 'AdamW',
    attributes: {
      lr: 0.0003,
      betas: [0.9, 0.999],
      groups: [
        { weight_decay: 0.1, params: ['wte.weight'] },
        { weight_decay: -0, params: ['h.0.bias'] },
      ],
    },
    tensors: {
      'exp_avg/wte.weight': { shape: [32, 16], data: new Float32Array(32 * 16).fill(0.5) },
    },
  })
  const scheduler = stateful({
    kind: 'ReduceLROnPlateau',
    attributes: { best: Number.POSITIVE_INFINITY, seed: 2n ** 63n, cooldown: null, verbose: false },
    tensors: {},
  })
  const ema = stateful({
    'wte.weight': { shape: [32, 16], data: embedding },
    'h.0.bias': { shape: [16], data: new Float32Array(16).fill(1) },
  })
  await saveCheckpoint(path, model, optimizer, {
    epoch: 3,
    step: 12000,
    loss: 0.4375,
    metrics: { accuracy: 0.875, perplexity: Number.NaN },
    config: '{"lr":3e-4,"seed":12345678901234567890,"layers":[1,2],"name":"nano"}',
    extras: { scheduler, ema },
  })
}

/** Changes one byte of a file, counted from the start of a tensor's own bytes. */
export async function damage(
  path: string,
  state: string,
  tensor: string,
  position = 0,
): Promise<void> {
  const found = allStates(await fileMetadata(path)).find(({ name }) => name === state)
  const offset = [...found!.tensors].find(({ name }) => name === tensor)!.offset + position
  const file = await open(path, 'r+')
  try {
    const byte = new Uint8Array(1)
    await file.read(byte, 0, 1, offset)
    await file.write(Uint8Array.of(byte[0]! ^ 0xff), 0, 1, offset)
  } finally {
    await file.close()
  }
}
