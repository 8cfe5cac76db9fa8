/**
 * Arbitrary states of training: names in any script, every dtype, shapes with zeros and without
 * dimensions, tied weights, any attributes, any bytes. For properties that hold of all of them.
 */

import type { Attribute, Attributes } from '../../src/format/attributes.js'
import { arrayType, type DType, dtypes, tensorByteLength } from '../../src/format/dtype.js'
import { nameFault } from '../../src/format/text.js'
import type { SaveOptions } from '../../src/save/write.js'
import type { Stateful, TensorLike } from '../../src/state.js'
import { anyWellFormedString } from './any-string.js'
import fc from './fast-check.js'

/** How a trainer offers a tensor's memory. */
type Offer = 'array' | 'bytes' | 'DataView' | 'buffer' | 'shared' | 'function' | 'promise'

export interface ArbitraryTensor {
  readonly name: string
  readonly dtype: DType
  readonly shape: readonly number[]
  readonly offer: Offer
  readonly bytes: Uint8Array
  /** Index of the tensor before it whose memory it shares, where that is of its kind and length. */
  readonly tiedTo: number
}

export interface ArbitraryState {
  readonly kind: string | undefined
  readonly attributes: Attributes
  readonly tensors: readonly ArbitraryTensor[]
}

export interface ArbitraryCheckpoint {
  readonly model: ArbitraryState
  readonly optimizer: ArbitraryState | null
  readonly extras: readonly (readonly [name: string, state: ArbitraryState])[]
  readonly progress: Pick<SaveOptions, 'epoch' | 'step' | 'loss' | 'metrics' | 'config'>
}

const text = fc.oneof(fc.string(), fc.string({ unit: 'grapheme' }), anyWellFormedString())

// Names that an object has already, that look like a path, that differ only in how they are composed,
// or that a terminal would not show.
const NOTORIOUS = [
  ...['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', 'then', 'length'],
  ...['tensors', 'shape', 'data', 'kind', 'attributes', '../../etc/passwd', 'C:\\', '.', '/', ' '],
  ...[
    'é',
    'e\u0301',
    '\ufeffw',
    'w\u200b',
    '\u202ew',
    '\u001b[2J',
    '\n',
    '🚀',
    'ß',
    'ẞ',
    '0',
    '-1',
  ],
]

const name = fc.oneof(
  { weight: 3, arbitrary: text.filter((chars) => nameFault(chars) === undefined) },
  fc.constantFrom(...NOTORIOUS),
  fc.integer({ min: 100, max: 5_000 }).map((length) => 'long'.repeat(length)),
)

const key = fc.oneof(text, fc.constantFrom(...NOTORIOUS, ''))

const number = fc.oneof(
  fc.double(),
  fc.maxSafeInteger(),
  fc.constantFrom(NaN, Infinity, -Infinity, -0, 0, 5e-324, 2 ** 53, -(2 ** 63), 2 ** 64),
)

const bigint = fc.oneof(
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }),
  fc.constantFrom(0n, -1n, 2n ** 53n, 2n ** 63n - 1n, 2n ** 63n, 2n ** 64n - 1n, -(2n ** 63n)),
)

/** A map, in which `__proto__` is a key like any other. */
const mapOf = <T>(value: fc.Arbitrary<T>, maxKeys: number) =>
  fc
    .uniqueArray(fc.tuple(key, value), { selector: ([entry]) => entry, maxLength: maxKeys })
    .map((entries) => Object.fromEntries(entries))

const { attribute } = fc.letrec<{ attribute: Attribute }>((tie) => ({
  attribute: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constant(null),
    fc.boolean(),
    number,
    bigint,
    text,
    fc.array(tie('attribute'), { maxLength: 4 }),
    mapOf(tie('attribute'), 4),
  ),
}))

const attributes: fc.Arbitrary<Attributes> = mapOf(attribute, 5)

// Longer dimensions make longer tensors: beyond what is gathered, and of several pieces.
const dimension = fc.oneof(
  { weight: 10, arbitrary: fc.integer({ min: 1, max: 5 }) },
  { weight: 1, arbitrary: fc.constant(0) },
  { weight: 1, arbitrary: fc.integer({ min: 6, max: 70 }) },
)

const shape = fc.oneof(
  { weight: 20, arbitrary: fc.array(dimension, { maxLength: 4 }) },
  { weight: 1, arbitrary: fc.constant(new Array(64).fill(1)) },
  { weight: 1, arbitrary: fc.integer({ min: 60_000, max: 70_000 }).map((n) => [2 * n]) },
)

// What a number cannot tell apart, and a restore must: NaNs of any payload, signalling ones, zeros.
const PATTERNS = [0x00, 0xff, 0x7f, 0x80]

const bytesOf = (length: number) =>
  fc.oneof(
    fc.nat(2 ** 31).map((seed) => {
      const bytes = new Uint8Array(length)
      let state = seed | 1
      for (let i = 0; i < length; i++) {
        state = Math.imul(state, 0x915f77f5) + 1
        bytes[i] = state >>> 24
      }
      return bytes
    }),
    fc.constantFrom(...PATTERNS).map((byte) => new Uint8Array(length).fill(byte)),
  )

const tensor: fc.Arbitrary<ArbitraryTensor> = fc
  .record({
    name,
    dtype: fc.constantFrom(...dtypes),
    shape,
    offer: fc.constantFrom<Offer>(
      ...(['array', 'bytes', 'DataView', 'buffer', 'shared', 'function', 'promise'] as const),
    ),
    tiedTo: fc.nat(20),
  })
  .filter(({ dtype, shape }) => tensorByteLength(dtype, shape) !== undefined)
  .chain((made) =>
    bytesOf(tensorByteLength(made.dtype, made.shape)!).map((bytes) => ({ ...made, bytes })),
  )

const state: fc.Arbitrary<ArbitraryState> = fc.record({
  kind: fc.option(text, { nil: undefined }),
  attributes,
  tensors: fc.uniqueArray(tensor, { selector: (made) => made.name, maxLength: 8 }),
})

const progress = fc.record(
  {
    epoch: fc.maxSafeInteger().filter((n) => !Object.is(n, -0)),
    step: fc.maxSafeInteger().filter((n) => !Object.is(n, -0)),
    loss: fc.option(number),
    metrics: fc
      .uniqueArray(fc.tuple(name, number), { selector: ([metric]) => metric, maxLength: 4 })
      .map((entries) => Object.fromEntries(entries)),
    config: fc.json().filter((json) => json.isWellFormed()),
  },
  { requiredKeys: [] },
)

export const arbitraryCheckpoint: fc.Arbitrary<ArbitraryCheckpoint> = fc.record({
  model: state,
  optimizer: fc.option(state),
  extras: fc.uniqueArray(
    fc.tuple(
      name.filter((chars) => chars !== 'model' && chars !== 'optimizer'),
      state,
    ),
    { selector: ([extra]) => extra, maxLength: 3 },
  ),
  progress,
})

/** The tensor whose memory each tensor is over: its own, or that of the one that it is tied to. */
function ownersOf({ tensors }: ArbitraryState): readonly ArbitraryTensor[] {
  const owners: ArbitraryTensor[] = []
  for (const tensor of tensors) {
    const other = owners[tensor.tiedTo]
    const fits = other?.dtype === tensor.dtype && other.bytes.byteLength === tensor.bytes.byteLength
    owners.push(fits ? other : tensor)
  }
  return owners
}

/** The bytes that each tensor of a state has. */
export function contentsOf(state: ArbitraryState): Map<string, Uint8Array> {
  const owners = ownersOf(state)
  return new Map(state.tensors.map(({ name }, i) => [name, owners[i]!.bytes]))
}

/** A tensor's bytes in the memory of a trainer, offered in the way that it says. */
function offered({ bytes, offer, dtype }: ArbitraryTensor): TensorLike['data'] {
  const { byteLength } = bytes
  // In the middle of something, as parameters in one arena are; a whole number of any elements.
  const within = <B extends ArrayBufferLike>(arena: B): B => {
    new Uint8Array(arena, 16).set(bytes)
    return arena
  }
  const ArrayType = arrayType(dtype)
  const array = (arena: ArrayBufferLike) =>
    new ArrayType(arena as ArrayBuffer, 16, byteLength / ArrayType.BYTES_PER_ELEMENT)
  switch (offer) {
    case 'array':
      return array(within(new ArrayBuffer(byteLength + 32)))
    case 'shared':
      return array(within(new SharedArrayBuffer(byteLength + 32)))
    case 'bytes':
      return Buffer.from(bytes)
    case 'DataView':
      return new DataView(within(new ArrayBuffer(byteLength + 17)), 16, byteLength)
    case 'buffer':
      return bytes.slice().buffer
    case 'function':
      return () => bytes.slice()
    case 'promise':
      return async () => array(within(new ArrayBuffer(byteLength + 32)))
  }
}

/** A state as a trainer has it. Tied tensors are offered as one and the same memory, or function. */
export function statefulOf(state: ArbitraryState): Stateful {
  const { kind, attributes } = state
  const owners = ownersOf(state)
  const memory = new Map(owners.map((owner) => [owner, offered(owner)]))
  const tensors = state.tensors.map(({ name, dtype, shape }, i) => {
    return [name, { dtype, shape, data: memory.get(owners[i]!)! }] as const
  })
  return { stateDict: () => ({ tensors, attributes, ...(kind !== undefined && { kind }) }) }
}
