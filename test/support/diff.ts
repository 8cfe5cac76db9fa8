/** Checkpoints to compare, opened from memory. */

import type { DType } from '../../src/format/dtype.js'
import { type Checkpoint, loadCheckpoint, type SaveOptions } from '../../src/index.js'
import type { StateDict, TypedArray } from '../../src/state.js'
import { inMemory } from './saved.js'

export const one = (data: TypedArray, dtype?: DType, shape = [data.length]): StateDict => ({
  w: { data, shape, ...(dtype === undefined ? {} : { dtype }) },
})

/** A checkpoint of these states, in memory. */
export async function checkpointOf(
  model: StateDict,
  options: SaveOptions & { readonly optimizer?: StateDict } = {},
): Promise<Checkpoint> {
  const { optimizer, ...rest } = options
  const stateful = (state: StateDict) => ({ stateDict: () => state })
  const bytes = await inMemory(
    stateful(model),
    optimizer === undefined ? null : stateful(optimizer),
    rest,
  )
  return loadCheckpoint(bytes)
}
