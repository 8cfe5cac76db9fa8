/** The machine and the software that the figures were measured on. */

import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { availableParallelism, cpus, release, type as systemName, totalmem } from 'node:os'
import type { PythonPeers } from './python.js'

export interface Environment {
  readonly cpu: string
  readonly cores: number
  /** In GiB. */
  readonly memory: number
  readonly system: string
  readonly fileSystem: string
  readonly node: string
  readonly library: string
  readonly python: string
  readonly safetensors: string
  readonly torch: string
  readonly numpy: string
  /** Load average of the last minute before the run. Above 0.5 another program was at work. */
  readonly load: number | null
}

export function environment(folder: string, peers: PythonPeers): Environment {
  const manifest = readFileSync(new URL('../package.json', import.meta.url), 'utf8')
  const text = (found: PythonPeers['torch']) =>
    'version' in found ? found.version : `none: ${found.reason}`
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memory: Math.round(totalmem() / 2 ** 30),
    // Without the suffix of a distribution or a cloud.
    system: `${systemName()} ${release().replace(/-.*/, '')}`,
    fileSystem: fileSystemOf(folder),
    node: process.version,
    library: JSON.parse(manifest).version,
    python: peers.version || 'none',
    safetensors: text(peers.safetensors),
    torch: text(peers.torch),
    numpy: text(peers.numpy),
    load: loadAverage(),
  }
}

/** One line for people. */
export function environmentLine(e: Environment): string {
  const load = e.load === null ? '' : ` Load before the run: ${e.load}.`
  return (
    `${e.cpu}, ${e.cores} cores, ${e.memory} GiB; ${e.system}, ${e.fileSystem}; Node ${e.node}; ` +
    `Python ${e.python}, safetensors ${e.safetensors}, torch ${e.torch}, numpy ${e.numpy}.${load}`
  )
}

/** By the mount of the folder, because `stat` has one name for ext2, ext3 and ext4. */
function fileSystemOf(folder: string): string {
  const options = { encoding: 'utf8' } as const
  const { status, stdout } = spawnSync('findmnt', ['-n', '-o', 'FSTYPE', '-T', folder], options)
  return status === 0 ? stdout.trim() : 'unknown file system'
}

function loadAverage(): number | null {
  try {
    return Number(readFileSync('/proc/loadavg', 'utf8').split(' ')[0])
  } catch {
    return null
  }
}
