/**
 * What is where in a sound FlatBuffer: every offset, vtable, length, scalar and text, found by
 * walking it along the description of its schema. A mutator that knows these does not waste its time
 * on bytes that mean nothing.
 */

import type { ElementType, SchemaDescription } from '../../../src/format/description.js'

export type SiteKind =
  /** A uint32 that leads forward to something. */
  | 'offset'
  /** A table's int32 that leads back to its vtable. */
  | 'vtable offset'
  | 'vtable length'
  | 'table length'
  /** A uint16 in a vtable: where in its table a field is. */
  | 'vtable entry'
  | 'vector length'
  | 'scalar'
  /** The bytes of a string, without the zero that ends it; `size` is their number. */
  | 'text'
  /** The zero that ends a string. */
  | 'text end'
  /** The offset of a vector whose elements lie beyond the metadata. */
  | 'segment offset'

export interface Site {
  readonly kind: SiteKind
  /** Position, in bytes from the start of the buffer. */
  readonly at: number
  /** In bytes. */
  readonly size: number
  /** For an offset, what it leads to, as `Anatomy.places` calls it. */
  readonly target: string
}

export interface Anatomy {
  readonly sites: readonly Site[]
  /** Positions by what stands there: `table Tensor`, `vtable Tensor`, `string`, `vector uint64/8`. */
  readonly places: ReadonlyMap<string, readonly number[]>
}

/** Walks a buffer that the verifier has passed. A shared part is walked once. */
export function dissect(bytes: Uint8Array, schema: SchemaDescription): Anatomy {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const sites: Site[] = []
  const places = new Map<string, number[]>()
  const seen = new Set<string>()

  const site = (kind: SiteKind, at: number, size: number, target = ''): void => {
    sites.push({ kind, at, size, target })
  }
  /** Notes that `what` stands at `at`; false where that is known already. */
  const place = (what: string, at: number): boolean => {
    const key = `${what} ${at}`
    if (seen.has(key)) return false
    seen.add(key)
    const known = places.get(what)
    if (known === undefined) places.set(what, [at])
    else known.push(at)
    return true
  }

  const follow = (at: number, target: string): number => {
    site('offset', at, 4, target)
    return at + view.getUint32(at, true)
  }

  const table = (at: number, name: string): void => {
    if (!place(`table ${name}`, at)) return
    const vtable = at - view.getInt32(at, true)
    site('vtable offset', at, 4, `vtable ${name}`)
    const length = view.getUint16(vtable, true)
    if (place(`vtable ${name}`, vtable)) {
      site('vtable length', vtable, 2)
      site('table length', vtable + 2, 2)
      for (let slot = 4; slot < length; slot += 2) site('vtable entry', vtable + slot, 2)
    }
    const entry = (slot: number): number =>
      slot < length ? view.getUint16(vtable + slot, true) : 0
    for (const { slot, type } of schema.tables[name]!) {
      if (entry(slot) === 0) continue
      const where = at + entry(slot)
      switch (type.base) {
        case 'scalar':
          site('scalar', where, type.size)
          break
        case 'string':
        case 'table':
          element(type, follow(where, label(type)))
          break
        case 'vector': {
          if (type.segment) {
            site('segment offset', where, 4)
            break
          }
          vector(type.element, follow(where, `vector ${label(type.element)}`))
        }
      }
    }
  }

  const vector = (type: ElementType, at: number): void => {
    if (!place(`vector ${label(type)}`, at)) return
    site('vector length', at, 4)
    const length = view.getUint32(at, true)
    for (let i = 0; i < length; i++) {
      if (type.base === 'scalar') {
        site('scalar', at + 4 + i * type.size, type.size)
      } else {
        element(type, follow(at + 4 + 4 * i, label(type)))
      }
    }
  }

  /** What an offset has led to. */
  const element = (type: ElementType, at: number): void => {
    if (type.base === 'table') table(at, type.table)
    else if (type.base === 'string') {
      if (!place('string', at)) return
      site('vector length', at, 4)
      const length = view.getUint32(at, true)
      if (length > 0) site('text', at + 4, length)
      site('text end', at + 4 + length, 1)
    }
  }

  table(follow(0, `table ${schema.root}`), schema.root)
  return { sites, places }
}

function label(type: ElementType): string {
  switch (type.base) {
    case 'scalar':
      return `${type.scalar}/${type.size}`
    case 'string':
      return 'string'
    case 'table':
      return `table ${type.table}`
  }
}
