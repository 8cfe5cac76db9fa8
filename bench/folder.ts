/** The folder that everything is written to: on a disk, and empty before and after. */

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

/** What `statfs` calls file systems that are no disk: tmpfs and ramfs. */
const IN_MEMORY = [0x01021994, 0x858458f6]

/** Names that only the benchmark makes: nothing else is ever removed. */
const OWN = /^bench-/

/** Length of a read, and how much more memory is made sure of than is asked for, in bytes. */
const READ = 8 * 1024 * 1024
const SPARE = 256 * 1024 * 1024

export class BenchFolder implements Disposable {
  readonly path: string
  #files = 0

  /** Throws an Error for a folder in memory, where a save to "disk" would be none. */
  constructor(path: string) {
    mkdirSync(path, { recursive: true })
    this.path = realpathSync(path)
    if (IN_MEMORY.includes(statfsSync(this.path).type)) {
      throw new Error(`${path} is in memory and not on a disk: name another folder with --dir`)
    }
    this.clear()
  }

  /** A name that nobody had before. */
  file(ending = '.ckpt'): string {
    return join(this.path, `bench-${++this.#files}${ending}`)
  }

  /** Writes what a state is made of, for the contenders to read. */
  spec(spec: StateSpec): string {
    const path = this.file('.json')
    writeFileSync(path, JSON.stringify(spec))
    return path
  }

  remove(path: string): void {
    rmSync(path, { recursive: true, force: true })
  }

  /**
   * Waits until the disk is at rest, and makes sure that the next `byteLength` bytes of page cache are
   * memory that the machine has at hand. A virtual machine gives free memory back to its host, and the
   * first to write into it again pays for that, tenfold: whoever comes after somebody who used none,
   * and not by any fault of its own. (A file of holes is read, which needs no disk, and removed.)
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

  /** Removes everything of the benchmark's. */
  clear(): void {
    for (const name of readdirSync(this.path))
      if (OWN.test(name)) this.remove(join(this.path, name))
  }

  [Symbol.dispose](): void {
    if (existsSync(this.path)) this.clear()
  }
}
