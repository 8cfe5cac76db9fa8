/**
 * A simulated accelerator. The memory of its tensors is private: elements are read by an asynchronous read-back into
 * new memory, written by an upload, and computed with by a kernel.
 */

import { setImmediate } from 'node:timers/promises'
import { collectGarbage } from './garbage-collection.js'
import { sizeOf } from './variable.js'

export class Device {
  /** Number of read-backs so far. */
  readBacks = 0
  /** Number of uploads so far. */
  uploads = 0

  /** Copies device memory for the host. */
  async readBack(memory: Float32Array): Promise<Float32Array> {
    this.readBacks++
    await setImmediate()
    return memory.slice()
  }
}

/**
 * A device that counts how many bytes of read-backs are alive at once. This shows whether a reader holds more than one
 * tensor. It collects garbage at every read-back (tens of milliseconds). V8 may keep the last value of a loop's
 * variable until the next is assigned, so a reader that holds one tensor can count as two, but never as more.
 */
export class MeasuredDevice extends Device {
  /** The most bytes of read-backs that were alive at once, each counted until it is unreachable. */
  peakBytes = 0
  #readBacks: { readonly memory: WeakRef<ArrayBufferLike>; readonly byteLength: number }[] = []

  /** Bytes of read-backs that are still reachable. */
  async bytesAlive(): Promise<number> {
    await collectGarbage()
    this.#readBacks = this.#readBacks.filter(({ memory }) => memory.deref() !== undefined)
    return this.#readBacks.reduce((bytes, { byteLength }) => bytes + byteLength, 0)
  }

  override async readBack(memory: Float32Array): Promise<Float32Array> {
    const copy = await super.readBack(memory)
    // The buffer and not the array: a reader may keep a view of its own.
    this.#readBacks.push({ memory: new WeakRef(copy.buffer), byteLength: copy.byteLength })
    this.peakBytes = Math.max(this.peakBytes, await this.bytesAlive())
    return copy
  }
}

export class DeviceTensor {
  readonly device: Device
  readonly shape: readonly number[]
  readonly #memory: Float32Array

  /** A tensor of zeros. */
  constructor(device: Device, shape: readonly number[]) {
    this.device = device
    this.shape = shape
    this.#memory = new Float32Array(sizeOf(shape))
  }

  /** Runs a kernel over the memory of the tensors, in the order given. */
  static launch(
    tensors: readonly DeviceTensor[],
    kernel: (...memory: Float32Array[]) => void,
  ): void {
    kernel(...tensors.map((tensor) => tensor.#memory))
  }

  /** The elements, in memory that the caller owns. */
  read(): Promise<Float32Array> {
    return this.device.readBack(this.#memory)
  }

  /** Replaces all elements. Throws a RangeError if the number differs. */
  upload(elements: ArrayLike<number>): void {
    if (elements.length !== this.#memory.length) {
      throw new RangeError(
        `a tensor of shape [${this.shape}] cannot take ${elements.length} elements`,
      )
    }
    this.device.uploads++
    this.#memory.set(elements)
  }
}
