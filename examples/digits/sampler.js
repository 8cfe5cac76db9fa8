/**
 * Chooses the next images: all of them in a random order, then all of them in another one. Exact resume needs the
 * position in that order. So the sampler has a state dict of its own, and is saved as an extra of the checkpoint.
 */
export class Sampler {
  #order
  #position
  #random

  /** @param {number} count of images  @param {number} seed an integer */
  constructor(count, seed) {
    this.#order = Uint32Array.from({ length: count }, (_, i) => i)
    this.#position = count
    this.#random = seed >>> 0
  }

  /** The numbers of the next images; fewer than `size` at the end of an epoch. */
  next(size) {
    if (this.#position >= this.#order.length) this.#shuffle()
    const batch = this.#order.slice(this.#position, this.#position + size)
    this.#position += batch.length
    return batch
  }

  /**
   * The state for a checkpoint. The order is a tensor in plain memory, so a restore copies it straight back into this
   * array.
   */
  stateDict() {
    return {
      kind: 'Sampler',
      tensors: { order: { shape: [this.#order.length], data: this.#order } },
      attributes: { position: this.#position, random: this.#random },
    }
  }

  loadAttributes({ position, random }) {
    this.#position = position
    this.#random = random
  }

  /** Fisher and Yates. */
  #shuffle() {
    const order = this.#order
    for (let i = order.length - 1; i > 0; i--) {
      const j = Math.floor(this.#nextRandom() * (i + 1))
      const other = order[j]
      order[j] = order[i]
      order[i] = other
    }
    this.#position = 0
  }

  /** From 0 to 1. Unlike Math.random, this generator (mulberry32) has a state that can be saved. */
  #nextRandom() {
    this.#random = (this.#random + 0x6d2b79f5) >>> 0
    let bits = this.#random
    bits = Math.imul(bits ^ (bits >>> 15), bits | 1)
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61)
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32
  }
}
