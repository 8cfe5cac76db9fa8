/** The contenders of one measurement: how they start, and which are missing and why. */

import { Contender, nodeProgram, type Program, pythonProgram } from './contender.js'
import { cppProgram } from './cpp.js'
import type { BenchFolder } from './folder.js'
import type { Options } from './options.js'
import type { Package, PythonPeers } from './python.js'
import { type StateSpec, stateBytes } from './state.js'
import { shortReason, type Table } from './table.js'

/** The input of a measurement. */
export interface Bench {
  readonly options: Options
  readonly folder: BenchFolder
  readonly peers: PythonPeers
  /** Reports the progress. */
  readonly say: (line: string) => void
}

export const OURS = 'lightwatch-checkpoint'
export const OURS_IN_CPP = 'lightwatch-checkpoint for C++'

/** How a contender starts, or why it cannot, and the state that it must load. */
interface Entry {
  readonly program: (peers: PythonPeers) => Program | { readonly reason: string }
  readonly load: 'spec' | 'length'
}

function needing(
  file: string,
  packages: ('safetensors' | 'torch' | 'obstore')[],
  ...rest: string[]
): Entry {
  return {
    load: 'spec',
    program(peers) {
      for (const each of packages) {
        const found: Package = peers[each]
        if ('reason' in found) return { reason: found.reason }
      }
      return pythonProgram(peers.python!, file, ...rest)
    },
  }
}

export const ENTRIES = {
  ours: { load: 'spec', program: () => nodeProgram('ours.ts') },
  cpp: { load: 'spec', program: cppProgram },
  plain: { load: 'length', program: () => nodeProgram('plain.ts') },
  safetensors: needing('safetensors_peer.py', ['safetensors'], 'numpy'),
  safetensorsTorch: needing('safetensors_peer.py', ['safetensors', 'torch'], 'torch'),
  torchSave: needing('torch_save.py', ['torch']),
  torchDcp: needing('torch_dcp.py', ['torch']),
  bucket: { load: 'spec', program: () => nodeProgram('bucket.ts') },
  obstore: needing('obstore_peer.py', ['safetensors', 'obstore']),
  device: {
    load: 'length',
    program: ({ python }) =>
      python === undefined ? { reason: 'there is no Python' } : pythonProgram(python, 'device.py'),
  },
} satisfies Record<string, Entry>

export type ContenderId = keyof typeof ENTRIES

const LABELS: Record<ContenderId, string> = {
  ours: OURS,
  cpp: OURS_IN_CPP,
  plain: 'fs.writeFile',
  safetensors: 'safetensors (numpy)',
  safetensorsTorch: 'safetensors (torch)',
  torchSave: 'torch.save',
  torchDcp: 'torch.distributed.checkpoint',
  bucket: OURS,
  obstore: 'safetensors and obstore',
  device: 'raw device',
}

/** Contenders with a state in memory. Dispose of them, or their processes stay. */
export class Field implements AsyncDisposable {
  readonly #started = new Map<ContenderId, Contender>()
  readonly missing: Table['missing'][number][] = []

  /** Starts all contenders that can start, and has each load the state. */
  static async start(bench: Bench, ids: readonly ContenderId[], spec: StateSpec): Promise<Field> {
    const field = new Field()
    const path = bench.folder.spec(spec)
    const length = stateBytes(spec)
    for (const id of ids) {
      const isOwn = id === 'ours' || id === 'bucket'
      if (!isOwn && bench.options.oursAlone) continue
      const entry: Entry = ENTRIES[id]
      const program = entry.program(bench.peers)
      if ('reason' in program) {
        field.missing.push({ name: LABELS[id], reason: program.reason })
        continue
      }
      const contender = new Contender(LABELS[id], program)
      try {
        await contender.call('load', entry.load === 'spec' ? { spec: path } : { length })
        field.#started.set(id, contender)
      } catch (error) {
        await contender[Symbol.asyncDispose]()
        // Without this library there is nothing to measure.
        if (isOwn) throw error
        field.leaveOut(LABELS[id], error)
      }
    }
    return field
  }

  get(id: ContenderId): Contender | undefined {
    return this.#started.get(id)
  }

  /** This library's contender. */
  get ours(): Contender {
    return this.#started.get('ours')!
  }

  leaveOut(name: string, reason: unknown): void {
    const text = reason instanceof Error ? reason.message : String(reason)
    this.missing.push({ name, reason: shortReason(text) })
  }

  leaveOutAll(failed: ReadonlyMap<string, string>): void {
    for (const [name, reason] of failed) this.leaveOut(name, reason)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const contender of this.#started.values()) await contender[Symbol.asyncDispose]()
    this.#started.clear()
  }
}
