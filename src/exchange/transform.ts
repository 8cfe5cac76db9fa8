/** What a conversion changes on the way: which states go, under which names, as which dtype. Nothing is read here. */

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

/** What is changed. */
export interface Transform {
  /**
   * The one state that goes: `model`, `optimizer` or an extra's name, such as averaged weights. It becomes the
   * model, with its tensors alone. Progress, attributes and the other states stay behind.
   */
  readonly only?: string | undefined
  /**
   * Names: what a name begins with, and what stands there instead, tried in this order, the first that fits.
   * `[['module.', '']]` takes `module.` away. In the name of an optimizer's buffer (`exp_avg/module.fc.weight`)
   * the part behind the last `/` counts as well.
   */
  readonly rename?: readonly (readonly [from: string, to: string])[] | undefined
  /** The dtype that floats of the model become; those of other states stay. See `convertElements`. */
  readonly dtype?: ConvertibleDType | undefined
}

/**
 * The changed Training, over the same file. Throws CKPT_NOT_CONVERTIBLE where a state or a name to be changed is
 * not there, or two tensors would get one name; a RangeError for a dtype to which nothing converts.
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

// Bytes of a tensor that are converted at once.
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
