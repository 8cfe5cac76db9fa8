/**
 * Small files that stand for something enormous: shared tables and strings, depths, counts. Each is a
 * sound FlatBuffer as far as other verifiers look, or nearly.
 */

import { type Fixture, refusedWith } from './fixture.js'
import {
  type Builder,
  entry,
  forge,
  forgeAttributes,
  listValue,
  nullValue,
  type Offset,
  state,
  tensor,
  textValue,
} from './forge.js'

const MIB = 2 ** 20

/** Lists of twice the one before, which is shared: 2^levels values in all. */
function doubling(levels: number): () => Uint8Array {
  return () =>
    forgeAttributes((b) => {
      let value = nullValue(b)
      for (let i = 0; i < levels; i++) value = listValue(b, [value, value])
      return [entry(b, 'bomb', value)]
    })
}

/** Lists in lists, one item each. */
function chain(depth: number): () => Uint8Array {
  return () =>
    forgeAttributes((b) => {
      let value = nullValue(b)
      for (let i = 0; i < depth; i++) value = listValue(b, [value])
      return [entry(b, 'chain', value)]
    })
}

function times(count: number, offset: Offset): Offset[] {
  return new Array<Offset>(count).fill(offset)
}

const emptyTensor = (b: Builder): Offset =>
  tensor(b, { name: 'w', dtype: 20, shape: [0], offset: 64, byteLength: 0 })

export const bombs: readonly Fixture[] = [
  ...refusedWith('CKPT_FLATBUFFER', 'flatbuffer.budget', {
    '2^28 values in a kilobyte': doubling(28),
    '2^55 values in two kilobytes': doubling(55),
    '900,000 tensors that are one': () =>
      forge((b) => ({ model: state(b, 'model', times(900_000, emptyTensor(b))) })),
    '900,000 values that are one': () =>
      forgeAttributes((b) => [entry(b, 'list', listValue(b, times(900_000, nullValue(b))))]),
    '900,000 entries that are one': () =>
      forgeAttributes((b) => times(900_000, entry(b, 'key', nullValue(b)))),
    '900,000 extras that are one': () =>
      forge((b) => ({
        model: state(b, 'model', []),
        extras: times(900_000, state(b, 'extra', [])),
      })),
    '200,000 values that are one text of a mebibyte': () =>
      forgeAttributes((b) => {
        const text = textValue(b, b.createString('x'.repeat(MIB)))
        return [entry(b, 'list', listValue(b, times(200_000, text)))]
      }),
    '200,000 texts over one string of a mebibyte': () =>
      forgeAttributes((b) => {
        const string = b.createString('x'.repeat(MIB))
        const texts = Array.from({ length: 200_000 }, () => textValue(b, string))
        return [entry(b, 'list', listValue(b, texts))]
      }),
    '50 strings that lie in each other': () =>
      forgeAttributes((b) => {
        // Fifty texts over the same megabyte: a fiftieth of the blow-up is within the budget.
        const string = b.createString('x'.repeat(MIB))
        return Array.from({ length: 50 }, (_, i) => entry(b, `${i}`, textValue(b, string)))
      }),
  }),
  ...refusedWith('CKPT_FLATBUFFER', 'flatbuffer.depth', {
    'lists nested 62 deep': chain(62),
    'lists nested 100,000 deep': chain(100_000),
  }),
]
