/** A reporter in a process of its own, asked for one report after the other. */

import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { createInterface, type Interface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import type { Report } from './report.js'

/** How a reporter is started. */
export interface Command {
  readonly program: string
  readonly args: readonly string[]
  /** Variables of the environment beside those of this process. */
  readonly environment?: Readonly<Record<string, string>>
}

// What a reporter that has failed wrote to standard error, at most, in characters.
const LONGEST_COMPLAINT = 4000

export class Reporter {
  readonly #process: ChildProcessByStdio<Writable, Readable, Readable>
  readonly #lines: Interface
  readonly #waiting: { resolve(line: string): void; reject(error: Error): void }[] = []
  #complaint = ''
  #ended: Error | undefined

  constructor({ program, args, environment }: Command) {
    this.#process = spawn(program, [...args], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, ...environment },
    })
    this.#process.stderr.setEncoding('utf8')
    this.#process.stderr.on('data', (text: string) => {
      this.#complaint = (this.#complaint + text).slice(-LONGEST_COMPLAINT)
    })
    this.#lines = createInterface({ input: this.#process.stdout })
    this.#lines.on('line', (line) => this.#waiting.shift()?.resolve(line))
    // A reporter that has ended takes no more paths; that is told by what waits for a report.
    this.#process.stdin.on('error', () => {})
    this.#process.on('error', (error) => this.#end(error))
    this.#process.on('close', (code, signal) => {
      this.#end(new Error(`${program} ended with ${code ?? signal}\n${this.#complaint}`))
    })
  }

  /** What the reporter says of the file at `path`. Throws where it ends instead. */
  async report(path: string): Promise<Report> {
    if (/[\n\r]/.test(path)) throw new Error('a path must be one line')
    if (this.#ended !== undefined) throw this.#ended
    const line = await new Promise<string>((resolve, reject) => {
      this.#waiting.push({ resolve, reject })
      this.#process.stdin.write(`${path}\n`)
    })
    try {
      return JSON.parse(line) as Report
    } catch (cause) {
      throw new Error(`this is no report: ${line.slice(0, 200)}`, { cause })
    }
  }

  /** Whether its process is there to be asked. */
  get alive(): boolean {
    return this.#ended === undefined
  }

  /** Ends it, and waits until it has. Throws where it does not end as it should. */
  async close(): Promise<void> {
    if (this.#ended !== undefined) return
    const ended = new Promise<number | null>((resolve) => this.#process.once('close', resolve))
    this.#process.stdin.end()
    const code = await ended
    if (code !== 0) throw this.#ended ?? new Error(`a reporter ended with ${code}`)
  }

  #end(error: Error): void {
    this.#ended ??= error
    for (const { reject } of this.#waiting.splice(0)) reject(error)
  }
}
