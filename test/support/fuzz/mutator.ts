/**
 * Makes broken FlatBuffers of sound ones. It knows where offsets, vtables, lengths, scalars and texts
 * are, and does to each what an attacker would: retargets, removes, overlaps, overflows, cuts off. One
 * in four changes is a blind one (bits, bytes, pieces of other buffers), since what nobody has thought
 * of is not in the list.
 */

import type { SchemaDescription } from '../../../src/format/description.js'
import type { Random } from '../random.js'
import { type Anatomy, dissect, type Site, type SiteKind } from './anatomy.js'

export interface Seed {
  readonly name: string
  readonly bytes: Uint8Array
  /** Length of the FlatBuffer at the start of `bytes`; what follows are segments. */
  readonly metadataLength: number
  readonly anatomy: Anatomy
}

/** A sound buffer to start from. */
export function seedOf(
  name: string,
  bytes: Uint8Array,
  schema: SchemaDescription,
  metadataLength = bytes.byteLength,
): Seed {
  const anatomy = dissect(bytes.subarray(0, metadataLength), schema)
  return { name, bytes, metadataLength, anatomy }
}

/** What kinds of places a mutation may change. */
export type Aim =
  /** Anything. */
  | 'all'
  /** What a FlatBuffer is made of: offsets, vtables, lengths. */
  | 'structure'
  /** What it says: scalars, texts, and offsets that lead to the same kind of thing. */
  | 'values'

const STRUCTURE: ReadonlySet<SiteKind> = new Set([
  'offset',
  'vtable offset',
  'vtable length',
  'table length',
  'vtable entry',
  'vector length',
  'text end',
])
const VALUES: ReadonlySet<SiteKind> = new Set(['scalar', 'text', 'segment offset'])

// Room behind a seed for a mutation that makes it longer.
const ROOM = 256

export class Mutator {
  readonly #seeds: readonly Seed[]
  readonly #sites: ReadonlyMap<Seed, Readonly<Record<Aim, readonly Site[]>>>
  readonly #buffer: Uint8Array<ArrayBuffer>
  readonly #view: DataView
  // Of the mutation at work.
  #random!: Random
  #seed!: Seed
  #length = 0

  constructor(seeds: readonly Seed[]) {
    this.#seeds = seeds
    const longest = Math.max(...seeds.map(({ bytes }) => bytes.byteLength))
    this.#buffer = new Uint8Array(longest + ROOM)
    this.#view = new DataView(this.#buffer.buffer)
    this.#sites = new Map(
      seeds.map((seed) => {
        const { sites } = seed.anatomy
        const only = (kinds: ReadonlySet<SiteKind>) => sites.filter(({ kind }) => kinds.has(kind))
        return [seed, { all: sites, structure: only(STRUCTURE), values: only(VALUES) }]
      }),
    )
  }

  /** The seed of the last mutation. */
  get seed(): Seed {
    return this.#seed
  }

  /**
   * A mutated seed: a view of memory that the next call overwrites. `stay`: the length stays as it
   * is, and so does everything behind the metadata.
   */
  mutate(random: Random, aim: Aim = 'all', stay = false): Uint8Array<ArrayBuffer> {
    const seed = random.pick(this.#seeds)
    this.#random = random
    this.#seed = seed
    this.#length = seed.bytes.byteLength
    this.#buffer.set(seed.bytes)
    // One change more often than two, two more often than three.
    let changes = 1
    while (changes < 8 && random.oneIn(3)) changes++
    const sites = this.#sites.get(seed)![aim]
    for (let i = 0; i < changes; i++) {
      if (aim !== 'values' && random.oneIn(4)) this.#blind(stay)
      else if (sites.length > 0) this.#change(random.pick(sites), aim)
    }
    return this.#buffer.subarray(0, this.#length)
  }

  /** A seed as it is: a view of memory that the next call overwrites. */
  copy(random: Random): Uint8Array<ArrayBuffer> {
    this.#seed = random.pick(this.#seeds)
    this.#buffer.set(this.#seed.bytes)
    return this.#buffer.subarray(0, this.#seed.bytes.byteLength)
  }

  #change(site: Site, aim: Aim): void {
    const random = this.#random
    const { at } = site
    // A change before this one may have cut it off.
    if (at + Math.min(site.size, 8) > this.#length) return
    switch (site.kind) {
      case 'offset':
        this.#view.setUint32(at, this.#offset(site, aim), true)
        return
      case 'segment offset':
      case 'vector length':
        this.#setNumber(at, 4, this.#number(at, 4))
        return
      case 'vtable offset':
        this.#view.setInt32(at, this.#vtableOffset(site), true)
        return
      case 'vtable length':
      case 'table length':
      case 'vtable entry':
        this.#view.setUint16(at, this.#uint16(site), true)
        return
      case 'text end':
        this.#buffer[at] = random.below(256)
        return
      case 'text':
        this.#text(site)
        return
      case 'scalar':
        if (site.size <= 8 && (site.size & (site.size - 1)) === 0) {
          this.#setNumber(at, site.size, this.#number(at, site.size))
        } else this.#buffer[at + random.below(site.size)] = random.below(256)
    }
  }

  #offset({ at, target }: Site, aim: Aim): number {
    const random = this.#random
    const { places } = this.#seed.anatomy
    const to = (position: number): number => (position - at) >>> 0
    // To something of the same kind: a shared part, a circle, or another one's place.
    if (aim === 'values' || random.oneIn(3)) return to(random.pick(places.get(target) ?? [at]))
    switch (random.below(7)) {
      case 0:
        return to(random.pick(places.get(random.pick([...places.keys()]))!))
      case 1:
        return to(4 * random.below(this.#length >> 2))
      case 2:
        return to(random.below(this.#length))
      case 3:
        return to(this.#length - random.below(12))
      case 4:
        return random.pick(OFFSETS)
      default:
        return (this.#view.getUint32(at, true) + random.pick(STEPS)) >>> 0
    }
  }

  #vtableOffset({ at, target }: Site): number {
    const random = this.#random
    const { places } = this.#seed.anatomy
    switch (random.below(6)) {
      case 0:
        return at - random.pick(places.get(target) ?? [at])
      case 1: {
        const vtables = [...places.keys()].filter((what) => what.startsWith('vtable'))
        return at - random.pick(places.get(random.pick(vtables))!)
      }
      case 2:
        return at - 2 * random.below(this.#length >> 1)
      case 3:
        return at - (this.#length - random.below(8))
      case 4:
        return random.pick(OFFSETS) | 0
      default:
        return (this.#view.getInt32(at, true) + random.pick(STEPS)) | 0
    }
  }

  #uint16({ kind, at }: Site): number {
    const random = this.#random
    const now = this.#view.getUint16(at, true)
    // A field that is not there, or where another one is.
    if (kind === 'vtable entry' && random.oneIn(3)) return 0
    switch (random.below(4)) {
      case 0:
        return this.#view.getUint16(
          Math.min(Math.max(0, at + 2 * random.between(-3, 3)), this.#length - 2),
          true,
        )
      case 1:
        return random.pick(UINT16)
      case 2:
        return random.below(80)
      default:
        return (now + random.pick(STEPS)) & 0xffff
    }
  }

  /** A number to put in the place of the one at `at`. */
  #number(at: number, size: number): bigint {
    const random = this.#random
    const now = this.#get(at, size)
    switch (random.below(6)) {
      case 0:
        return random.pick(NUMBERS)
      case 1:
        return BigInt(random.below(16))
      case 2:
        return now + BigInt(random.pick(STEPS))
      case 3:
        return now ^ (1n << BigInt(random.below(8 * size)))
      case 4: {
        // What stands somewhere else: another tensor's offset, length or checksum.
        const scalars = this.#sites.get(this.#seed)!.values
        const other = random.pick(scalars)
        return other.size === size && other.at + size <= this.#length
          ? this.#get(other.at, size)
          : BigInt(random.below(this.#length))
      }
      default:
        return (BigInt(random.uint32()) << 32n) | BigInt(random.uint32())
    }
  }

  #get(at: number, size: number): bigint {
    if (size === 8) return this.#view.getBigUint64(at, true)
    if (size === 4) return BigInt(this.#view.getUint32(at, true))
    return BigInt(size === 2 ? this.#view.getUint16(at, true) : this.#view.getUint8(at))
  }

  #setNumber(at: number, size: number, value: bigint): void {
    if (size === 8) this.#view.setBigUint64(at, BigInt.asUintN(64, value), true)
    else if (size === 4) this.#view.setUint32(at, Number(BigInt.asUintN(32, value)), true)
    else if (size === 2) this.#view.setUint16(at, Number(BigInt.asUintN(16, value)), true)
    else this.#view.setUint8(at, Number(BigInt.asUintN(8, value)))
  }

  #text({ at, size }: Site): void {
    const random = this.#random
    const texts = random.pick([0, 1, 2, 3])
    if (texts === 0) {
      const bytes = random.pick(TEXTS)
      if (bytes.length <= size) {
        this.#buffer.set(bytes, at + random.below(size - bytes.length + 1))
        return
      }
    }
    if (texts === 1) {
      // The same text as another one, where they are of one length.
      const others = this.#sites
        .get(this.#seed)!
        .values.filter((other) => other.kind === 'text' && other.size === size)
      const other = random.pick(others)
      this.#buffer.copyWithin(at, other.at, Math.min(other.at + size, this.#length))
      return
    }
    this.#buffer[at + random.below(size)] = random.below(256)
  }

  #blind(stay: boolean): void {
    const random = this.#random
    const { metadataLength } = this.#seed
    const limit = stay ? metadataLength : this.#length
    const at = random.below(limit)
    const length = Math.min(random.between(1, 24), limit - at)
    switch (random.below(stay ? 7 : 9)) {
      case 0:
        this.#buffer[at]! ^= 1 << random.below(8)
        return
      case 1:
        this.#buffer[at] = random.below(256)
        return
      case 2:
        this.#buffer[at]! += random.pick(STEPS)
        return
      case 3:
        this.#buffer.fill(random.pick([0, 0, 0xff]), at, at + length)
        return
      case 4: {
        // A piece of itself.
        const from = random.below(limit - length + 1)
        this.#buffer.copyWithin(at, from, from + length)
        return
      }
      case 5: {
        // A piece of another one.
        const { bytes } = random.pick(this.#seeds)
        const from = random.below(bytes.byteLength)
        this.#buffer.set(bytes.subarray(from, Math.min(from + length, bytes.byteLength)), at)
        return
      }
      case 6: {
        // Everything from here to there one step further, the last going round to the first place.
        const step = Math.min(random.pick([1, 2, 4, 8]), length)
        this.#buffer.copyWithin(at + step, at, at + length - step)
        return
      }
      case 7:
        this.#length = random.oneIn(2) ? at : Math.max(0, this.#length - random.between(1, 16))
        // What a later change looks at has to be there.
        this.#length = Math.max(this.#length, 12)
        return
      default: {
        const more = Math.min(random.between(1, 64), this.#buffer.byteLength - this.#length)
        this.#buffer.fill(random.pick([0, 0xff]), this.#length, this.#length + more)
        this.#length += more
      }
    }
  }
}

const STEPS = [-64, -8, -4, -2, -1, 1, 2, 4, 8, 64] as const

const OFFSETS = [0, 1, 2, 4, 8, 0x7ffffffc, 0x7fffffff, 0x80000000, 0xfffffffc, 0xffffffff] as const

const UINT16 = [0, 1, 2, 3, 4, 5, 6, 8, 0x7ffe, 0x7fff, 0x8000, 0xfffc, 0xfffe, 0xffff] as const

// Where a sign, a product, a double or a 32-bit length ends.
const NUMBERS: readonly bigint[] = [
  0n,
  1n,
  2n,
  63n,
  64n,
  65n,
  255n,
  2n ** 16n,
  2n ** 28n,
  2n ** 29n - 1n,
  2n ** 29n,
  2n ** 30n,
  2n ** 31n - 2n,
  2n ** 31n - 1n,
  2n ** 31n,
  2n ** 32n - 1n,
  2n ** 32n,
  2n ** 33n,
  2n ** 53n - 1n,
  2n ** 53n,
  2n ** 53n + 1n,
  2n ** 60n,
  2n ** 63n - 1n,
  2n ** 63n,
  2n ** 64n - 64n,
  2n ** 64n - 1n,
]

// Not UTF-8 (overlong, a surrogate, cut off, beyond the last), a mark, a direction, an escape, a key.
const TEXTS: readonly Uint8Array[] = [
  [0],
  [0xff],
  [0x80],
  [0xc0, 0x80],
  [0xe0, 0x80, 0xaf],
  [0xed, 0xa0, 0x80],
  [0xf4, 0x90, 0x80, 0x80],
  [0xf0, 0x9f],
  [0xef, 0xbb, 0xbf],
  [0xe2, 0x80, 0xae],
  [0x1b, 0x5b, 0x32, 0x4a],
  [0x0a],
  [0x7f],
  [0xc2, 0x9b],
  [...new TextEncoder().encode('__proto__')],
  [...new TextEncoder().encode('{"a":')],
].map((bytes) => Uint8Array.from(bytes))
