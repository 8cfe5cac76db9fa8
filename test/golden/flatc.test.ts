// The golden file as others read it: with flatc and the schema, and nothing of ours.

import { readFile } from 'node:fs/promises'
import test from 'ava'
import * as flatbuffers from 'flatbuffers'
import { Checkpoint } from '../../generated/lightwatch/format/checkpoint.js'
import { DType } from '../../generated/lightwatch/format/dtype.js'
import type { Entry } from '../../generated/lightwatch/format/entry.js'
import type { State } from '../../generated/lightwatch/format/state.js'
import type { Value } from '../../generated/lightwatch/format/value.js'
import { ValueKind } from '../../generated/lightwatch/format/value-kind.js'
import { binaryFromJson, jsonFromBinary } from '../../scripts/flatc.js'
import { verifyFlatBuffer } from '../../src/format/flatbuffer-verifier.js'
import { schema as description } from '../../src/format/schema.js'
import { doubleText, type Expected, type JsonAttribute } from '../support/golden/expected.js'

const schema = await readFile(new URL('../../schema/checkpoint.fbs', import.meta.url), 'utf8')
const golden: Uint8Array = await readFile(new URL('v1.ckpt', import.meta.url))
const expected: Expected = JSON.parse(await readFile(new URL('v1.json', import.meta.url), 'utf8'))

const text = await jsonFromBinary(schema, golden)

/** A number as flatc wrote it: JavaScript's own would lose the 64-bit integers. */
class Literal {
  constructor(readonly text: string) {}

  get bigint(): bigint {
    return BigInt(this.text)
  }

  get double(): number {
    return Number(this.text.replace('inf', 'Infinity').replace('nan', 'NaN'))
  }
}

interface PrintedTensor {
  readonly name: string
  readonly dtype: string
  readonly shape: readonly Literal[]
  readonly offset: Literal
  readonly byte_length: Literal
  readonly crc32: Literal
  readonly data: readonly Literal[]
}

/** Exactly one field beside its kind, or none. */
interface PrintedValue {
  readonly kind: string
  readonly boolean?: boolean
  readonly integer?: Literal
  readonly uinteger?: Literal
  readonly number?: Literal
  readonly text?: string
  readonly list?: readonly PrintedValue[]
  readonly map?: readonly PrintedEntry[]
}

interface PrintedEntry {
  readonly key: string
  readonly value: PrintedValue
}

interface PrintedState {
  readonly name: string
  readonly kind?: string
  readonly attributes?: readonly PrintedEntry[]
  readonly tensors: readonly PrintedTensor[]
}

interface PrintedFile {
  readonly version: Literal
  readonly metadata_length: Literal
  readonly file_length: Literal
  readonly epoch: Literal
  readonly step: Literal
  readonly loss: Literal
  readonly metrics: readonly { readonly name: string; readonly value: Literal }[]
  readonly config: string
  readonly model: PrintedState
  readonly optimizer: PrintedState
  readonly extras: readonly PrintedState[]
}

const TOKEN = /"(?:[^"\\]|\\.)*"|-?(?:nan|inf|\d[\d.eE+-]*)/g

/** Parses what flatc prints: JSON with `nan` and `inf`; every number becomes a Literal. */
function parse(json: string): PrintedFile {
  // No text of the golden file begins with it.
  const mark = '\u0001'
  const quoted = json.replace(TOKEN, (token) =>
    token.startsWith('"') ? token : JSON.stringify(mark + token),
  )
  return JSON.parse(quoted, (_, value) =>
    typeof value === 'string' && value.startsWith(mark) ? new Literal(value.slice(1)) : value,
  )
}

/** A double as flatc prints it: with 12 digits behind the point, and no more. */
const printed = (value: number): number =>
  value !== 0 && Math.abs(value) < 1e21 ? Number(value.toFixed(12)) : value

const hexOf = (bytes: readonly number[]): string => Buffer.from(bytes).toString('hex')

test('flatc prints the progress as it was saved', (t) => {
  const file = parse(text)
  t.is(file.version.bigint, 1n)
  t.is(file.file_length.double, golden.length)
  t.is(file.epoch.double, expected.epoch)
  t.is(file.step.double, expected.step)
  t.is(file.loss.double, printed(Number(expected.loss)))
  t.is(expected.config, file.config)
  t.deepEqual(
    file.metrics.map((metric) => [metric.name, metric.value.double]),
    expected.metrics.map(([name, value]) => [name, printed(Number(value))]),
  )
})

test('flatc prints every tensor with its dtype, its shape and its bytes', (t) => {
  const file = parse(text)
  const states = [file.model, file.optimizer, ...file.extras]
  for (const [i, state] of [expected.model, expected.optimizer!, ...expected.extras].entries()) {
    const { name, kind = null, tensors } = states[i]!
    t.is(name, state.name)
    t.is(kind, state.kind)
    t.deepEqual(
      tensors.map((tensor) => ({
        name: tensor.name,
        dtype: tensor.dtype,
        shape: tensor.shape.map((length) => length.double),
        data: hexOf(tensor.data.map((byte) => byte.double)),
      })),
      state.tensors,
    )
  }
})

test('the data that flatc prints are the bytes at the offset', (t) => {
  const file = parse(text)
  let seen = 0
  for (const state of [file.model, file.optimizer, ...file.extras]) {
    for (const { name, offset, byte_length, data } of state.tensors) {
      const start = offset.double
      const bytes = golden.subarray(start, start + byte_length.double)
      t.is(hexOf(data.map((byte) => byte.double)), hexOf([...bytes]), name)
      seen++
    }
  }
  t.is(seen, 42)
})

test('flatc prints every attribute, each under its kind', (t) => {
  const file = parse(text)
  const states = [file.model, file.optimizer, ...file.extras]
  for (const [i, state] of [expected.model, expected.optimizer!, ...expected.extras].entries()) {
    t.deepEqual(
      { map: (states[i]!.attributes ?? []).map(printedEntry) },
      roundDoubles(state.attributes),
    )
  }
})

function printedEntry({ key, value }: PrintedEntry): [string, JsonAttribute] {
  return [key, printedValue(value)]
}

function printedValue({ kind, ...held }: PrintedValue): JsonAttribute {
  const fields = Object.keys(held).join()
  switch (`${kind} ${fields}`) {
    case 'Null ':
      return null
    case 'Boolean boolean':
      return held.boolean!
    case 'Integer integer':
      return { integer: held.integer!.double }
    case 'Int64 integer':
      return { int64: held.integer!.text }
    case 'Uint64 uinteger':
      return { uint64: held.uinteger!.text }
    case 'Float64 number':
      return { float64: doubleText(held.number!.double) }
    case 'Text text':
      return held.text!
    case 'List list':
      return { list: held.list!.map(printedValue) }
    case 'Map map':
      return { map: held.map!.map(printedEntry) }
  }
  throw new Error(`a value of kind ${kind} with ${fields}`)
}

/** The same tree with its doubles as flatc prints them. */
function roundDoubles(value: JsonAttribute): JsonAttribute {
  if (typeof value !== 'object' || value === null) return value
  if ('float64' in value) return { float64: doubleText(printed(Number(value.float64))) }
  if ('list' in value) return { list: value.list.map(roundDoubles) }
  if ('map' in value) return { map: value.map.map(([key, child]) => [key, roundDoubles(child)]) }
  return value
}

/** Everything that the generated accessors say of a buffer. */
function readAll(bytes: Uint8Array): unknown {
  const root = Checkpoint.getRootAsCheckpoint(new flatbuffers.ByteBuffer(bytes))
  const optimizer = root.optimizer()
  return {
    version: root.version(),
    metadataLength: root.metadataLength(),
    metadataCrc32: root.metadataCrc32(),
    fileLength: root.fileLength(),
    epoch: root.epoch(),
    step: root.step(),
    loss: roundOrNull(root.loss()),
    metrics: list(root.metricsLength(), (i) => {
      const metric = root.metrics(i)!
      return [metric.name(), roundOrNull(metric.value())]
    }),
    config: root.config(),
    model: readState(root.model()!),
    optimizer: optimizer === null ? null : readState(optimizer),
    extras: list(root.extrasLength(), (i) => readState(root.extras(i)!)),
  }
}

function readState(state: State): unknown {
  return {
    name: state.name(),
    kind: state.kind(),
    attributes: list(state.attributesLength(), (i) => readEntry(state.attributes(i)!)),
    tensors: list(state.tensorsLength(), (i) => {
      const tensor = state.tensors(i)!
      return {
        name: tensor.name(),
        dtype: DType[tensor.dtype()],
        shape: list(tensor.shapeLength(), (k) => tensor.shape(k)),
        offset: tensor.offset(),
        byteLength: tensor.byteLength(),
        crc32: tensor.crc32(),
        data: hexOf([...tensor.dataArray()!]),
      }
    }),
  }
}

function readEntry(entry: Entry): unknown {
  return [entry.key(), readValue(entry.value()!)]
}

function readValue(value: Value): unknown {
  return {
    kind: ValueKind[value.kind()],
    boolean: value.boolean(),
    integer: value.integer(),
    uinteger: value.uinteger(),
    number: roundOrNull(value.number()),
    text: value.text(),
    list: list(value.listLength(), (i) => readValue(value.list(i)!)),
    map: list(value.mapLength(), (i) => readEntry(value.map(i)!)),
  }
}

const list = <T>(length: number, item: (i: number) => T): T[] =>
  Array.from({ length }, (_, i) => item(i))

const roundOrNull = (value: number | null): number | null =>
  value === null ? null : printed(value)

test('the FlatBuffer that flatc makes of its own JSON has the same values, and passes our verifier', async (t) => {
  const rebuilt = await binaryFromJson(schema, text)
  t.notThrows(() => verifyFlatBuffer(rebuilt, description))
  t.deepEqual(readAll(rebuilt), readAll(golden))
})

test('flatc finds the file identifier, and refuses a file that has another', async (t) => {
  const other = golden.slice()
  other[4] = 0x4d
  await t.throwsAsync(jsonFromBinary(schema, other), { message: /identifier/ })
})
