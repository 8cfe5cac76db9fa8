/** A state in the memory of this process, as a model and an optimizer of the library. */

import { readFileSync } from 'node:fs'
import type { NamedTensors, Stateful } from '../../src/index.js'
import { elements, fillTensor, isFilled, type StateSpec, stateBytes } from '../state.js'

export interface HeldState {
  readonly model: Stateful
  readonly optimizer: Stateful
  readonly tensors: readonly Float32Array[]
  /** In bytes. */
  readonly byteLength: number
}

/** Makes the state of a description file. `allocate`, if given, makes the memory for all of it, which it follows each other in. */
export function holdState(
  specPath: string,
  allocate?: (byteLength: number) => ArrayBuffer,
): HeldState {
  const spec = JSON.parse(readFileSync(specPath, 'utf8')) as StateSpec
  const memory = allocate?.(stateBytes(spec))
  let at = 0
  const tensors = spec.map(({ shape }, i) => {
    const length = elements(shape)
    const data = memory ? new Float32Array(memory, at, length) : new Float32Array(length)
    at += data.byteLength
    fillTensor(data, i)
    return data
  })
  const part = (state: string): Stateful => {
    const named: NamedTensors = spec.flatMap((tensor, i) =>
      tensor.state === state
        ? [[tensor.name, { shape: tensor.shape, data: tensors[i]! }] as const]
        : [],
    )
    return { stateDict: () => named }
  }
  return {
    model: part('model'),
    optimizer: part('optimizer'),
    tensors,
    byteLength: tensors.reduce((sum, { byteLength }) => sum + byteLength, 0),
  }
}

export function wipe({ tensors }: HeldState): void {
  for (const data of tensors) data.fill(0)
}

/** Throws if a sample of a tensor differs from what it was made as. */
export function checkRestored({ tensors }: HeldState): void {
  const wrong = tensors.findIndex((data, i) => !isFilled(data, i))
  if (wrong !== -1) throw new Error(`tensor number ${wrong} was not restored`)
}
