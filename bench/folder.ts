/** The folder of all files: on a disk, and empty before and after. */

import { spawnSync } from 'node:child_process'
import {
  closeSync,
  existsSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  realpathSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import type { StateSpec } from './state.js'

/** The `statfs` names of file systems without a disk: tmpfs and ramfs. */
const IN_MEMORY = [0x01021994, 0x858458f6]

/** Names that only the benchmark uses. Nothing else is ever removed. */
const OWN = /^bench-/

/** Bytes of a read, and the extra memory that is secured. */
const READ = 8 * 1024 * 1024
const SPARE = 256 * 1024 * 1024

export class BenchFolder implements Disposable {
  readonly path: string
  #files = 0

  /** Throws an Error for a folder in memory, where a save would reach no disk. */
  constructor(path: string) {
    mkdirSync(path, { recursive: true })
    this.path = realpathSync(path)
    if (IN_MEMORY.includes(statfsSync(this.path).type)) {
      throw new Error(`${path} is in memory and not on a disk: name another folder with --dir`)
    }
    this.clear()
  }

  /** A name that was not used before. */
  file(ending = '.ckpt'): string {
    return join(this.path, `bench-${++this.#files}${ending}`)
  }

  /** Writes the description of a state, which the contenders read. */
  spec(spec: StateSpec): string {
    const path = this.file('.json')
    writeFileSync(path, JSON.stringify(spec))
    return path
  }

  remove(path: string): void {
    rmSync(path, { recursive: true, force: true })
  }

  /**
   * Waits until the disk is idle, and ensures that the machine has memory for the next `byteLength` bytes of page
   * cache. A virtual machine returns free memory to its host. The first write into it later costs ten times as much,
   * through no fault of the contender that follows one without page cache. (Reads a file of holes, which needs no disk,
   * and removes it.)
   */
  settle(byteLength = 0): void {
    spawnSync('sync')
    if (byteLength === 0) return
    const path = this.file('.holes')
    const buffer = new Uint8Array(READ)
    const file = openSync(path, 'wx+')
    try {
      ftruncateSync(file, byteLength + SPARE)
      while (readSync(file, buffer) > 0);
    } finally {
      closeSync(file)
      this.remove(path)
    }
  }

  /** Removes all files of the benchmark. */
  clear(): void {
    for (const name of readdirSync(this.path))
      if (OWN.test(name)) this.remove(join(this.path, name))
  }

  [Symbol.dispose](): void {
    if (existsSync(this.path)) this.clear()
  }
}
