/** The changes that a conversion makes: which states it writes, under which names, with which dtype. Reads no file. */

import {
  type ConvertibleDType,
  convertElements,
  convertibleDTypes,
  isConvertible,
} from '../format/convert.js'
import { type DType, tensorByteLength } from '../format/dtype.js'
import { MODEL, OPTIMIZER } from '../format/metadata.js'
import { quote } from '../printable.js'
import { ForeignState, ForeignTensor, notConvertible, type Training } from './training.js'

/** The requested changes. */
export interface Transform {
  /**
   * The only state to write: `model`, `optimizer` or an extra's name, such as averaged weights. It becomes the model,
   * with its tensors only. Progress, attributes and the other states are left out.
   */
  readonly only?: string | undefined
  /**
   * Pairs of a prefix and its replacement. For each name, the first pair that fits is applied: `[['module.', '']]`
   * removes `module.`. In the name of an optimizer's buffer (`exp_avg/module.fc.weight`) the prefix may also follow the
   * last `/`.
   */
  readonly rename?: readonly (readonly [from: string, to: string])[] | undefined
  /** The new dtype of the model's floats. Other states keep theirs. See `convertElements`. */
  readonly dtype?: ConvertibleDType | undefined
}

/**
 * Returns the changed Training over the same file. Throws CKPT_NOT_CONVERTIBLE if a state or a name to change does not
 * exist, or two tensors would get the same name. Throws a RangeError for a dtype that nothing converts to.
 */
export function transformed(training: Training, { only, rename, dtype }: Transform): Training {
  let changed = only === undefined ? training : onlyState(training, only)
  if (rename !== undefined && rename.length > 0) changed = renamed(changed, rename)
  return dtype === undefined ? changed : converted(changed, dtype)
}

function onlyState(training: Training, only: string): Training {
  const { model, optimizer, extras } = training
  const found = only === MODEL ? model : only === OPTIMIZER ? optimizer : extras.get(only)
  if (found == null) {
    const names = [MODEL, ...(optimizer === null ? [] : [OPTIMIZER]), ...extras.keys()]
    throw notConvertible(
      `there is no state ${quote(only)}; there are ${names.map(quote).join(', ')}`,
    )
  }
  const state = new ForeignState(found.values())
  return { ...training, model: state, optimizer: null, extras: new Map(), progress: {} }
}

function mapStates(
  training: Training,
  change: (state: ForeignState, name: string) => ForeignState,
): Training {
  const { model, optimizer, extras } = training
  return {
    ...training,
    model: change(model, MODEL),
    optimizer: optimizer === null ? null : change(optimizer, OPTIMIZER),
    extras: new Map(Array.from(extras, ([name, state]) => [name, change(state, name)])),
  }
}

function renamed(training: Training, rules: readonly (readonly [string, string])[]): Training {
  const used = new Set<string>()
  const nameOf = (name: string): string => {
    const behind = name.lastIndexOf('/') + 1
    for (const [from, to] of rules) {
      for (const at of new Set([0, behind])) {
        if (!name.startsWith(from, at)) continue
        used.add(from)
        return name.slice(0, at) + to + name.slice(at + from.length)
      }
    }
    return name
  }
  const result = mapStates(training, (state, stateName) => {
    const names = new Map<string, string>()
    for (const name of state.keys()) {
      const to = nameOf(name)
      const other = names.get(to)
      if (other !== undefined) {
        throw notConvertible(
          `${quote(other)} and ${quote(name)} would both be called ${quote(to)}`,
          {
            state: stateName,
            tensor: name,
          },
        )
      }
      names.set(to, name)
    }
    const tensors = Array.from(names, ([to, name]) => state.get(name).renamed(to))
    return new ForeignState(tensors, state.attributes, state.kind)
  })
  for (const [from] of rules) {
    if (!used.has(from))
      throw notConvertible(`no name begins with ${quote(from)}: nothing is renamed by it`)
  }
  return result
}

function converted(training: Training, to: ConvertibleDType): Training {
  if (!isConvertible(to)) {
    throw new RangeError(
      `nothing converts to ${quote(String(to))}: expected ${convertibleDTypes.join(', ')}`,
    )
  }
  // Tied tensors stay tied.
  const origins = new Map<object, Map<DType, object>>()
  const { model } = training
  const tensors = Array.from(model.values(), (tensor) => {
    const { dtype } = tensor
    if (!isConvertible(dtype) || dtype === to) return tensor
    const known = origins.get(tensor.segment()) ?? new Map<DType, object>()
    origins.set(tensor.segment(), known)
    const origin = known.get(dtype) ?? {}
    known.set(dtype, origin)
    return convertedTensor(tensor, dtype, to, origin)
  })
  return { ...training, model: new ForeignState(tensors, model.attributes, model.kind) }
}

// Bytes of a tensor that are converted at a time.
const PIECE = 768 * 1024

function convertedTensor(
  tensor: ForeignTensor,
  from: ConvertibleDType,
  to: ConvertibleDType,
  origin: object,
): ForeignTensor {
  const [read, write] = [tensorByteLength(from, [1])!, tensorByteLength(to, [1])!]
  let memory = new Uint8Array(0)
  return new ForeignTensor(tensor.name, {
    dtype: to,
    shape: tensor.shape,
    origin,
    read: async (target, position) => {
      for (let done = 0; done < target.byteLength; ) {
        const piece = target.subarray(done, done + PIECE)
        const length = (piece.byteLength / write) * read
        if (memory.byteLength < length) memory = new Uint8Array(length)
        const source = memory.subarray(0, length)
        await tensor.readBytes(source, ((position + done) / write) * read)
        convertElements(source, from, piece, to)
        done += piece.byteLength
      }
      if (position + target.byteLength === tensor.size * write) memory = new Uint8Array(0)
    },
  })
}
