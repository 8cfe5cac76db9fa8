/** A file of tensors that make the programs of the viewer hard: names that no language takes as they are, and odd dtypes. */

import { join } from 'node:path'
import { saveCheckpoint } from '../../../src/index.js'
import type { TensorFacts } from '../../../viewer/src/compute/facts.js'

/** A tensor, and the numbers of which a program prints one: its elements, or what a view of its bytes has. */
export interface ShownTensor {
  readonly facts: TensorFacts
  readonly lengths: readonly number[]
}

// Quotes, escapes, what a language interpolates, a trigraph, what is invisible, and a character of four bytes.
const HOSTILE = `it's "x"\\u0041 \${y} $z #{w} %d ??/ ??' \n\t\u202e\u00e9\u{1f600}\u0007`

/** Saves the file into `folder`. The programs open it by its name. */
export async function shownTensors(
  folder: string,
): Promise<{ readonly file: string; readonly tensors: readonly ShownTensor[] }> {
  const file = `it's "$HOME" \\ é.ckpt`
  const model = {
    [HOSTILE]: { shape: [1307], data: new Float32Array(1307).fill(0.5) },
    counts: { shape: [1, 17], data: new BigInt64Array(17) },
    packed: { shape: [10], dtype: 'int4' as const, data: new Uint8Array(5) },
  }
  const moments = { m: { shape: [11, 3], dtype: 'complex64' as const, data: new Float32Array(66) } }
  const average = {
    [HOSTILE]: { shape: [23], dtype: 'bfloat16' as const, data: new Uint16Array(23) },
  }
  await saveCheckpoint(
    join(folder, file),
    { stateDict: () => model },
    { stateDict: () => moments },
    { extras: { [HOSTILE]: { stateDict: () => average } } },
  )
  const facts = { byteLength: 0, segment: null }
  return {
    file,
    tensors: [
      {
        facts: { ...facts, state: 'model', name: HOSTILE, dtype: 'float32', shape: [1307] },
        lengths: [1307],
      },
      {
        facts: { ...facts, state: 'model', name: 'counts', dtype: 'int64', shape: [1, 17] },
        lengths: [17],
      },
      {
        facts: { ...facts, state: 'model', name: 'packed', dtype: 'int4', shape: [10] },
        lengths: [10, 5],
      },
      {
        facts: { ...facts, state: 'optimizer', name: 'm', dtype: 'complex64', shape: [11, 3] },
        lengths: [11, 33, 66],
      },
      {
        facts: { ...facts, state: HOSTILE, name: HOSTILE, dtype: 'bfloat16', shape: [23] },
        lengths: [23],
      },
    ],
  }
}
