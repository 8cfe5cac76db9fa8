/**
 * What one save is to write: the states that a trainer gave, and which memory each segment of the
 * file comes from. Tensors over exactly the same bytes, or fetched by the same function, share one.
 */

import { describe, isPlainObject } from '../format/attributes.js'
import { configText } from '../format/config.js'
import type { Content, StateContent } from '../format/encode.js'
import { MODEL, OPTIMIZER, type Progress } from '../format/metadata.js'
import { nameFault } from '../format/text.js'
import { quote } from '../printable.js'
import type { Module, Optimizer, Stateful } from '../state.js'
import { type CollectedState, type CollectedTensor, collectState } from './collect.js'

/** How far the run has come, and what else to keep. */
export interface CheckpointProgress {
  /** Default 0. */
  readonly epoch?: number
  /** Optimizer steps taken; default 0. */
  readonly step?: number
  /** Null or left out where there is none yet. NaN and the infinities are kept as they are. */
  readonly loss?: number | null
  readonly metrics?: { readonly [name: string]: number }
  /** Anything that JSON holds exactly, or JSON text. */
  readonly config?: unknown
  /**
   * Place in the order of the saves of a run, an integer from 0 up: greater than that of each save
   * before it, whatever their steps. A CheckpointManager gives it; left out, the file has none.
   */
  readonly sequence?: number | null
  /**
   * When it is saved: a Date, or milliseconds since 1970. A CheckpointManager gives it; left out, the
   * file has none, and the same state gives the same bytes.
   */
  readonly savedAt?: Date | number | null
  /** Whatever else has a state dict: a scheduler, a sampler, a random generator, EMA weights. */
  readonly extras?: { readonly [name: string]: Stateful }
}

/** Where a segment's bytes come from, and the tensor that messages name. */
export interface SegmentSource {
  readonly state: string
  readonly tensor: CollectedTensor
}

export interface Contents {
  readonly content: Content
  /** By the index of the segment. */
  readonly sources: readonly SegmentSource[]
  /** Number of tensors, those that share a segment counted each. */
  readonly tensors: number
}

/** Collects everything and checks it. Throws a TypeError or RangeError that names what is wrong. */
export async function collectContents(
  model: Module,
  optimizer: Optimizer | null | undefined,
  given: CheckpointProgress,
): Promise<Contents> {
  const progress = checkProgress(given)
  const extras = checkExtras(given.extras)
  const modelState = await collectState(model, MODEL)
  const optimizerState = optimizer == null ? null : await collectState(optimizer, OPTIMIZER)
  const extraStates: CollectedState[] = []
  for (const [name, extra] of extras) extraStates.push(await collectState(extra, name))

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

/** Throws where `extras` is no object of names. Whether each has a state dict is seen later. */
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
    if (value < 0) throw new RangeError(`${name} must not be negative, but it is ${value}`)
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
    // Unlike assignment, this makes a key of `__proto__`.
    metrics: Object.fromEntries(copied),
    config: config === undefined ? null : configText(config),
    sequence,
    savedAt,
  }
}

/** Milliseconds since 1970. A Date may be one of another realm. */
function timeOf(time: Date | number): number {
  const isDate = Object.prototype.toString.call(time) === '[object Date]'
  return isDate ? (time as Date).getTime() : (time as number)
}

function checkInteger(value: unknown, name: string): void {
  if (typeof value !== 'number') {
    throw new TypeError(`${name} must be a number, not ${describe(value)}`)
  }
  if (!Number.isSafeInteger(value)) {
    throw new RangeError(`${name} must be an integer of at most 2^53 - 1, not ${value}`)
  }
}
