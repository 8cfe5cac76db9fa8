/** The metadata of a file for the command line: read, measured, and as JSON. Reads no tensor. */

import { inspect } from 'node:util'
import { withPath } from '../errors.js'
import type { Attribute, Attributes } from '../format/attributes.js'
import { elementCount } from '../format/dtype.js'
import { allStates, type Metadata, type StateRecord } from '../format/metadata.js'
import type { TensorRecord } from '../format/tensor-table.js'
import { FileSource, openFile } from '../io/file/file-source.js'
import { httpAddress, openHttp } from '../io/http/http-source.js'
import { publicAddress } from '../io/http/requests.js'
import type { Source } from '../io/source.js'
import { readMetadata } from '../load/metadata.js'
import { pathOf } from '../path.js'
import { storedAt } from './locations.js'

/** Reads and verifies the metadata of the file at a path, an address or in a bucket. Throws a CheckpointError. */
export async function fileMetadata(location: string): Promise<Metadata> {
  const address = httpAddress(location)
  try {
    const source = await sourceAt(location, address)
    try {
      const { metadata } = await readMetadata(source)
      return metadata
    } finally {
      source.close()
    }
  } catch (error) {
    throw withPath(error, address === undefined ? location : publicAddress(address))
  }
}

async function sourceAt(location: string, address: URL | undefined): Promise<Source> {
  if (address !== undefined) return openHttp(address)
  const stored = await storedAt(location)
  if (stored !== undefined) return stored.store.open(stored.name)
  return new FileSource(await openFile(pathOf(location)))
}

/** A tensor by its state and name. */
export interface TensorName {
  readonly state: string
  readonly tensor: string
}

/** Tied tensors: maps each tensor that shares its bytes with an earlier one to the first that has them. */
export function findTies(metadata: Metadata): ReadonlyMap<TensorRecord, TensorName> {
  const first = new Map<number, TensorName>()
  const ties = new Map<TensorRecord, TensorName>()
  for (const state of allStates(metadata)) {
    for (const tensor of state.tensors) {
      const known = first.get(tensor.offset)
      if (known === undefined) first.set(tensor.offset, { state: state.name, tensor: tensor.name })
      else ties.set(tensor, known)
    }
  }
  return ties
}

/**
 * The size of a state by itself, whatever it shares with other states. Tied tensors count once in elements and bytes.
 * `tied` is the number of tensors that are tied to another one of the state.
 */
export function stateSize({ tensors }: StateRecord): {
  elements: number
  byteLength: number
  tied: number
} {
  const counted = new Set<number>()
  let elements = 0
  let byteLength = 0
  for (const tensor of tensors) {
    if (counted.has(tensor.offset)) continue
    counted.add(tensor.offset)
    // Validation has ensured a length in bytes, so the elements can be counted.
    elements += elementCount(tensor.shape)!
    byteLength += tensor.byteLength
  }
  return { elements, byteLength, tied: tensors.length - counted.size }
}

// Levels of a config that are shown. Deeper indentation would grow with the square of a file's length.
const MAX_DEPTH = 100

/** The value of a config, or undefined if it is not JSON, or nested too deep to be laid out. */
export function configValue(config: string): unknown {
  try {
    const value: unknown = JSON.parse(config)
    return isNestedWithin(MAX_DEPTH, value) ? value : undefined
  } catch {
    return undefined
  }
}

function isNestedWithin(levels: number, value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return true
  return levels > 0 && Object.values(value).every((item) => isNestedWithin(levels - 1, item))
}

/**
 * The output of `ckpt inspect --json`: the whole metadata as one JSON value, without loss. `ckpt help inspect`
 * describes it. The meaning of a field never changes.
 */
export function inspectJson(file: string, metadata: Metadata): object {
  const { version, metadataLength, fileLength, progress, model, optimizer, extras } = metadata
  const { epoch, step, loss, metrics, config, sequence, savedAt } = progress
  const ties = findTies(metadata)
  return {
    file,
    version,
    byteLength: fileLength,
    metadataLength,
    epoch,
    step,
    loss: loss === null ? null : numberJson(loss),
    metrics: mapObject(metrics, numberJson),
    config: (config === null ? null : configValue(config)) ?? null,
    configText: config,
    sequence,
    savedAt,
    model: stateJson(model, ties),
    optimizer: optimizer === null ? null : stateJson(optimizer, ties),
    extras: extras.map((extra) => stateJson(extra, ties)),
  }
}

function stateJson(state: StateRecord, ties: ReadonlyMap<TensorRecord, TensorName>): object {
  const { elements, byteLength } = stateSize(state)
  return {
    name: state.name,
    kind: state.kind,
    attributes: mapObject(state.attributes, attributeJson),
    elements,
    byteLength,
    tensors: Array.from(state.tensors, (tensor) => ({
      name: tensor.name,
      dtype: tensor.dtype,
      shape: tensor.shape,
      elements: elementCount(tensor.shape),
      byteLength: tensor.byteLength,
      offset: tensor.offset,
      crc32: tensor.crc32,
      sameAs: ties.get(tensor) ?? null,
    })),
  }
}

/** A number, as a string if JSON cannot hold it. */
export function numberJson(value: number): number | string {
  return Number.isFinite(value) && !Object.is(value, -0) ? value : inspect(value)
}

/**
 * An attribute. If JSON cannot hold it, it becomes an object with a tag, because a string could be an attribute too.
 */
export function attributeJson(value: Attribute): unknown {
  if (typeof value === 'bigint') return { $bigint: String(value) }
  if (typeof value === 'number') {
    const json = numberJson(value)
    return typeof json === 'number' ? json : { $number: json }
  }
  if (value === null || typeof value !== 'object') return value
  if (Array.isArray(value)) return value.map(attributeJson)
  const map = mapObject(value as Attributes, attributeJson)
  const [key, second] = Object.keys(value)
  return key?.startsWith('$') && second === undefined ? { $map: map } : map
}

/** The same keys, including `__proto__`, with other values. */
function mapObject<T>(
  object: { readonly [key: string]: T },
  change: (value: T) => unknown,
): { [key: string]: unknown } {
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [key, change(value)]))
}
