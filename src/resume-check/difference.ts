/** The differences between two saved states of a run, to the bit, and in words. */

import { inspect } from 'node:util'
import { type Attribute, isPlainObject, sameAttributes } from '../format/attributes.js'
import type { Checkpoint } from '../load/checkpoint.js'
import type { CheckpointState } from '../load/state.js'
import type { LoadedTensor, TypedArray } from '../state.js'

/** An element of a tensor. If the dtype has no typed array of its own, `value` is its raw bits. */
export interface Element {
  readonly value: number | bigint
  /** `0x3f800000`. */
  readonly bits: string
}

/** A tensor whose elements differ. */
export interface TensorDifference {
  /** `model`, `optimizer` or the name of an extra. */
  readonly state: string
  readonly tensor: string
  /** Index of the first element that differs, in the tensor's typed array. */
  readonly index: number
  readonly expected: Element
  readonly actual: Element
  /** Number of elements that differ, and number of all elements. */
  readonly differing: number
  readonly elements: number
}

/** An attribute that differs; undefined on the side that lacks it. */
export interface AttributeDifference {
  readonly state: string
  /** `groups[0].lr`. */
  readonly path: string
  readonly expected: Attribute | undefined
  readonly actual: Attribute | undefined
}

/** The differences between two checkpoints. All lists are empty if they are the same, bit for bit. */
export interface Differences {
  /** In the order of the states and of their tensors. */
  readonly tensors: readonly TensorDifference[]
  readonly attributes: readonly AttributeDifference[]
  /** States, tensors and kinds that only one side has, and different dtypes and shapes; in words. */
  readonly other: readonly string[]
}

/** Compares everything that two checkpoints hold. */
export function differences(expected: Checkpoint, actual: Checkpoint): Differences {
  const tensors: TensorDifference[] = []
  const attributes: AttributeDifference[] = []
  const other: string[] = []
  const [left, right] = [statesOf(expected), statesOf(actual)]
  for (const name of new Set([...left.keys(), ...right.keys()])) {
    const [one, two] = [left.get(name), right.get(name)]
    if (one === undefined || two === undefined) {
      other.push(`${name} is there ${one === undefined ? ONLY_ACTUAL : ONLY_EXPECTED}`)
      continue
    }
    if (one.kind !== two.kind) {
      other.push(`${name} is ${one.kind} without a break, ${two.kind} after the restore`)
    }
    compareTensors(one, two, tensors, other)
    compareAttributes(name, '', one.attributes, two.attributes, attributes)
  }
  return { tensors, attributes, other }
}

const ONLY_EXPECTED = 'without a break only'
const ONLY_ACTUAL = 'after the restore only'

/** The states by their names, in the order of the file. */
export function statesOf(checkpoint: Checkpoint): Map<string, CheckpointState> {
  const { model, optimizer, extras } = checkpoint
  return new Map([
    [model.name, model],
    ...(optimizer === null ? [] : [[optimizer.name, optimizer] as const]),
    ...extras,
  ])
}

function compareTensors(
  one: CheckpointState,
  two: CheckpointState,
  tensors: TensorDifference[],
  other: string[],
): void {
  for (const name of new Set([...one.keys(), ...two.keys()])) {
    if (!one.has(name) || !two.has(name)) {
      other.push(`${one.name}: ${name} is there ${one.has(name) ? ONLY_EXPECTED : ONLY_ACTUAL}`)
      continue
    }
    const [a, b] = [one.get(name), two.get(name)]
    if (typeOf(a) !== typeOf(b)) {
      other.push(
        `${one.name}: ${name} is ${typeOf(a)} without a break, ${typeOf(b)} after the restore`,
      )
      continue
    }
    const difference = firstDifference(a.data, b.data)
    if (difference !== undefined) tensors.push({ state: one.name, tensor: name, ...difference })
  }
}

function typeOf({ dtype, shape }: LoadedTensor): string {
  return `${dtype} [${shape.join(', ')}]`
}

function firstDifference(
  a: TypedArray,
  b: TypedArray,
): Omit<TensorDifference, 'state' | 'tensor'> | undefined {
  const [one, two] = [bytesOf(a), bytesOf(b)]
  if (one.equals(two)) return undefined
  const width = a.BYTES_PER_ELEMENT
  let index = -1
  let differing = 0
  for (let i = 0; i < a.length; i++) {
    const start = i * width
    if (one.compare(two, start, start + width, start, start + width) === 0) continue
    if (differing === 0) index = i
    differing++
  }
  const element = (array: TypedArray, bytes: Buffer): Element => ({
    value: array[index]!,
    bits: `0x${Buffer.from(bytes.subarray(index * width, (index + 1) * width))
      .reverse()
      .toString('hex')}`,
  })
  const elements = a.length
  return { index, expected: element(a, one), actual: element(b, two), differing, elements }
}

function bytesOf({ buffer, byteOffset, byteLength }: TypedArray): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength)
}

/** Adds the innermost values that differ. */
function compareAttributes(
  state: string,
  path: string,
  expected: Attribute | undefined,
  actual: Attribute | undefined,
  found: AttributeDifference[],
): void {
  if (expected !== undefined && actual !== undefined && sameAttributes(expected, actual)) return
  if (isPlainObject(expected) && isPlainObject(actual)) {
    for (const key of new Set([...Object.keys(expected), ...Object.keys(actual)])) {
      const at = path === '' ? key : `${path}.${key}`
      compareAttributes(state, at, ownOf(expected, key), ownOf(actual, key), found)
    }
  } else if (Array.isArray(expected) && Array.isArray(actual)) {
    for (let i = 0; i < Math.max(expected.length, actual.length); i++) {
      compareAttributes(state, `${path}[${i}]`, expected[i], actual[i], found)
    }
  } else found.push({ state, path, expected, actual })
}

function ownOf(map: { readonly [key: string]: unknown }, key: string): Attribute | undefined {
  return Object.hasOwn(map, key) ? (map[key] as Attribute) : undefined
}

// Most lines of each kind: a forgotten optimizer differs in all of its tensors.
const MOST_LINES = 8

/** The message if nothing differs. */
export function identicalText(
  { states, tensors }: { readonly states: readonly string[]; readonly tensors: number },
  { before, after }: { readonly before: number; readonly after: number },
): string {
  return (
    `identical, bit for bit: ${tensors} tensor${tensors === 1 ? '' : 's'} and the attributes of ${states.join(', ')}, ` +
    `directly after the restore at step ${before} and after each of the ${after} steps that follow`
  )
}

/** The message for the first step with a difference. */
export function differentText(
  verdict: 'not-reproducible' | 'not-restored' | 'diverged',
  before: number,
  step: number,
  { tensors, attributes, other }: Differences,
): string {
  const [one, two] =
    verdict === 'not-reproducible'
      ? ['in one run', 'in another']
      : ['without a break', 'after the restore']
  return [
    headline(verdict, before, step),
    ...some(other),
    ...some(
      attributes.map(
        ({ state, path, expected, actual }) =>
          `${state}: attribute ${path} is ${shown(expected)} ${one}, ${shown(actual)} ${two}`,
      ),
    ),
    ...some(tensors.map((difference) => tensorLine(difference, one, two))),
  ].join('\n  ')
}

function headline(verdict: string, before: number, step: number): string {
  switch (verdict) {
    case 'not-reproducible':
      return (
        `two runs from the start differ after ${step} steps, before anything was restored, ` +
        'so no checkpoint could make them the same:'
      )
    case 'not-restored':
      return `directly after the restore at step ${step}, something differs from the saved state:`
    default:
      return (
        `the restore at step ${before} restored all that is compared, but after step ${step} ` +
        'it differs, so something else has a state:'
      )
  }
}

function tensorLine(
  { state, tensor, index, expected, actual, differing, elements }: TensorDifference,
  one: string,
  two: string,
): string {
  return (
    `${state}: ${tensor}[${index}] is ${inspect(expected.value)} (${expected.bits}) ${one}, ` +
    `${inspect(actual.value)} (${actual.bits}) ${two}; ${differing} of ${elements} elements differ`
  )
}

function some(lines: readonly string[]): readonly string[] {
  const rest = lines.length - MOST_LINES
  return rest <= 0 ? lines : [...lines.slice(0, MOST_LINES), `and ${rest} more`]
}

function shown(value: Attribute | undefined): string {
  return value === undefined
    ? 'missing'
    : inspect(value, { depth: Number.POSITIVE_INFINITY, breakLength: Number.POSITIVE_INFINITY })
}
