/**
 * The facts of a file in columns, as a worker sends them: a message of a hundred thousand objects takes several times as
 * long as making them of a few arrays.
 */

import { dtypes } from '../../../src/format/dtype.js'
import type { FileFacts, StateFacts, TensorFacts } from './facts.js'

/** The facts of a file, with the tensors of each state in columns. */
export interface PackedFacts extends Omit<FileFacts, 'states'> {
  readonly states: readonly PackedState[]
}

interface PackedState extends Omit<StateFacts, 'tensors'>, Columns {}

/** Tensors of one state. */
interface Columns {
  readonly names: readonly string[]
  /** Indices into `dtypes`. */
  readonly dtypes: Uint8Array
  readonly ranks: Uint32Array
  /** The lengths of all axes of all tensors. */
  readonly axes: Float64Array
  readonly byteLengths: Float64Array
  /** Null if no tensor has a segment. */
  readonly segments: { readonly offsets: Float64Array; readonly crc32s: Uint32Array } | null
}

/** Tensors of a file in their order: those of the same state that follow one another are together. */
export type PackedTensors = readonly (Columns & { readonly state: string })[]

/** Makes columns of the tensors. Those of a state all have segments, or none has. */
export function packFacts({ states, ...facts }: FileFacts): PackedFacts {
  return {
    ...facts,
    states: states.map(({ tensors, ...state }) => ({ ...state, ...columnsOf(tensors) })),
  }
}

/** The facts that were packed. */
export function unpackFacts({ states, ...facts }: PackedFacts): FileFacts {
  return {
    ...facts,
    states: states.map(({ name, kind, attributes, ...columns }) => ({
      ...{ name, kind, attributes },
      tensors: tensorsOf(name, columns),
    })),
  }
}

/** Makes columns of tensors of any states of a file. */
export function packTensors(tensors: readonly TensorFacts[]): PackedTensors {
  const packed: PackedTensors[number][] = []
  for (let start = 0; start < tensors.length; ) {
    const { state } = tensors[start]!
    let end = start + 1
    while (end < tensors.length && tensors[end]!.state === state) end++
    packed.push({ state, ...columnsOf(tensors.slice(start, end)) })
    start = end
  }
  return packed
}

/** The tensors that were packed. */
export function unpackTensors(packed: PackedTensors): TensorFacts[] {
  return packed.flatMap(({ state, ...columns }) => tensorsOf(state, columns))
}

function columnsOf(tensors: readonly TensorFacts[]): Columns {
  return {
    names: tensors.map(({ name }) => name),
    dtypes: Uint8Array.from(tensors, ({ dtype }) => dtypes.indexOf(dtype)),
    ranks: Uint32Array.from(tensors, ({ shape }) => shape.length),
    axes: Float64Array.from(tensors.flatMap(({ shape }) => shape)),
    byteLengths: Float64Array.from(tensors, ({ byteLength }) => byteLength),
    segments: tensors.some(({ segment }) => segment === null)
      ? null
      : {
          offsets: Float64Array.from(tensors, ({ segment }) => segment!.offset),
          crc32s: Uint32Array.from(tensors, ({ segment }) => segment!.crc32),
        },
  }
}

function tensorsOf(state: string, columns: Columns): TensorFacts[] {
  const { names, ranks, axes, byteLengths, segments } = columns
  let axis = 0
  return names.map((name, i): TensorFacts => {
    const shape = Array.from(axes.subarray(axis, axis + ranks[i]!))
    axis += ranks[i]!
    return {
      state,
      name,
      dtype: dtypes[columns.dtypes[i]!]!,
      shape,
      byteLength: byteLengths[i]!,
      segment:
        segments === null ? null : { offset: segments.offsets[i]!, crc32: segments.crc32s[i]! },
    }
  })
}
