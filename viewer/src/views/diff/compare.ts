/** Two files side by side: what differs by their metadata, and which tensors have to be compared. */

import { type Difference, DifferenceSums } from '../../../../src/diff/difference.js'
import { type ValueChange, valueChanges } from '../../../../src/diff/values.js'
import type { Attribute } from '../../../../src/format/attributes.js'
import {
  type FileFacts,
  type StateFacts,
  sameContent,
  type TensorFacts,
} from '../../compute/facts.js'
import type { TensorPair } from '../../compute/jobs.js'
import { rowOf } from '../run/changes.js'

/** A tensor that only one file has, or that has another shape there. */
export interface Mismatch {
  readonly name: string
  readonly before: TensorFacts | undefined
  readonly after: TensorFacts | undefined
}

/** A state of both files, or of one of them. */
export interface StateComparison {
  readonly name: string
  readonly change: 'added' | 'removed' | 'both'
  readonly values: readonly ValueChange[]
  /** Tensors that may differ. */
  readonly pairs: readonly TensorPair[]
  readonly mismatches: readonly Mismatch[]
  /** Number of tensors that are known to be equal. */
  readonly equal: number
}

/** Two files. */
export interface FileComparison {
  readonly progress: readonly ValueChange[]
  readonly config: readonly ValueChange[]
  readonly states: readonly StateComparison[]
}

/** Compares the facts of two files. */
export function compareFacts(before: FileFacts, after: FileFacts): FileComparison {
  const names = new Set([...before.states, ...after.states].map(({ name }) => name))
  return {
    progress: valueChanges(progressOf(before), progressOf(after)),
    config: configChanges(before.config, after.config),
    states: Array.from(names, (name) =>
      compareStates(
        name,
        before.states.find((state) => state.name === name),
        after.states.find((state) => state.name === name),
      ),
    ),
  }
}

/** A file that does not know a value has none. */
function progressOf({ epoch, step, loss, metrics }: FileFacts): Attribute {
  const all = Object.entries({ epoch, step, loss, metrics })
  return Object.fromEntries(all.filter(([, value]) => value !== null)) as Attribute
}

function configChanges(before: string | null, after: string | null): ValueChange[] {
  if (before === after) return []
  const parsed = (text: string | null): Attribute | undefined => {
    if (text === null) return undefined
    try {
      return JSON.parse(text)
    } catch {
      return text
    }
  }
  return valueChanges(parsed(before), parsed(after))
}

function compareStates(
  name: string,
  before: StateFacts | undefined,
  after: StateFacts | undefined,
): StateComparison {
  const pairs: TensorPair[] = []
  const mismatches: Mismatch[] = []
  let equal = 0
  const theirs = new Map(after?.tensors.map((tensor) => [tensor.name, tensor]))
  for (const tensor of before?.tensors ?? []) {
    const other = theirs.get(tensor.name)
    theirs.delete(tensor.name)
    if (other === undefined || other.shape.join() !== tensor.shape.join()) {
      mismatches.push({ name: tensor.name, before: tensor, after: other })
    } else if (sameContent(tensor, other)) equal++
    else pairs.push({ before: tensor, after: other })
  }
  for (const tensor of theirs.values()) {
    mismatches.push({ name: tensor.name, before: undefined, after: tensor })
  }
  return {
    name,
    change: before === undefined ? 'added' : after === undefined ? 'removed' : 'both',
    values: [
      ...valueChanges(before?.kind ?? undefined, after?.kind ?? undefined, 'kind'),
      ...valueChanges(before?.attributes ?? {}, after?.attributes ?? {}),
    ],
    ...{ pairs, mismatches, equal },
  }
}

/** A layer of the comparison. */
export interface LayerRow {
  readonly name: string
  /** The one that has changed most comes first. */
  readonly tensors: readonly TensorPair[]
  /** Over the tensors that have been compared; undefined if none has. */
  readonly difference: Difference | undefined
}

/** The layers by their relative change, the largest first. `differences` has those that are known, by name. */
export function layersOf(
  pairs: readonly TensorPair[],
  differences: ReadonlyMap<string, Difference>,
): LayerRow[] {
  const members = new Map<string, TensorPair[]>()
  for (const pair of pairs) {
    const row = rowOf(pair.before.name, 'layers')
    const there = members.get(row)
    if (there === undefined) members.set(row, [pair])
    else there.push(pair)
  }
  const differenceOf = ({ before }: TensorPair) => differences.get(before.name)
  return Array.from(members, ([row, tensors]): LayerRow => {
    const known = tensors.flatMap((pair) => differenceOf(pair) ?? [])
    const sums = new DifferenceSums()
    for (const difference of known) sums.addAll(difference)
    return {
      name: tensors.length === 1 ? tensors[0]!.before.name : row,
      tensors: tensors.sort((a, b) => order(differenceOf(a), differenceOf(b))),
      difference: known.length === 0 ? undefined : sums.total,
    }
  }).sort((a, b) => order(a.difference, b.difference))
}

/** NaN and infinities come first: they are what one looks for. What is not known comes last. */
function order(a: Difference | undefined, b: Difference | undefined): number {
  if (a === undefined || b === undefined) return Number(a === undefined) - Number(b === undefined)
  const broken = Number(b.nonFinite > 0) - Number(a.nonFinite > 0)
  if (broken !== 0 || a.relativeNorm === b.relativeNorm) return broken
  return b.relativeNorm - a.relativeNorm
}
