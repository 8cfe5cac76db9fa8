/** The folder that everything is written to: on a disk, and empty before and after. */

import { spawnSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  readdirSync,
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

  /** Removes everything of the benchmark's. */
  clear(): void {
    for (const name of readdirSync(this.path))
      if (OWN.test(name)) this.remove(join(this.path, name))
  }

  [Symbol.dispose](): void {
    if (existsSync(this.path)) this.clear()
  }
}

/** Waits until the system has written everything: nobody pays for what another one left behind. */
export function settle(): void {
  spawnSync('sync')
}
