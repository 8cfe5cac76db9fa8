/**
 * A synthetic classification set: a mixture of Gaussians. Every class is several clusters in places of
 * their own, so that no linear classifier can separate the classes and a hidden layer is needed.
 */

import type { Rng } from './rng.js'
import { Variable } from './variable.js'

export interface Dataset {
  /** Number of samples. */
  readonly length: number
  /** Number of features a sample. */
  readonly width: number
  readonly classes: number
  /** [length, width], row-major. */
  readonly inputs: Float32Array
  /** The class of each sample. */
  readonly labels: Uint8Array
}

export interface MixtureOptions {
  readonly length: number
  readonly width: number
  /** At most 256. */
  readonly classes: number
  readonly clustersPerClass?: number
  /** Standard deviation of a cluster, where the centres are drawn from the standard normal. */
  readonly deviation?: number
}

/** Draws a data set. The classes alternate, so that every range of it is balanced. */
export function gaussianMixture(
  { length, width, classes, clustersPerClass = 3, deviation = 0.2 }: MixtureOptions,
  rng: Rng,
): Dataset {
  const clusters = classes * clustersPerClass
  const centres = Float32Array.from({ length: clusters * width }, () => rng.normal())
  const inputs = new Float32Array(length * width)
  const labels = new Uint8Array(length)
  for (let i = 0; i < length; i++) {
    // Clusters k, k + classes, k + 2 classes, … belong to class k.
    const cluster = i % clusters
    labels[i] = cluster % classes
    for (let j = 0; j < width; j++) {
      inputs[i * width + j] = centres[cluster * width + j]! + deviation * rng.normal()
    }
  }
  return { length, width, classes, inputs, labels }
}

/** The first `count` samples and the rest, over the same memory. */
export function split(data: Dataset, count: number): [first: Dataset, rest: Dataset] {
  const part = (start: number, end: number): Dataset => ({
    ...data,
    length: end - start,
    inputs: data.inputs.subarray(start * data.width, end * data.width),
    labels: data.labels.subarray(start, end),
  })
  return [part(0, count), part(count, data.length)]
}

/** The samples at the given indices, copied together. */
export function batchOf(
  { width, inputs, labels }: Dataset,
  indices: Uint32Array,
): { inputs: Variable; labels: Uint8Array } {
  const rows = new Float32Array(indices.length * width)
  for (const [row, index] of indices.entries()) {
    rows.set(inputs.subarray(index * width, (index + 1) * width), row * width)
  }
  return {
    inputs: new Variable([indices.length, width], rows),
    labels: Uint8Array.from(indices, (index) => labels[index]!),
  }
}
