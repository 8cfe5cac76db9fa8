/**
 * A training in which every byte follows from two numbers: the step, and the saver. So any process knows the exact
 * bytes of a step's file. A file that mixes two steps or two savers is never accepted as whole.
 */

import type { Attributes } from '../../../src/format/attributes.js'
import { MemorySink } from '../../../src/io/memory-sink.js'
import { writeCheckpoint } from '../../../src/save/write.js'
import type { State } from '../../../src/state.js'

// Rows and columns. A save writes 1 MiB at once: so there are two whole pieces, a part of one, and the
// metadata; and tensors that lie in one piece, that lie in two, and that fill more than one.
const MODEL = { embedding: [96, 256], norm: [256], head: [800, 256], bias: [80] } as const
const OPTIMIZER = { 'exp_avg/norm': [256], 'exp_avg/embedding': [1300, 256] } as const

export interface Training {
  readonly model: { stateDict(): State }
  readonly optimizer: { stateDict(): State }
  readonly progress: {
    readonly epoch: number
    readonly step: number
    readonly loss: number
    readonly config: unknown
    /** As a manager numbers the saves of steps 1, 2, … of a new run. */
    readonly sequence: number
    readonly savedAt: number
  }
}

/** The training of a saver after a step. */
export function trainingAt(step: number, saver = 0): Training {
  let seed = (Math.imul(step + 1, 0x9e3779b1) ^ Math.imul(saver + 1, 0x85ebca6b)) >>> 0 || 1
  const tensors = (shapes: { readonly [name: string]: readonly number[] }): State['tensors'] =>
    Object.fromEntries(
      Object.entries(shapes).map(([name, shape]) => {
        const data = new Int32Array(shape.reduce((product, length) => product * length, 1))
        for (let i = 0; i < data.length; i++) {
          // xorshift32 (Marsaglia, 2003): no zeros, and no element that another step has there too.
          seed ^= seed << 13
          seed ^= seed >>> 17
          seed ^= seed << 5
          data[i] = seed
        }
        return [name, { shape, data }]
      }),
    )
  const state = (kind: string, attributes: Attributes, shapes: typeof MODEL | typeof OPTIMIZER) => {
    const dict = { kind, attributes, tensors: tensors(shapes) }
    return { stateDict: () => dict }
  }
  return {
    model: state('Embedding', { saver }, MODEL),
    optimizer: state('AdamW', { lr: 0.001, step }, OPTIMIZER),
    progress: {
      epoch: Math.floor(step / 100),
      step,
      loss: 1 / (step + 1),
      config: { saver },
      sequence: Math.max(0, step - 1),
      savedAt: step,
    },
  }
}

const files = new Map<string, Promise<Buffer>>()

/** The bytes of that training's checkpoint. Each call returns the same memory; do not change it. */
export function checkpointBytes(step: number, saver = 0): Promise<Buffer> {
  const key = `${saver}/${step}`
  let file = files.get(key)
  if (file === undefined) {
    file = makeCheckpoint(trainingAt(step, saver))
    files.set(key, file)
  }
  return file
}

async function makeCheckpoint({ model, optimizer, progress }: Training): Promise<Buffer> {
  const sink = new MemorySink()
  await writeCheckpoint(sink, model, optimizer, progress)
  return Buffer.from(sink.bytes.buffer)
}
