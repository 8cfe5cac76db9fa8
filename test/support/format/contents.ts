/** Contents to encode: simple ones, and arbitrary ones for laws. */

import {
  type Attribute,
  type Attributes,
  INT64_MIN,
  setKey,
  UINT64_MAX,
} from '../../../src/format/attributes.js'
import { type DType, dtypes, tensorByteLength } from '../../../src/format/dtype.js'
import {
  type Content,
  encode,
  type StateContent,
  type TensorContent,
} from '../../../src/format/encode.js'
import type { Progress } from '../../../src/format/metadata.js'
import { anyWellFormedString } from '../any-string.js'
import fc from '../fast-check.js'

/** A tensor by its dtype and shape. */
export interface TensorSpec {
  readonly name: string
  readonly dtype: DType
  readonly shape: readonly number[]
}

const NO_TIME = { sequence: null, savedAt: null }
const NO_PROGRESS: Progress = {
  epoch: 0,
  step: 0,
  loss: null,
  metrics: {},
  config: null,
  ...NO_TIME,
}

/** A model of these tensors, each with a segment of its own, and these attributes. */
export function modelContent(
  tensors: readonly TensorSpec[],
  attributes: Attributes = {},
  progress: Partial<Progress> = {},
): Content {
  return {
    progress: { ...NO_PROGRESS, ...progress },
    model: {
      name: 'model',
      kind: null,
      attributes,
      tensors: tensors.map((tensor, segment) => ({ ...tensor, segment })),
    },
    optimizer: null,
    extras: [],
    segmentLengths: tensors.map(({ dtype, shape }) => tensorByteLength(dtype, shape)!),
  }
}

/** The finished metadata; the checksums of the segments count from 0. */
export function seal(content: Content): Uint8Array {
  return encode(content).seal(content.segmentLengths.map((_, i) => i))
}

/** Names that have confused readers of other formats. */
export const CURIOUS_NAMES = [
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  '\ufeffweight',
  'weight',
  '\u00e9',
  'e\u0301',
  '../../etc/passwd',
  'C:\\weights',
  '0',
  '-0',
  '1e3',
  'a\nb',
  '\u202egnp',
  '𝛉₁',
  '\u{10ffff}',
  ' ',
] as const

/** Any text that is text, U+0000 included. */
export const anyText = fc.oneof(
  { weight: 3, arbitrary: anyWellFormedString({ maxLength: 80 }) },
  { weight: 1, arbitrary: fc.constantFrom(...CURIOUS_NAMES, '', '\0', 'a\0b') },
)

/** Any name that a tensor, an extra or a metric can have. */
export const anyName = anyText.map((text) => text.replaceAll('\0', '0')).filter((n) => n !== '')

/** Any double: NaN, the infinities and -0 as well. */
export const anyNumber = fc.oneof(
  fc.double(),
  fc.maxSafeInteger(),
  fc.constantFrom(-0, 0, Number.NaN, Infinity, -Infinity, 2 ** 53, -(2 ** 53), 5e-324, 1e308),
)

const anyBigint = fc.oneof(
  fc.bigInt({ min: INT64_MIN, max: UINT64_MAX }),
  fc.constantFrom(0n, -1n, INT64_MIN, 2n ** 63n - 1n, 2n ** 63n, UINT64_MAX),
)

/** An object of these entries; `__proto__` is a key like any other. */
export function objectOf<T>(entries: readonly (readonly [string, T])[]): { [key: string]: T } {
  const object: { [key: string]: T } = {}
  for (const [key, value] of entries) setKey(object, key, value)
  return object
}

function anyMap<T>(value: fc.Arbitrary<T>, key: fc.Arbitrary<string>, maxLength: number) {
  return fc
    .uniqueArray(fc.tuple(key, value), { selector: ([k]) => k, maxLength })
    .map((entries) => objectOf(entries))
}

const { tree } = fc.letrec<{ tree: Attribute; leaf: Attribute }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 6, depthSize: 'small' },
    tie('leaf'),
    fc.array(tie('tree'), { maxLength: 4 }),
    anyMap(tie('tree'), anyText, 4),
  ),
  leaf: fc.oneof(fc.constant(null), fc.boolean(), anyNumber, anyBigint, anyText),
}))

export const anyAttribute: fc.Arbitrary<Attribute> = tree
export const anyAttributes: fc.Arbitrary<Attributes> = anyMap(tree, anyText, 5)

const anyTensor = fc
  .record({
    name: anyName,
    dtype: fc.constantFrom(...dtypes),
    shape: fc.array(
      fc.oneof(
        { weight: 8, arbitrary: fc.nat(5) },
        { weight: 2, arbitrary: fc.nat(40).map((n) => 8 * n) },
        { weight: 1, arbitrary: fc.nat(2 ** 20) },
      ),
      { maxLength: 5 },
    ),
    alias: fc.boolean(),
  })
  .filter(({ dtype, shape }) => (tensorByteLength(dtype, shape) ?? Infinity) < 2 ** 40)

type Drawn = { name: string; dtype: DType; shape: number[]; alias: boolean }

const anyState = fc.record({
  kind: fc.option(anyText),
  attributes: anyAttributes,
  tensors: fc.uniqueArray(anyTensor, { selector: ({ name }) => name, maxLength: 6 }),
})

/**
 * Anything that a save could write. Some tensors share the segment of an earlier one of the same
 * length, whatever its dtype.
 */
export const anyContent: fc.Arbitrary<Content> = fc
  .record({
    progress: fc.record(
      {
        epoch: fc.maxSafeInteger(),
        step: fc.maxSafeInteger(),
        loss: fc.option(anyNumber),
        metrics: anyMap(anyNumber, anyName, 5),
        config: fc.option(fc.json()),
        sequence: fc.option(fc.maxSafeNat()),
        savedAt: fc.option(fc.maxSafeNat()),
      },
      { noNullPrototype: true },
    ),
    model: anyState,
    optimizer: fc.option(anyState),
    extras: fc.uniqueArray(
      fc.tuple(
        anyName.filter((name) => name !== 'model' && name !== 'optimizer'),
        anyState,
      ),
      { selector: ([name]) => name, maxLength: 3 },
    ),
  })
  .map(({ progress, model, optimizer, extras }) => {
    const segmentLengths: number[] = []
    const place = ({ name, dtype, shape, alias }: Drawn): TensorContent => {
      const length = tensorByteLength(dtype, shape)!
      const known = alias ? segmentLengths.indexOf(length) : -1
      if (known !== -1) return { name, dtype, shape, segment: known }
      segmentLengths.push(length)
      return { name, dtype, shape, segment: segmentLengths.length - 1 }
    }
    type DrawnState = { kind: string | null; attributes: Attributes; tensors: Drawn[] }
    const state = (name: string, { kind, attributes, tensors }: DrawnState): StateContent => ({
      name,
      kind,
      attributes,
      tensors: tensors.map(place),
    })
    return {
      progress,
      model: state('model', model),
      optimizer: optimizer === null ? null : state('optimizer', optimizer),
      extras: extras.map(([name, extra]) => state(name, extra)),
      segmentLengths,
    }
  })
