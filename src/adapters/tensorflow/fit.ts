/**
 * How a saved state fits a TensorFlow.js optimizer: its class, its hyper-parameters, which parameters have buffers, and
 * which are frozen. It changes nothing.
 */

import type { Attributes } from '../../format/attributes.js'
import type { LoadedState, StateFit } from '../../state.js'
import { isCount, type OptimizerFields } from './fields.js'
import { NUMBERING, namesInFile } from './names.js'
import { frozenOf, type Parameter, trained, UNCERTAIN_NAMES } from './parameters.js'

/**
 * How a saved state fits the optimizer, beyond the dtypes and shapes of its tensors. If its class differs, nothing of
 * it is taken, even under the same names.
 */
export function fitOf(
  current: OptimizerFields,
  parameters: readonly Parameter[],
  saved: LoadedState,
): StateFit {
  const { kind, lists, scalars, order } = current
  const listed = trained(parameters, order)
  const buffersOf = (key: string) => lists.map(({ word }) => `${word}/${key}`)
  if (saved.kind !== kind) {
    const differences = saved.kind === null ? [otherKind(saved, current).message] : []
    const missing = [...scalars, ...listed.flatMap(({ key }) => buffersOf(key))]
    return { missing, unexpected: [...saved.keys()], differences }
  }
  const [first] = lists
  const prefix = `${first?.word}/`
  const keys = [...saved.keys()].filter((name) => name.startsWith(prefix))
  const { renamed, isUncertain } = namesInFile(
    listed,
    keys.map((name) => name.slice(prefix.length)),
    saved.attributes,
  )
  const buffers = lists.flatMap(({ word }) =>
    Array.from(renamed, ([there, here]): [string, string] => [
      `${word}/${there}`,
      `${word}/${here}`,
    ]),
  )
  const there = new Map(buffers.map(([name, here]) => [here, name]))
  const isThere = (name: string) => saved.has(there.get(name) ?? name)
  // A parameter's buffers are taken together, or not at all.
  const parts = listed
    .map(({ key }) => buffersOf(key))
    .filter((names) => !names.every(isThere))
    .flatMap((names) => names.filter(isThere))
  const attributes = renamedAttributes(saved.attributes, renamed)
  const { missing, unexpected, mismatched } = compareAttributes(attributes, current)
  const differences = [
    ...(isUncertain ? [UNCERTAIN_NAMES] : []),
    ...frozenElse(attributes, parameters),
  ]
  return {
    ...{ renamed: new Map(buffers), attributes, missing, mismatched, differences },
    unexpected: [...unexpected, ...parts],
  }
}

/** The attributes with the current names of the parameters. */
function renamedAttributes(
  attributes: Attributes,
  renamed: ReadonlyMap<string, string>,
): Attributes {
  const { order } = attributes
  if (!isNames(order)) return attributes
  return { ...attributes, order: order.map((key) => renamed.get(key) ?? key) }
}

/** Lists the parameters that are frozen only here, and those frozen only in the checkpoint. */
export function frozenElse({ frozen }: Attributes, parameters: readonly Parameter[]): string[] {
  // Version 0.1.0 did not record them.
  if (!isNames(frozen)) return []
  const here = new Set(frozenOf(parameters))
  const there = new Set<string>(frozen)
  const keys = parameters.map(({ key }) => key)
  const onlyHere = keys.filter((key) => here.has(key) && !there.has(key))
  const onlyThere = keys.filter((key) => there.has(key) && !here.has(key))
  const remedy = 'set `trainable` as it was at the save, and compile, before you restore'
  return [
    ...(onlyHere.length === 0
      ? []
      : [`frozen here and trained in the checkpoint: ${onlyHere.join(', ')} (${remedy})`]),
    ...(onlyThere.length === 0
      ? []
      : [`frozen in the checkpoint and trained here: ${onlyThere.join(', ')} (${remedy})`]),
  ]
}

type AttributeFit = Required<Pick<StateFit, 'missing' | 'unexpected' | 'mismatched'>>

function compareAttributes(
  { iterations, order, frozen, fields: _, hidden: __, [NUMBERING]: ___, ...config }: Attributes,
  current: OptimizerFields,
): AttributeFit {
  const mismatched: AttributeFit['mismatched'][number][] = []
  const mismatch = (name: string, actual: unknown, expected: string) =>
    mismatched.push({ name, expected, actual: String(actual) })
  if (!isCount(iterations)) mismatch('iterations', iterations, 'a count')
  if (!isNames(order)) mismatch('order', order, 'a list of names')
  if (frozen !== undefined && !isNames(frozen)) mismatch('frozen', frozen, 'a list of names')
  for (const [name, value] of Object.entries(config)) {
    const here = current.config[name]
    if (here === undefined) continue
    if (typeof value !== typeof here) mismatch(name, value, `a ${typeof here}`)
    // Not only a hyper-parameter: it comes with a list of buffers.
    else if (name === 'centered' && value !== here) mismatch(name, value, `${here}, as here`)
  }
  return {
    mismatched,
    missing: Object.keys(current.config).filter((name) => !Object.hasOwn(config, name)),
    unexpected: Object.keys(config).filter((name) => !Object.hasOwn(current.config, name)),
  }
}

function isNames(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((name) => typeof name === 'string')
}

/** The error for a state of another class than the optimizer's. */
export function otherKind({ kind }: LoadedState, current: OptimizerFields): TypeError {
  return new TypeError(
    `expected the state of a ${current.kind} optimizer, found that of ${String(kind)} in the checkpoint`,
  )
}

/** The saved attributes that the optimizer takes. Throws a TypeError if it cannot take them. */
export function checkedAttributes(
  { attributes }: LoadedState,
  current: OptimizerFields,
  strict: boolean,
): {
  readonly iterations: number
  readonly config: Attributes
  readonly order: readonly string[]
} {
  const { missing, unexpected, mismatched } = compareAttributes(attributes, current)
  const unfit = (name: string, expected: string) =>
    new TypeError(
      `the attribute ${name} of the ${current.kind} in the checkpoint: ` +
        `expected ${expected}, found ${String(attributes[name])}`,
    )
  for (const { name, expected } of mismatched) throw unfit(name, expected)
  if (strict) {
    for (const name of missing) throw unfit(name, `a ${typeof current.config[name]}`)
    for (const name of unexpected) throw unfit(name, 'no such attribute')
  }
  const { iterations, order } = attributes as { iterations: number; order: readonly string[] }
  const taken = Object.keys(current.config).filter((name) => !missing.includes(name))
  return {
    ...{ iterations, order },
    config: Object.fromEntries(taken.map((name) => [name, attributes[name]!])),
  }
}
