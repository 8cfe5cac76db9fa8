/**
 * Adapts a saved state to a trainer that has changed: other names, other dtypes, or only a part of it. Reads and writes
 * nothing; tensors are converted when they are read.
 */

import { type Attribute, type Attributes, describe, isPlainObject } from '../format/attributes.js'
import { isConvertible } from '../format/convert.js'
import type { DType } from '../format/dtype.js'
import { MODEL, stateName } from '../format/metadata.js'
import type { CheckpointState } from '../load/state.js'
import { quote } from '../printable.js'
import type { CollectedState } from '../save/collect.js'
import type { StateFit } from '../state.js'
import type { TensorKey } from './compare.js'
import { ConvertedTensor } from './converted-tensor.js'

/** New names for tensors: a map from prefixes to their replacements, or a function of name and state. */
export type Rename =
  | { readonly [prefix: string]: string }
  | ((name: string, state: string) => string)

/** A part of a model: prefixes of the current names of its tensors, or a function of them. */
export type Part = readonly string[] | ((name: string) => boolean)

/** A tensor whose name in the checkpoint is different. */
export interface Renamed extends TensorKey {
  /** The name in the checkpoint. */
  readonly from: string
}

/** A tensor whose dtype in the checkpoint is different. */
export interface Converted extends TensorKey {
  /** The dtype in the checkpoint. */
  readonly from: DType
  readonly to: DType
}

/** Throws a TypeError if the options are invalid. */
export function checkAdaptations(rename: unknown, only: unknown): void {
  const isMap =
    isPlainObject(rename) && Object.values(rename).every((name) => typeof name === 'string')
  if (rename !== undefined && typeof rename !== 'function' && !isMap) {
    throw new TypeError(
      `rename must be a function or an object of prefixes, { 'module.': '' }; found ${describe(rename)}`,
    )
  }
  const isList = Array.isArray(only) && only.every((prefix) => typeof prefix === 'string')
  if (only !== undefined && typeof only !== 'function' && !isList) {
    throw new TypeError(
      `only must be a list of prefixes or a function, ['encoder.']; found ${describe(only)}`,
    )
  }
}

/**
 * The current names of the tensors of `saved`, by their names in the checkpoint. Names that stay the same are not in
 * the map. `ofModel` has those of the model, after whose parameters buffers are named. Throws a TypeError if two tensors
 * get the same name, or the function does not return a name.
 */
export function renamesOf(
  saved: CheckpointState,
  rename: Rename,
  ofModel: ReadonlyMap<string, string> = new Map(),
): ReadonlyMap<string, string> {
  const renames = new Map<string, string>()
  const taken = new Map<string, string>()
  for (const name of saved.keys()) {
    const given = typeof rename === 'function' ? rename(name, saved.name) : undefined
    const here =
      typeof rename === 'function'
        ? given
        : (withParameter(name, ofModel) ?? withPrefixes(name, saved.name, rename))
    if (typeof here !== 'string') {
      throw new TypeError(`rename must return a name for ${quote(name)}, not ${describe(here)}`)
    }
    const twin = taken.get(here)
    if (twin !== undefined) {
      throw new TypeError(
        `nothing was restored: rename gives two tensors of ${stateName(saved.name)} the name ${quote(here)}, ` +
          `${quote(twin)} and ${quote(name)}`,
      )
    }
    taken.set(here, name)
    if (here !== name) renames.set(name, here)
  }
  return renames
}

/** The name of a buffer with the new name of its parameter, which it has in it: `averages.module.head/kernel`. */
function withParameter(name: string, ofModel: ReadonlyMap<string, string>): string | undefined {
  let longest = ''
  for (const old of ofModel.keys()) {
    const start = name.indexOf(old)
    if (start > 0 && /[/.]/.test(name[start - 1]!) && old.length > longest.length) longest = old
  }
  return longest === '' ? undefined : name.replace(longest, () => ofModel.get(longest)!)
}

function withPrefixes(
  name: string,
  state: string,
  prefixes: { readonly [prefix: string]: string },
): string {
  const slash = state === MODEL ? -1 : name.indexOf('/')
  let kept = ''
  let rest = name
  for (const [prefix, replacement] of Object.entries(prefixes)) {
    if (rest.startsWith(prefix)) rest = replacement + rest.slice(prefix.length)
    else if (kept === '' && slash !== -1 && name.startsWith(prefix, slash + 1)) {
      kept = name.slice(0, slash + 1)
      rest = replacement + name.slice(slash + 1 + prefix.length)
    }
  }
  return kept + rest
}

/** The attributes with the model's tensor names replaced, both as values and as keys. */
export function renameAttributes(
  attributes: Attributes,
  names: ReadonlyMap<string, string>,
): Attributes {
  const renamed = (value: Attribute): Attribute => {
    if (typeof value === 'string') return names.get(value) ?? value
    if (typeof value !== 'object' || value === null) return value
    if (Array.isArray(value)) return value.map(renamed)
    return renameAttributes(value as Attributes, names)
  }
  const entries = Object.entries(attributes)
  return Object.fromEntries(entries.map(([key, value]) => [names.get(key) ?? key, renamed(value)]))
}

/** Whether the model's tensor with this current name is part of `only`. */
export function isPart(name: string, only: Part): boolean {
  return typeof only === 'function' ? only(name) : only.some((prefix) => name.startsWith(prefix))
}

/** The same state without the tensors that are not part of it. */
export function partOfFit(fit: StateFit, keep: (name: string) => boolean): StateFit {
  return {
    ...fit,
    ...(fit.missing && { missing: fit.missing.filter(keep) }),
    ...(fit.unexpected && { unexpected: fit.unexpected.filter(keep) }),
    ...(fit.mismatched && { mismatched: fit.mismatched.filter(({ name }) => keep(name)) }),
  }
}

/** The same state, with the dtypes of `here` for tensors that differ only in dtype. */
export function convertedTo(here: CollectedState, saved: CheckpointState): CheckpointState {
  return saved.map((tensor, name) => {
    const target = here.tensors.get(name)
    const fits =
      target !== undefined &&
      target.dtype !== tensor.dtype &&
      isConvertible(target.dtype) &&
      isConvertible(tensor.dtype) &&
      `${target.shape}` === `${tensor.shape}`
    return fits ? new ConvertedTensor(tensor, target.dtype) : tensor
  })
}
