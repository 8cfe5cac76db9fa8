/**
 * The checkpoints that the scenarios save, and the reader that tells them from one another, from
 * damaged ones, and, worst of all, from ones that pass for whole and are not what was saved.
 */

import { isCheckpointError, loadCheckpoint } from '../../../src/index.js'
import { MemorySink } from '../../../src/io/memory-sink.js'
import type { Sink } from '../../../src/io/sink.js'
import type { SaveReport } from '../../../src/save/write.js'
import { writeCheckpoint } from '../../../src/save/write.js'

/** A state of a training, as the trainer saves it. */
export class Version {
  readonly name: string
  readonly step: number

  constructor(step: number) {
    this.name = `version ${step}`
    this.step = step
  }

  save(sink: Sink): Promise<SaveReport> {
    const { tensors, step } = this
    const model = { stateDict: () => tensors }
    const optimizer = {
      stateDict: () => ({
        kind: 'Momentum',
        attributes: { lr: 0.5 ** step },
        tensors: { velocity: { shape: [9], data: this.#floats(9, 3) } },
      }),
    }
    return writeCheckpoint(sink, model, optimizer, { epoch: 1, step, loss: 1 / step })
  }

  /** The whole file. */
  get bytes(): Promise<Uint8Array> {
    const sink = new MemorySink()
    return this.save(sink).then(() => sink.bytes)
  }

  /** Longer from version to version by a few bytes, and after three of them shorter again. */
  get tensors() {
    const rows = 10 + 8 * (this.step % 3)
    return {
      weight: { shape: [rows, 4], data: this.#floats(rows * 4, 1) },
      bias: { shape: [rows], data: this.#floats(rows, 2) },
    }
  }

  #floats(length: number, kind: number): Float32Array {
    return Float32Array.from({ length }, (_, i) => Math.sin(i + 100 * kind + 1000 * this.step))
  }
}

export const VERSIONS = [1, 2, 3, 4].map((step) => new Version(step)) as [
  Version,
  Version,
  Version,
  Version,
]

/** The one that is saved last, after whatever went wrong. */
export const LAST_VERSION = VERSIONS[3]

export const NOTHING = 'nothing'

/** What a file that a reader takes for whole is called when it is not what anybody saved. */
export const WRONG = 'accepted, and wrong'

const known = new Map<string, Promise<string>>()

/**
 * What a reader makes of a file: the name of the version that it holds, WRONG, or the code of the
 * error that it refuses it with.
 */
export function identify(bytes: Uint8Array): Promise<string> {
  const key = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
  let found = known.get(key)
  if (found === undefined) {
    found = open(bytes)
    known.set(key, found)
  }
  return found
}

/** Whether it is a version, and not damage of some kind. */
export function isVersion(found: string): boolean {
  return VERSIONS.some(({ name }) => name === found)
}

async function open(bytes: Uint8Array): Promise<string> {
  try {
    const checkpoint = await loadCheckpoint(bytes)
    await checkpoint.verify()
    const version = VERSIONS.find(({ step }) => step === checkpoint.step)
    if (version === undefined) return WRONG
    for (const [name, { shape, data }] of Object.entries(version.tensors)) {
      const tensor = checkpoint.model.get(name)
      if (`${tensor.shape}` !== `${shape}` || !same(tensor.data, data)) return WRONG
    }
    // Whatever else is in the file.
    return same(bytes, await version.bytes) ? version.name : WRONG
  } catch (error) {
    if (isCheckpointError(error)) return error.code
    throw error
  }
}

function same(a: ArrayBufferView, b: ArrayBufferView): boolean {
  return (
    Buffer.compare(
      new Uint8Array(a.buffer, a.byteOffset, a.byteLength),
      new Uint8Array(b.buffer, b.byteOffset, b.byteLength),
    ) === 0
  )
}
