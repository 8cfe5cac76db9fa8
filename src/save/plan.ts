/**
 * The plan of one save: the states that a trainer gave, and the memory that each segment of the file comes from.
 * Tensors over exactly the same bytes share a segment.
 */

import { describe, isPlainObject } from '../format/attributes.js'
import { crc32 } from '../format/checksum.js'
import { configText } from '../format/config.js'
import type { Content, StateContent } from '../format/encode.js'
import { MODEL, OPTIMIZER, type Progress } from '../format/metadata.js'
import { nameFault } from '../format/text.js'
import { quote } from '../printable.js'
import { kindOf } from '../realm.js'
import type { Module, Optimizer, Stateful } from '../state.js'
import {
  type CollectedState,
  type CollectedTensor,
  collectSteps,
  tensorChanged,
} from './collect.js'
import { carryOutSteps, type Steps } from './steps.js'

/** How far the run has come, and what else the file keeps. */
export interface CheckpointProgress {
  /** Default 0. */
  readonly epoch?: number | undefined
  /** Optimizer steps taken; default 0. */
  readonly step?: number | undefined
  /** Null or absent if there is none yet. NaN and the infinities are kept as they are. */
  readonly loss?: number | null | undefined
  readonly metrics?: { readonly [name: string]: number } | undefined
  /** Anything that JSON holds exactly, or JSON text. */
  readonly config?: unknown
  /**
   * Position in the order of a run's saves: an integer from 0 up, greater than that of each earlier save, whatever
   * their steps. A CheckpointManager sets it. If absent, the file has none.
   */
  readonly sequence?: number | null | undefined
  /**
   * Time of the save: a Date, or milliseconds since 1970. A CheckpointManager sets it. If absent, the file has none,
   * and the same state gives the same bytes.
   */
  readonly savedAt?: Date | number | null | undefined
  /** Everything else with a state dict: a scheduler, a sampler, a random generator, EMA weights. */
  readonly extras?: { readonly [name: string]: Stateful } | undefined
}

/** The tensor that a segment's bytes come from, which messages name. */
export interface SegmentSource {
  readonly state: string
  readonly tensor: CollectedTensor
}

/** A save that is ready to be carried out. It is of the moment at which it was made; see `holdMoment`. */
export interface Plan {
  readonly content: Content
  /** By the index of the segment. */
  readonly sources: readonly SegmentSource[]
  /** Number of tensors. Those that share a segment count separately. */
  readonly tensors: number
}

/**
 * Collects and validates everything, before it returns if the trainer answers synchronously. An abort ends it even
 * while the trainer does not answer. Throws a TypeError or RangeError that names what is wrong.
 */
export function planSave(
  model: Module,
  optimizer: Optimizer | null | undefined,
  given: CheckpointProgress,
  signal?: AbortSignal,
): Plan | Promise<Plan> {
  const collected: SegmentSource[] = []
  const hold = (): void => {
    for (const source of collected.splice(0)) sumNow(source)
  }
  return carryOutSteps(planSteps(model, optimizer, given, collected, hold), signal, hold)
}

/**
 * Sums the tensors in the trainer's memory from the segment `first` on, unless they have a checksum. Must be called
 * before other code runs. What is copied later must have the same checksum, so that the save is of this moment.
 */
export function holdMoment({ sources }: Plan, first = 0): void {
  for (let i = first; i < sources.length; i++) sumNow(sources[i]!)
}

/**
 * Moves the moment of a held plan to now. Throws CKPT_TENSOR_CHANGED if a summed tensor has changed since. No other
 * code may run before the plan is carried out.
 */
export function resumeMoment({ sources }: Plan): void {
  for (const source of sources) {
    const { tensor } = source
    const { checksum } = tensor
    tensor.checksum = undefined
    sumNow(source)
    if (tensor.checksum !== checksum) throw tensorChanged(source.state, tensor.name)
    tensor.checksum = undefined
  }
}

/** Throws CKPT_TENSOR_CHANGED if a written segment differs from the tensor at the moment of the save. */
export function checkMoment({ sources }: Plan, checksums: readonly number[]): void {
  for (const [i, { state, tensor }] of sources.entries()) {
    const { checksum, name } = tensor
    if (checksum !== undefined && checksum !== (checksums[i] ?? 0)) throw tensorChanged(state, name)
  }
}

// Bytes that one call sums: native implementations take no array of several GiB.
const SUM_AT_ONCE = 64 * 1024 * 1024

/** CRC-32 of bytes of any length. */
export function checksumOf(bytes: Uint8Array): number {
  let crc = 0
  for (let done = 0; done < bytes.byteLength; done += SUM_AT_ONCE) {
    crc = crc32(bytes.subarray(done, done + SUM_AT_ONCE), crc)
  }
  return crc
}

/**
 * Sums a tensor in the trainer's memory, unless it has a checksum. Throws CKPT_TENSOR_CHANGED if the memory is
 * detached.
 */
export function sumNow({ state, tensor }: SegmentSource): void {
  const { bytes, byteLength, name, checksum } = tensor
  if (bytes === undefined || checksum !== undefined) return
  if (bytes.byteLength !== byteLength) throw tensorChanged(state, name)
  tensor.checksum = checksumOf(bytes)
}

function* planSteps(
  model: Module,
  optimizer: Optimizer | null | undefined,
  given: CheckpointProgress,
  collected: SegmentSource[],
  hold: () => void,
): Steps<Plan> {
  const progress = checkProgress(given)
  const extras = checkExtras(given.extras)
  const collect = (source: Stateful, name: string): Steps<CollectedState> =>
    collectSteps(source, name, (tensor) => collected.push({ state: name, tensor }), hold)
  const modelState = yield* collect(model, MODEL)
  const optimizerState = optimizer == null ? null : yield* collect(optimizer, OPTIMIZER)
  const extraStates: CollectedState[] = []
  for (const [name, extra] of extras) extraStates.push(yield* collect(extra, name))

  const sources: SegmentSource[] = []
  const known = new Map<object, Map<string, number>>()
  let tensors = 0
  const place = (state: CollectedState): StateContent => ({
    name: state.name,
    kind: state.kind,
    attributes: state.attributes,
    tensors: Array.from(state.tensors.values(), (tensor) => {
      tensors++
      const { name, dtype, shape, bytes, origin, byteLength } = tensor
      const range = `${bytes?.byteOffset ?? 0}+${byteLength}`
      const ranges = known.get(origin) ?? new Map<string, number>()
      known.set(origin, ranges)
      let segment = ranges.get(range)
      if (segment === undefined) {
        segment = sources.length
        ranges.set(range, segment)
        sources.push({ state: state.name, tensor })
      }
      // A generator that reuses one array for several tensors has not tied them.
      const first = sources[segment]!
      if (tensor.checksum !== undefined && tensor.checksum !== first.tensor.checksum) {
        throw tensorChanged(first.state, first.tensor.name)
      }
      return { name, dtype, shape, segment }
    }),
  })
  const content: Content = {
    progress,
    model: place(modelState),
    optimizer: optimizerState === null ? null : place(optimizerState),
    extras: extraStates.map(place),
    segmentLengths: sources.map(({ tensor }) => tensor.byteLength),
  }
  return { content, sources, tensors }
}

/** Throws unless `extras` is a plain object with valid names. Whether each has a state dict is found later. */
export function checkExtras(
  extras: { readonly [name: string]: Stateful } | undefined,
): [name: string, extra: Stateful][] {
  if (extras === undefined) return []
  if (!isPlainObject(extras)) {
    throw new TypeError(`extras must be a plain object of names, not ${describe(extras)}`)
  }
  const entries = Object.entries(extras)
  for (const [name] of entries) {
    const fault = name === MODEL || name === OPTIMIZER ? 'is taken' : nameFault(name)
    if (fault !== undefined) throw new TypeError(`the name of an extra, ${quote(name)}, ${fault}`)
  }
  return entries
}

function checkProgress(given: CheckpointProgress): Progress {
  const { epoch = 0, step = 0, loss = null, metrics = {}, config, sequence = null } = given
  const savedAt = given.savedAt == null ? null : timeOf(given.savedAt)
  for (const [name, value] of Object.entries({ sequence, savedAt })) {
    if (value === null) continue
    checkInteger(value, name)
    if (value < 0) throw new RangeError(`${name} must not be negative, found ${value}`)
  }
  checkInteger(epoch, 'epoch')
  checkInteger(step, 'step')
  if (loss !== null && typeof loss !== 'number') {
    throw new TypeError(`loss must be a number or null, not ${describe(loss)}`)
  }
  if (!isPlainObject(metrics)) {
    throw new TypeError(`metrics must be a plain object of numbers, not ${describe(metrics)}`)
  }
  const copied: [string, number][] = []
  for (const [name, value] of Object.entries(metrics)) {
    const fault = nameFault(name)
    if (fault !== undefined) throw new TypeError(`the name of a metric, ${quote(name)}, ${fault}`)
    if (typeof value !== 'number') {
      throw new TypeError(`the metric ${quote(name)} must be a number, not ${describe(value)}`)
    }
    copied.push([name, value])
  }
  return {
    epoch,
    step,
    loss,
    // Unlike an assignment, this accepts `__proto__` as a key.
    metrics: Object.fromEntries(copied),
    config: config === undefined ? null : configText(config),
    sequence,
    savedAt,
  }
}

/** Milliseconds since 1970. A Date may come from another realm. */
function timeOf(time: Date | number): number {
  return kindOf(time) === 'Date' ? (time as Date).getTime() : (time as number)
}

function checkInteger(value: unknown, name: string): void {
  if (typeof value !== 'number') {
    throw new TypeError(`${name} must be a number, not ${describe(value)}`)
  }
  if (!Number.isSafeInteger(value)) {
    throw new RangeError(`${name} must be an integer of at most 2^53 - 1, not ${value}`)
  }
}
