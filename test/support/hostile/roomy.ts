/**
 * A sound file with room in its metadata, where a test can put a vtable, a vector or a string of its
 * own and lead an offset there.
 */

import { MemorySink, saveCheckpoint } from '../../../src/index.js'
import { Patch, type TablePatch } from '../format/patch.js'
import { memoryState } from '../memory-state.js'

// The builder puts what it is given first last: an offset from anywhere can lead to this name.
const NAME = 'room'
const ROOM = 1024

const sink = new MemorySink()
await saveCheckpoint(
  sink,
  memoryState(
    {
      [NAME.padEnd(ROOM, '.')]: { shape: [0], data: new Uint8Array(0) },
      weight: { shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) },
      shadow: { shape: [6], data: Float32Array.of(6, 5, 4, 3, 2, 1) },
    },
    { flag: true, rate: 0.5, text: 'text', list: [1, 2], map: { key: null } },
    'Net',
  ),
)
const file = sink.bytes

export class Roomy extends Patch {
  /** The first byte of the room: a multiple of 64. */
  readonly room: number

  constructor() {
    super(file)
    const tensor = this.tensor(-1)
    const name = tensor.target('name') + 4
    tensor.shorten('name', NAME.length)
    this.bytes.fill(0, name + NAME.length, name + ROOM)
    this.room = Math.ceil((name + NAME.length + 1) / 64) * 64
  }

  get model(): TablePatch {
    return this.root.table('model')
  }

  /** `weight`, or with 1 `shadow`; the one whose name has the room comes before them. */
  tensor(index = 0): TablePatch {
    return this.model.tables('tensors')[index + 1]!
  }

  /** The value of an attribute. */
  attribute(key: 'flag' | 'rate' | 'text' | 'list' | 'map'): TablePatch {
    const keys = ['flag', 'rate', 'text', 'list', 'map']
    return this.model.tables('attributes')[keys.indexOf(key)]!.table('value')
  }

  /** Leads the offset of a field to `target`. */
  lead(table: TablePatch, field: string, target: number): void {
    const at = table.position(field)
    this.view.setUint32(at, target - at, true)
  }

  /** Gives a table a vtable of its own in the room, with these entries changed, by field. */
  ownVtable(table: TablePatch, entries: { readonly [field: string]: number } = {}): number {
    const length = this.view.getUint16(table.vtable, true)
    const at = this.room
    this.bytes.copyWithin(at, table.vtable, table.vtable + length)
    for (const [field, entry] of Object.entries(entries)) {
      this.view.setUint16(at + table.field(field).slot, entry, true)
    }
    this.view.setInt32(table.at, table.at - at, true)
    return at
  }
}

/** A roomy file with one change, its checksum made to fit. */
export function roomy(change: (patch: Roomy) => void): () => Uint8Array {
  return () => {
    const patch = new Roomy()
    change(patch)
    return patch.seal()
  }
}

/** The file as it is. */
export const roomyFile: Uint8Array = file
