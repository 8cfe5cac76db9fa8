/** A process that saves one step after another until it is killed. */

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Durability } from '../../../src/io/sink.js'
import { undoAtExit } from './clean-up.js'
import { compiled } from './library.js'
import type { Mutant } from './mutants.js'

export interface SaveForever {
  readonly path: string
  readonly saver: number
  /** The step of the first save. */
  readonly first: number
  /** After this number of steps it starts again with the first one. */
  readonly period?: number
  readonly mutant?: Mutant
}

/** The result of a save: `durability` if it resolved, `message` if it rejected. */
export interface Saved {
  readonly step: number
  readonly durability?: Durability
  readonly message?: string
}

export class RestlessSaver {
  /** The results of its saves so far. After `kill`, all results that it ever printed. */
  readonly saves: Saved[] = []
  readonly #process: ChildProcess
  readonly #ended: Promise<unknown>
  #saved: (() => void)[] = []

  private constructor(child: ChildProcess) {
    this.#process = child
    const stop = undoAtExit(() => child.kill('SIGKILL'))
    const lines = createInterface(child.stdout!)
    lines.on('line', (line) => {
      // The last one may be truncated if the process was killed.
      if (!line.endsWith('}')) return
      this.saves.push(JSON.parse(line))
      for (const resolve of this.#saved.splice(0)) resolve()
    })
    this.#ended = Promise.all([once(child, 'close'), once(lines, 'close')]).then(() => {
      stop()
      for (const resolve of this.#saved.splice(0)) resolve()
    })
  }

  static async start(job: SaveForever): Promise<RestlessSaver> {
    const child = spawn(process.execPath, [await compiled('save-forever'), JSON.stringify(job)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    return new RestlessSaver(child)
  }

  /** Resolves when it has printed another save, or ended. */
  saved(): Promise<void> {
    return new Promise((resolve) => this.#saved.push(resolve))
  }

  /** Kills it, and resolves when it has ended and all of its output has arrived. */
  async kill(): Promise<void> {
    this.#process.kill('SIGKILL')
    await this.#ended
  }

  /** Saves that have failed. */
  get failures(): string[] {
    return this.saves.flatMap(({ step, message }) =>
      message === undefined ? [] : [`the save of step ${step} failed: ${message}`],
    )
  }
}
