/**
 * A Training as one list of named tensors and a description, for formats that hold nothing else.
 *
 * A tensor of the model is called `model.NAME`, of the optimizer `optimizer.NAME`, of an extra `extras.EXTRA.NAME`. In
 * the extra's name, `%` and `.` become `%25` and `%2E`, so that no two tensors get the same name. A Training with only
 * a model's tensors keeps their names, so that other programs can read it. It has a description if it is to come back
 * exactly: with its order and its ties.
 */

import { type Attributes, isPlainObject } from '../format/attributes.js'
import { tensorByteLength } from '../format/dtype.js'
import { quote } from '../printable.js'
import {
  type DescribedState,
  type DescribedTensor,
  descriptionText,
  parseDescription,
} from './description.js'
import { ForeignState, ForeignTensor, foreignFault, type Training } from './training.js'

/** The name under which formats with notes (`__metadata__` of safetensors) keep the description. */
export const DESCRIPTION = 'lightwatch_checkpoint'

/** Named tensors, with the rest of the training. */
export interface Flat {
  /** Tensors by their names in the file, in the order of the states. */
  readonly tensors: readonly ForeignTensor[]
  /** Undefined if there are only tensors. */
  readonly description: string | undefined
  /** Whether a model's tensors are the whole content, under their own names. */
  readonly isModel?: boolean
  /** The notes of the format (of that name), read or to be written. */
  readonly notes: { readonly [name: string]: string }
}

/**
 * Splits a Training. `format` is the format whose notes the model's attributes may have. `hasDType` says which dtypes
 * the format has. For any other dtype the description keeps the dtype and the shape. `exact`: a model alone has a
 * description, too.
 */
export function flatten(
  training: Training,
  format: string,
  isOwn: (tensor: ForeignTensor) => boolean,
  exact = false,
): Flat {
  const { model, optimizer, extras, progress } = training
  const { notes, attributes } = takeNotes(model.attributes, format)
  const bare = isBare(training, attributes)
  if (bare && !exact) {
    return { tensors: [...model.values()], description: undefined, notes }
  }
  const tensors: ForeignTensor[] = []
  const written = new Map<object, ForeignTensor[]>()
  const describe = (
    role: DescribedState['role'],
    name: string,
    prefix: string,
    state: ForeignState,
    kept: Attributes = state.attributes,
  ): DescribedState => ({
    ...{ role, name, prefix, kind: state.kind, attributes: kept },
    tensors: Array.from(state.values(), (tensor): DescribedTensor => {
      const known = written.get(tensor.segment()) ?? []
      written.set(tensor.segment(), known)
      const first = known.find(({ byteLength }) => byteLength === tensor.byteLength)
      const { dtype, shape } = tensor
      if (first === undefined) {
        const own = tensor.renamed(prefix + tensor.name)
        known.push(own)
        tensors.push(own)
        return isOwn(tensor) ? { name: tensor.name } : { name: tensor.name, dtype, shape }
      }
      const sameAs = first.name
      const isSame = dtype === first.dtype && String(shape) === String(first.shape) && isOwn(tensor)
      return isSame ? { name: tensor.name, sameAs } : { name: tensor.name, sameAs, dtype, shape }
    }),
  })
  const states = [describe('model', 'model', bare ? '' : 'model.', model, attributes)]
  if (optimizer !== null) states.push(describe('optimizer', 'optimizer', 'optimizer.', optimizer))
  for (const [name, state] of extras) {
    states.push(describe('extra', name, `extras.${escaped(name)}.`, state))
  }
  const description = descriptionText({ progress: bare ? {} : progress, states })
  return { tensors, description, isModel: bare, notes }
}

function escaped(name: string): string {
  return name.replaceAll('%', '%25').replaceAll('.', '%2E')
}

/** Whether the model's tensors are the whole content. */
function isBare({ model, optimizer, extras, progress }: Training, attributes: Attributes): boolean {
  const { epoch = 0, step = 0, loss = null, metrics = {}, config, sequence, savedAt } = progress
  if (optimizer !== null || extras.size > 0 || model.kind !== null) return false
  if (Object.keys(attributes).length > 0 || Object.keys(metrics).length > 0) return false
  if (config != null || sequence != null || savedAt != null) return false
  return Object.is(epoch, 0) && Object.is(step, 0) && loss === null
}

/** The notes of a format, stored in the model's attributes under its name, and the other attributes. */
function takeNotes(
  attributes: Attributes,
  format: string,
): { notes: { readonly [name: string]: string }; attributes: Attributes } {
  const { [format]: found, ...rest } = attributes
  const isNotes =
    Object.hasOwn(attributes, format) &&
    isPlainObject(found) &&
    Object.values(found).every((note) => typeof note === 'string') &&
    !Object.hasOwn(found, DESCRIPTION)
  if (!isNotes) return { notes: {}, attributes }
  return { notes: found as { readonly [name: string]: string }, attributes: rest }
}

/** Rebuilds a Training. Throws CKPT_FOREIGN_FILE, rule `description`, if the description does not fit the tensors. */
export function unflatten(format: string, flat: Flat, close: () => void): Training {
  const { tensors, description, notes } = flat
  const noted = (attributes: Attributes): Attributes =>
    Object.keys(notes).length === 0 ? attributes : { ...attributes, [format]: notes }
  if (description === undefined) {
    const model = new ForeignState(tensors, noted({}))
    return { ...{ format, model, optimizer: null, extras: new Map(), progress: {} }, close }
  }
  const { progress, states } = parseDescription(description)
  const found = new Map(tensors.map((tensor) => [tensor.name, tensor]))
  const used = new Set<string>()
  const made = states.map(({ role, name, prefix, kind, attributes, tensors: described }) => {
    const names = new Set(described.map((tensor) => tensor.name))
    if (names.size < described.length) throw fault(`${quote(name)} has a tensor twice`)
    const list = described.map((tensor) => {
      const key = tensor.sameAs ?? prefix + tensor.name
      const held = found.get(key)
      if (held === undefined) throw fault(`there is no tensor ${quote(key)}`, key)
      used.add(key)
      return restored(held, tensor)
    })
    const own = role === 'model' ? noted(attributes) : attributes
    return { role, name, state: new ForeignState(list, own, kind) }
  })
  const extra = tensors.find(({ name }) => !used.has(name))
  if (extra !== undefined) throw fault(`the tensor ${quote(extra.name)} is in no state`, extra.name)
  const only = (role: string): ForeignState | undefined => {
    const [first, second] = made.filter((state) => state.role === role)
    if (second !== undefined) throw fault(`there are two states with the role ${role}`)
    return first?.state
  }
  const model = only('model')
  if (model === undefined) throw fault('there is no model')
  const others = made.filter(({ role }) => role === 'extra')
  const extras = new Map(others.map(({ name, state }) => [name, state]))
  if (extras.size < others.length) throw fault('there are two extras of one name')
  return { format, model, optimizer: only('optimizer') ?? null, extras, progress, close }
}

/** A tensor with its original name, and its original dtype and shape if they were changed. */
function restored(held: ForeignTensor, { name, dtype, shape }: DescribedTensor): ForeignTensor {
  const own = dtype ?? held.dtype
  const lengths = shape ?? held.shape
  if (tensorByteLength(own, lengths) !== held.byteLength) {
    throw fault(
      `${quote(name)} has ${held.byteLength} bytes, which do not make ${own} [${lengths.join(', ')}]`,
      name,
    )
  }
  return new ForeignTensor(name, {
    dtype: own,
    shape: lengths,
    origin: held.segment(),
    readsAtOnce: held.readsAtOnce,
    crc32: held.crc32,
    read: (target, position) => held.readBytes(target, position),
  })
}

function fault(message: string, tensor?: string): Error {
  return foreignFault('description', `the description does not fit the file: ${message}`, {
    ...(tensor === undefined ? {} : { tensor }),
  })
}
