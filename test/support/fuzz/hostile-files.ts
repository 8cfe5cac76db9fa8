/** Mutated files of our format, most of them with lengths and checksums that fit. */

import type { Random } from '../random.js'
import { type Aim, Mutator, type Seed } from './mutator.js'
import {
  fixFileLength,
  fixMetadataChecksum,
  fixTensorChecksums,
  type TensorSites,
  tensorsOf,
} from './reseal.js'

/** What mutations of a file aim at, values more often than anything else: they get the furthest. */
export const AIMS: readonly Aim[] = ['all', 'structure', 'values', 'values']

export class HostileFiles {
  readonly #mutator: Mutator
  readonly #tensors: ReadonlyMap<Seed, readonly TensorSites[]>

  constructor(seeds: readonly Seed[]) {
    this.#mutator = new Mutator(seeds)
    this.#tensors = new Map(seeds.map((seed) => [seed, tensorsOf(seed)]))
  }

  get seed(): Seed {
    return this.#mutator.seed
  }

  /** Files whose metadata is sound, and says what the seed's did; the rest may be anything. */
  makeDamaged(random: Random): Uint8Array<ArrayBuffer> {
    const bytes = this.#mutator.copy(random)
    const { metadataLength } = this.seed
    for (let flips = random.below(3); flips > 0 && bytes.byteLength > metadataLength; flips--) {
      bytes[random.between(metadataLength, bytes.byteLength - 1)]! ^= 1 << random.below(8)
    }
    if (!random.oneIn(3)) {
      fixTensorChecksums(bytes, this.#tensors.get(this.seed)!)
      fixMetadataChecksum(bytes)
    }
    return bytes
  }

  make(random: Random, aims: readonly Aim[] = AIMS): Uint8Array<ArrayBuffer> {
    const bytes = this.#mutator.mutate(random, random.pick(aims), random.oneIn(2))
    const { metadataLength } = this.seed
    if (bytes.byteLength > metadataLength && random.oneIn(4)) {
      bytes[random.between(metadataLength, bytes.byteLength - 1)]! ^= 1 << random.below(8)
    }
    if (random.oneIn(2)) fixTensorChecksums(bytes, this.#tensors.get(this.seed)!)
    if (bytes.byteLength !== this.seed.bytes.byteLength && !random.oneIn(8)) fixFileLength(bytes)
    if (!random.oneIn(16)) fixMetadataChecksum(bytes)
    return bytes
  }
}
