/**
 * What `ckpt inspect --json` prints: the metadata of a checkpoint as one JSON value, from which all of
 * it can be had back. `ckpt help inspect` describes it; a field that is there never changes its meaning.
 */

import type { Attribute, Attributes } from '../format/attributes.js'
import { elementCount } from '../format/dtype.js'
import type { Metadata, StateRecord, TensorRecord } from '../format/metadata.js'
import { jsonOutline } from './json-text.js'
import { formatNumber } from './quantity.js'
import { findTies, stateSize, type TensorName } from './ties.js'

export function inspectJson(file: string, metadata: Metadata): object {
  const { version, metadataLength, fileLength, progress, model, optimizer, extras } = metadata
  const { epoch, step, loss, metrics, config } = progress
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
    config: config === null || jsonOutline(config) === undefined ? null : JSON.parse(config),
    configText: config,
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

/** A number, as a string where JSON has none for it. */
function numberJson(value: number): number | string {
  return Number.isFinite(value) && !Object.is(value, -0) ? value : formatNumber(value)
}

/** An attribute. A string may be one of these, so what JSON has no form for is an object with a tag. */
function attributeJson(value: Attribute): unknown {
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

/** The same keys, `__proto__` among them, with other values. */
function mapObject<T>(
  object: { readonly [key: string]: T },
  change: (value: T) => unknown,
): { [key: string]: unknown } {
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [key, change(value)]))
}
