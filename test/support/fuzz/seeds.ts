/** The sound buffers that fuzzing starts from. Small ones: an input takes as long as it is. */

import { readFile } from 'node:fs/promises'
import { crc32 } from 'node:zlib'
import { describe } from '../../../scripts/describe-schema.js'
import { binaryFromJson } from '../../../scripts/flatc.js'
import type { SchemaDescription } from '../../../src/format/description.js'
import { type Content, encode } from '../../../src/format/encode.js'
import { gapBytes } from '../../../src/format/layout.js'
import { schema } from '../../../src/format/schema.js'
import fc from '../fast-check.js'
import { anyContent, seal } from '../format/contents.js'
import { goldens, largeForm, longMetadata } from '../hostile/goldens.js'
import { type Seed, seedOf } from './mutator.js'

const LONGEST = 832

// Arbitrary contents, the same ones in every run.
const drawn: readonly Content[] = fc.sample(anyContent, { seed: 20_26, numRuns: 120 })

/** A whole file, with something in its segments; undefined where it would be too long. */
function fileOf(content: Content): { bytes: Uint8Array; metadataLength: number } | undefined {
  const metadata = encode(content)
  const { layout, length, plain } = metadata
  if (layout.fileLength > LONGEST) return undefined
  const bytes = new Uint8Array(layout.fileLength)
  let end = length
  const checksums = content.segmentLengths.map((segmentLength, i) => {
    const offset = layout.offsets[i]!
    bytes.set(gapBytes(offset - end, segmentLength, plain), end)
    const segment = bytes.subarray(offset, offset + segmentLength)
    segment.forEach((_, k) => {
      segment[k] = 1 + ((k * 7 + i) % 250)
    })
    end = offset + segmentLength
    return crc32(segment)
  })
  bytes.set(metadata.seal(checksums), 0)
  return { bytes, metadataLength: length }
}

/** Whole files of our format. */
export function fileSeeds(): Seed[] {
  const files = drawn.flatMap((content, i) => {
    const file = fileOf(content)
    return file === undefined ? [] : [{ name: `drawn ${i}`, ...file }]
  })
  return [...goldens, longMetadata, ...files.slice(0, 12)].map((file) =>
    seedOf(file.name, file.bytes, schema, file.metadataLength),
  )
}

/** Metadata of our format by itself, of files of any length. */
export function metadataSeeds(): Seed[] {
  const small = drawn.map(seal).filter(({ byteLength }) => byteLength <= LONGEST)
  return [
    ...[...goldens, longMetadata, largeForm].map(({ name, bytes, metadataLength }) =>
      seedOf(name, bytes.slice(0, metadataLength), schema),
    ),
    ...small.slice(-12).map((bytes, i) => seedOf(`drawn metadata ${i}`, bytes, schema)),
  ]
}

const EVERY_CONSTRUCT = new URL('../format/every-construct.fbs', import.meta.url)

const leaf = { name: 'leaf' }
const scalars = {
  a_bool: true,
  an_int8: -8,
  a_uint8: 8,
  an_int16: -16,
  a_uint16: 16,
  an_int32: -32,
  a_uint32: 32,
  an_int64: -64,
  a_uint64: 64,
  a_float32: 0.5,
  a_float64: 0.25,
  a_small: 'Low',
  a_wide: 'Most',
  some_flags: 'first last',
  an_int16_by_default: 3,
  an_infinity: 1,
  an_optional_bool: false,
  an_optional_int64: 0,
  an_optional_small: 'Zero',
}
const vectors = {
  bools: [true, false, true],
  int8s: [-1, 2],
  uint8s: [1, 2, 3],
  int16s: [-1, 2, 3],
  uint16s: [1],
  int32s: [1, -2],
  uint32s: [4, 5],
  int64s: [1, -2, 3],
  uint64s: [9],
  float32s: [0.5, 1.5],
  float64s: [0.25, 1.25],
  smalls: ['Low', 'High'],
  wides: ['None', 'Most'],
  strings: ['a', '', 'ccc'],
  leaves: [leaf, { name: '' }],
  aligned: [1, 2, 3, 4],
}
const required = {
  text: 'required',
  leaf,
  bytes: [1, 2, 3],
  texts: ['x', 'yy'],
}
const everything = {
  scalars,
  vectors,
  required,
  deprecated_fields: { last: 1 },
  numbered: { first: 1, second: [1, 2], third: '3', fourth: true, fifth: '5' },
  elsewhere: { leaf },
  leaf,
  text: 'root',
  data: [1, 2, 3],
  numbers: [0.5],
  child: { child: { children: [{ text: 'deep' }, {}] } },
  children: [{ text: 'a' }, {}],
}

/** A schema with everything that the verifier knows, and buffers of it. */
export async function everyConstruct(): Promise<{ schema: SchemaDescription; seeds: Seed[] }> {
  const text = await readFile(EVERY_CONSTRUCT, 'utf8')
  const described = await describe(text)
  const seeds: Seed[] = []
  const { vectors: v, required: r, scalars: s, ...rest } = everything
  const parts = {
    everything,
    scalars: { scalars: s },
    vectors: { vectors: v },
    required: { required: r },
  }
  for (const [name, json] of Object.entries({ ...parts, rest, nothing: {} })) {
    const bytes = await binaryFromJson(text, JSON.stringify(json))
    seeds.push(seedOf(name, bytes.slice(), described))
  }
  return { schema: described, seeds }
}
