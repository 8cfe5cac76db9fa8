/**
 * The expected content of a golden file, as JSON that any language can read. Doubles are text, because JSON has no NaN,
 * and so are 64-bit integers. Maps are lists of pairs, which keep their order. Bytes are hexadecimal.
 */

import type { Attribute, Attributes } from '../../../src/format/attributes.js'
import type { Golden, GoldenState } from './v1.js'

export type JsonAttribute =
  | null
  | boolean
  | string
  | { readonly integer: number }
  | { readonly float64: string }
  | { readonly int64: string }
  | { readonly uint64: string }
  | { readonly list: readonly JsonAttribute[] }
  | { readonly map: readonly (readonly [key: string, value: JsonAttribute])[] }

export interface ExpectedTensor {
  readonly name: string
  readonly dtype: string
  readonly shape: readonly number[]
  readonly data: string
}

export interface ExpectedState {
  readonly name: string
  readonly kind: string | null
  readonly attributes: JsonAttribute
  readonly tensors: readonly ExpectedTensor[]
}

export interface Expected {
  readonly epoch: number
  readonly step: number
  readonly loss: string | null
  readonly metrics: readonly (readonly [name: string, value: string])[]
  readonly config: string | null
  readonly model: ExpectedState
  readonly optimizer: ExpectedState | null
  readonly extras: readonly ExpectedState[]
}

/** Enough digits to reproduce the same double. */
export function doubleText(value: number): string {
  return Object.is(value, -0) ? '-0' : String(value)
}

export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')
}

export function jsonAttribute(value: Attribute): JsonAttribute {
  switch (typeof value) {
    case 'number': {
      const integer = Number.isSafeInteger(value) && !Object.is(value, -0)
      return integer ? { integer: value } : { float64: doubleText(value) }
    }
    case 'bigint':
      return value < 2n ** 63n ? { int64: String(value) } : { uint64: String(value) }
    case 'object': {
      if (value === null) return null
      if (Array.isArray(value)) return { list: value.map(jsonAttribute) }
      const entries = Object.entries(value as Attributes)
      return { map: entries.map(([key, child]) => [key, jsonAttribute(child)]) }
    }
  }
  return value
}

export function expectedState({ name, kind, attributes, tensors }: GoldenState): ExpectedState {
  return {
    name,
    kind,
    attributes: jsonAttribute(attributes),
    tensors: tensors.map(({ name, dtype, shape, bytes }) => ({
      name,
      dtype,
      shape,
      data: hex(bytes),
    })),
  }
}

export function expected(golden: Golden): Expected {
  const { epoch, step, loss, metrics, config, model, optimizer, extras } = golden
  return {
    epoch,
    step,
    loss: loss === null ? null : doubleText(loss),
    metrics: metrics.map(([name, value]) => [name, doubleText(value)]),
    config,
    model: expectedState(model),
    optimizer: optimizer === null ? null : expectedState(optimizer),
    extras: extras.map(expectedState),
  }
}
