/** Good files of safetensors and NumPy, from which the fuzzer makes bad ones. */

import { saveNpy, saveNpz } from '../../../src/exchange/numpy.js'
import { saveSafetensors } from '../../../src/exchange/safetensors.js'
import { MemorySink } from '../../../src/io/memory-sink.js'
import { loadCheckpoint } from '../../../src/load/load.js'
import type { TensorLike } from '../../../src/state.js'
import { inMemory } from '../saved.js'

const model: { readonly [name: string]: TensorLike } = {
  w: { shape: [3, 4], data: Float32Array.from({ length: 12 }, (_, i) => i) },
  half: { shape: [2, 2], dtype: 'bfloat16', data: Uint16Array.of(1, 2, 3, 4) },
  fours: { shape: [4], dtype: 'float4_e2m1fn', data: Uint8Array.of(0x12, 0x34) },
  none: { shape: [0, 5], data: new Int8Array(0) },
  scalar: { shape: [], data: BigInt64Array.of(-5n) },
}

async function written(write: (sink: MemorySink) => Promise<unknown>): Promise<Uint8Array> {
  const sink = new MemorySink()
  await write(sink)
  return sink.bytes
}

const run = await loadCheckpoint(
  await inMemory(
    {
      stateDict: () => ({
        tensors: model,
        attributes: { lr: 0.1, groups: [{ betas: [0.9, 0.999] }] },
      }),
    },
    { stateDict: () => ({ m: model.w! }) },
    { epoch: 1, step: 2, loss: Number.NaN, metrics: { accuracy: 0.5 } },
  ),
)

/** The header of a safetensors file with a description of a run, as text, and the bytes behind it. */
export const safetensorsSeed = await written((sink) => saveSafetensors(sink, run)).then((bytes) => {
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true))
  return {
    header: Buffer.from(bytes.subarray(8, 8 + length)).toString(),
    data: bytes.subarray(8 + length),
  }
})

/** A safetensors file of a header and the bytes behind it. */
export function safetensorsOf(header: string, data: Uint8Array): Uint8Array {
  const text = Buffer.from(header)
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(text.byteLength))
  return Buffer.concat([length, text, data])
}

export const npySeed = await written((sink) => saveNpy(sink, model.w!))
export const npzSeed = await written((sink) => saveNpz(sink, run))
