/**
 * Restoring mutated files into trainers that fit the files they were made of. Where a restore fails
 * the trainer's memory is as it was, to the last byte; where it succeeds, it is what the file says.
 */

import { CheckpointError, type CheckpointErrorCode } from '../../../src/errors.js'
import { arrayType } from '../../../src/format/dtype.js'
import type { Checkpoint } from '../../../src/load/checkpoint.js'
import { loadCheckpoint } from '../../../src/load/load.js'
import type { CheckpointState } from '../../../src/load/state.js'
import { restoreCheckpoint } from '../../../src/restore/restore.js'
import type { Stateful, TensorLike, TypedArray } from '../../../src/state.js'
import type { Random } from '../random.js'
import { checkMessage, refusal } from './examine.js'
import { Violation } from './guards.js'
import { HostileFiles } from './hostile-files.js'
import { fileSeeds } from './seeds.js'
import type { Target } from './targets.js'

const UNTOUCHED = 0x5a

/** The codes with which a restore may fail. */
const FAILURES: ReadonlySet<CheckpointErrorCode> = new Set<CheckpointErrorCode>([
  'CKPT_STATE_MISMATCH',
  'CKPT_TENSOR_CHECKSUM',
  'CKPT_FORMAT',
])

/** Memory of a trainer's for one state. */
class Memory implements Stateful {
  readonly tensors = new Map<string, TensorLike & { readonly data: TypedArray }>()
  loadStateDict?: (state: Parameters<NonNullable<Stateful['loadStateDict']>>[0]) => Promise<void>

  constructor(state: CheckpointState) {
    for (const [name, { dtype, shape, byteLength }] of state) {
      const data = new (arrayType(dtype))(new ArrayBuffer(byteLength))
      this.tensors.set(name, { dtype, shape, data })
    }
  }

  stateDict() {
    return { tensors: this.tensors }
  }

  loadAttributes(): void {}

  /** The tensors as bytes, by name. */
  *bytes(): Iterable<[name: string, bytes: Uint8Array]> {
    for (const [name, { data }] of this.tensors) {
      yield [name, new Uint8Array(data.buffer, data.byteOffset, data.byteLength)]
    }
  }

  reset(): void {
    for (const [, bytes] of this.bytes()) bytes.fill(UNTOUCHED)
  }

  isUntouched(): boolean {
    for (const [, bytes] of this.bytes()) {
      for (let i = 0; i < bytes.length; i++) if (bytes[i] !== UNTOUCHED) return false
    }
    return true
  }
}

/** Takes a whole state over by itself. */
class TakingOver extends Memory {
  override loadStateDict = async (state: Iterable<readonly [string, unknown]>): Promise<void> => {
    for (const [name, tensor] of state) {
      const own = this.tensors.get(name)
      if (own !== undefined)
        await (tensor as { readInto(t: TypedArray): Promise<void> }).readInto(own.data)
    }
  }
}

interface Trainer {
  readonly model: Memory
  readonly optimizer: Memory | null
  readonly extras: { readonly [name: string]: Memory }
  readonly all: readonly (readonly [state: string, memory: Memory])[]
}

function trainerFor(checkpoint: Checkpoint): Trainer {
  const model = new Memory(checkpoint.model)
  const optimizer = checkpoint.optimizer === null ? null : new TakingOver(checkpoint.optimizer)
  const extras = [...checkpoint.extras.values()].map((s) => [s.name, new Memory(s)] as const)
  return {
    model,
    optimizer,
    extras: Object.fromEntries(extras),
    all: [
      ['model', model],
      ...(optimizer === null ? [] : [['optimizer', optimizer] as const]),
      ...extras,
    ],
  }
}

export class RestoreTarget implements Target {
  input: Uint8Array = new Uint8Array(0)
  readonly #files = new HostileFiles(fileSeeds())
  readonly #trainers = new Map<string, Trainer>()
  readonly #limitFor: (length: number) => void

  constructor(limitFor: (length: number) => void) {
    this.#limitFor = limitFor
  }

  async run(random: Random): Promise<string> {
    const bytes = random.oneIn(2)
      ? this.#files.make(random, ['values'])
      : this.#files.makeDamaged(random)
    this.input = bytes
    const { seed } = this.#files
    let trainer = this.#trainers.get(seed.name)
    if (trainer === undefined) {
      this.#limitFor(seed.bytes.byteLength)
      trainer = trainerFor(await loadCheckpoint(seed.bytes))
      for (const [, memory] of trainer.all) memory.reset()
      this.#trainers.set(seed.name, trainer)
    }
    this.#limitFor(bytes.byteLength)
    let checkpoint: Checkpoint
    try {
      checkpoint = await loadCheckpoint(bytes)
    } catch (error) {
      return refusal(error)
    }
    const strict = random.oneIn(2)
    const { model, optimizer, extras } = trainer
    const onWarning = (): void => {}
    let failure: string | undefined
    try {
      await restoreCheckpoint(checkpoint, model, optimizer, { strict, extras, onWarning })
    } catch (error) {
      failure = this.#failure(error)
    }
    if (failure === undefined) await this.#compare(checkpoint, trainer, strict)
    else {
      for (const [state, memory] of trainer.all) {
        if (!memory.isUntouched()) throw new Violation(`${state} was changed, then ${failure}`)
      }
    }
    checkpoint.close()
    return failure ?? (strict ? 'restored' : 'restored, not strictly')
  }

  #failure(error: unknown): string {
    if (!(error instanceof CheckpointError) || !FAILURES.has(error.code)) {
      throw new Violation('a restore threw what it must not', { cause: error })
    }
    checkMessage(error)
    return error.rule === undefined ? error.code : `${error.code} ${error.rule}`
  }

  /** The trainer's memory is that of the file; without strict, or untouched. */
  async #compare(checkpoint: Checkpoint, trainer: Trainer, strict: boolean): Promise<void> {
    for (const [name, memory] of trainer.all) {
      const saved = checkpoint.states.find((state) => state.name === name)
      for (const [tensor, bytes] of memory.bytes()) {
        if (saved?.has(tensor) === true) {
          const { data, dtype, shape } = saved.get(tensor)
          const own = memory.tensors.get(tensor)!
          if (own.dtype !== dtype || own.shape.join() !== shape.join()) {
            throw new Violation(`${name}: ${JSON.stringify(tensor)} is of another type or shape`)
          }
          const { buffer, byteOffset, byteLength } = data
          const expected = new Uint8Array(buffer, byteOffset, byteLength)
          if (Buffer.compare(bytes, expected) !== 0) {
            throw new Violation(`${name}: ${JSON.stringify(tensor)} is not what the file says`)
          }
        } else if (strict) throw new Violation(`${name}: a key is missing, and nobody said so`)
        else if (!bytes.every((byte) => byte === UNTOUCHED)) {
          throw new Violation(`${name}: what the file has not was changed`)
        }
      }
      memory.reset()
    }
  }
}
