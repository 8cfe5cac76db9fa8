/** What the viewer is measured on: a long file, one of many tensors, one to compute with, and a run. */

import { mkdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { SparseFile } from '../scripts/sparse-file.js'
import { importLibrary } from './library.js'
import { elements, type StateSize, stateBytes, transformerState } from './state.js'

/** A file or folder, and the length of its files in bytes. */
export interface Viewed {
  readonly path: string
  readonly files: readonly { readonly path: string; readonly byteLength: number }[]
}

const LARGE_TENSORS = 200
export const MANY = 100_000
const LAYERS = 12
const WIDTH = 128

/** A file of 10 GB (size small: 1 GB) of zeros, which takes no room on the disk. */
export async function makeLarge(path: string, size: StateSize): Promise<Viewed> {
  const { saveCheckpoint } = await importLibrary()
  const length = (size === 'gpt2' ? 10e9 : 1e9) / (4 * 2 * LARGE_TENSORS)
  // Each tensor begins at another number: tensors over the same memory are saved once.
  const memory = new Float32Array(length + 2 * LARGE_TENSORS)
  const named = (prefix: string, from = 0) =>
    Object.fromEntries(
      Array.from({ length: LARGE_TENSORS }, (_, i) => [
        `${prefix}layers.${i}.weight`,
        { shape: [1000, length / 1000], data: memory.subarray(from + i, from + i + length) },
      ]),
    )
  await saveCheckpoint(
    new SparseFile(path),
    { stateDict: () => named('') },
    { stateDict: () => ({ tensors: named('exp_avg/', LARGE_TENSORS) }) },
    { step: 1000, loss: 2.5 },
  )
  return viewed(path, [path])
}

/** A file of 100,000 tensors of four elements. */
export async function makeMany(path: string): Promise<Viewed> {
  const { saveCheckpoint } = await importLibrary()
  const tensors = Object.fromEntries(
    Array.from({ length: MANY }, (_, i) => [
      `layers.${i >> 4}.part.${i & 15}`,
      { shape: [4], data: noise(i, 4) },
    ]),
  )
  await saveCheckpoint(path, { stateDict: () => tensors }, null, { durable: false })
  return viewed(path, [path])
}

/** GPT-2 small with AdamW, 1.49 GB (size small: 20 MB), of numbers like those of a trained model. */
export async function makeFull(path: string, size: StateSize): Promise<Viewed> {
  const { saveCheckpoint } = await importLibrary()
  const spec = transformerState(size)
  const of = (wanted: string) =>
    Object.fromEntries(
      spec
        .map((tensor, i) => [tensor, i] as const)
        .filter(([{ state }]) => state === wanted)
        .map(([{ name, shape }, i]) => [name, { shape, data: noise(i, elements(shape)) }]),
    )
  await saveCheckpoint(
    path,
    { stateDict: () => of('model') },
    { stateDict: () => ({ tensors: of('optimizer') }) },
    { durable: false },
  )
  return viewed(path, [path])
}

/** A run of so many checkpoints of 5 MB. All layers move but for the first, which is frozen. */
export async function makeRun(folder: string, count: number): Promise<Viewed> {
  const { saveCheckpoint } = await importLibrary()
  mkdirSync(folder)
  const shapes: [name: string, shape: number[]][] = [
    ['embed.weight', [1024, WIDTH]],
    ...Array.from({ length: LAYERS }, (_, i): [string, number[]][] => [
      [`blocks.${i}.in.weight`, [2 * WIDTH, WIDTH]],
      [`blocks.${i}.in.bias`, [2 * WIDTH]],
      [`blocks.${i}.out.weight`, [WIDTH, 2 * WIDTH]],
      [`blocks.${i}.out.bias`, [WIDTH]],
    ]).flat(),
    ['head.weight', [2600, WIDTH]],
  ]
  const paths: string[] = []
  for (let step = 1; step <= count; step++) {
    const tensors = Object.fromEntries(
      shapes.map(([name, shape], i) => [
        name,
        { shape, data: noise(i === 0 ? 0 : 64 * step + i, elements(shape)) },
      ]),
    )
    const path = join(folder, `step-${step}.ckpt`)
    const progress = { step, loss: 1 / step, durable: false }
    await saveCheckpoint(path, { stateDict: () => tensors }, null, progress)
    paths.push(path)
  }
  return viewed(folder, paths)
}

function viewed(path: string, files: readonly string[]): Viewed {
  return { path, files: files.map((each) => ({ path: each, byteLength: statSync(each).size })) }
}

/** The length of what `makeFull` writes, in bytes of tensors. */
export function fullBytes(size: StateSize): number {
  return stateBytes(transformerState(size))
}

// Random numbers of mean 0, from which each tensor takes others.
const NOISE = 4 * 1024 * 1024
let drawn: Float32Array | undefined

/** `length` numbers of mean 0 and deviation 0.04, which differ from those of another `seed`. */
function noise(seed: number, length: number): Float32Array {
  drawn ??= Float32Array.from({ length: NOISE }, (_, k) => {
    // Three uniform numbers add up to nearly a bell.
    const bits = (salt: number) => Math.imul(k + 1, salt) >>> 8
    const sum = bits(2654435761) + bits(2246822519) + bits(3266489917)
    return (sum / 2 ** 24 - 1.5) * 0.08
  })
  const values = new Float32Array(length)
  let from = (seed * 7919) % (NOISE / 2)
  for (let at = 0; at < length; from = 0) {
    const part = drawn.subarray(from, from + Math.min(NOISE - from, length - at))
    values.set(part, at)
    at += part.length
  }
  if (length > 0) values[0] = seed / 1e6
  return values
}
