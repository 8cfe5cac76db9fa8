/** A reporter in a process of its own, asked for reports. */

import { type ChildProcessByStdio, spawn } from 'node:child_process'
import type { Readable, Writable } from 'node:stream'
import type { Report } from './report.js'

/** How a reporter is started. */
export interface Command {
  readonly program: string
  readonly args: readonly string[]
  /** Variables of the environment beside those of this process. */
  readonly environment?: Readonly<Record<string, string>>
}

// A file of gigabytes takes its time; a reporter that says nothing for longer hangs.
const PATIENCE = 300_000

// What a reporter that has failed wrote to standard error, at most, in characters.
const LONGEST_COMPLAINT = 4000

interface Waiting {
  resolve(line: string): void
  reject(error: Error): void
}

export class Reporter {
  readonly #process: ChildProcessByStdio<Writable, Readable, Readable>
  readonly #waiting: Waiting[] = []
  readonly #closed: Promise<number | null>
  #complaint = ''
  #failure: Error | undefined
  #patience: NodeJS.Timeout | undefined

  constructor({ program, args, environment }: Command) {
    this.#process = spawn(program, [...args], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, ...environment },
    })
    this.#process.stderr.setEncoding('utf8')
    this.#process.stderr.on('data', (text: string) => {
      this.#complaint = (this.#complaint + text).slice(-LONGEST_COMPLAINT)
    })
    // A report ends with a line feed. From Node 24 on, readline also ends a line at U+2028, which names may hold.
    let line = ''
    this.#process.stdout.setEncoding('utf8')
    this.#process.stdout.on('data', (text: string) => {
      const lines = text.split('\n')
      lines[0] = line + lines[0]
      line = lines.pop()!
      for (const report of lines) {
        this.#waiting.shift()?.resolve(report)
        this.#watch()
      }
    })
    // A reporter that has ended takes no more paths; whoever waits for a report is told below.
    this.#process.stdin.on('error', () => {})
    this.#process.on('error', (error) => this.#fail(error))
    this.#closed = new Promise((resolve) => {
      this.#process.on('close', (code, signal) => {
        this.#fail(new Error(`it ended with ${code ?? signal}\n${this.#complaint}`.trim()))
        resolve(code)
      })
    })
  }

  /**
   * What the reporter says of the file at `path`. Any number may be asked for at once; they are
   * answered one after the other. Throws where it ends, or hangs, instead.
   */
  async report(path: string): Promise<Report> {
    if (/[\n\r]/.test(path)) throw new Error('a path must be one line')
    if (this.#failure !== undefined) throw this.#failure
    const line = await new Promise<string>((resolve, reject) => {
      this.#waiting.push({ resolve, reject })
      if (this.#waiting.length === 1) this.#watch()
      this.#process.stdin.write(`${path}\n`)
    })
    try {
      return JSON.parse(line) as Report
    } catch (cause) {
      throw new Error(`this is no report: ${line.slice(0, 200)}`, { cause })
    }
  }

  /** Ends it, and waits until it has. Throws where it does not end as it should. */
  async close(): Promise<void> {
    if (this.#failure !== undefined) return
    this.#process.stdin.end()
    const code = await this.#closed
    if (code !== 0) throw this.#failure ?? new Error(`it ended with ${code}`)
  }

  #watch(): void {
    clearTimeout(this.#patience)
    if (this.#waiting.length === 0) return
    this.#patience = setTimeout(() => {
      this.#fail(new Error(`it said nothing for ${PATIENCE / 1000} seconds`))
      this.#process.kill('SIGKILL')
    }, PATIENCE)
  }

  #fail(error: Error): void {
    clearTimeout(this.#patience)
    this.#failure ??= error
    for (const { reject } of this.#waiting.splice(0)) reject(this.#failure)
  }
}

/** A reporter that is started anew where a file has ended it. */
export class LastingReporter {
  readonly #command: Command
  #reporter: Reporter | undefined

  constructor(command: Command) {
    this.#command = command
  }

  /** A report for each path, or the error where it ended instead. */
  async reports(paths: readonly string[]): Promise<(Report | Error)[]> {
    const all: (Report | Error)[] = []
    while (all.length < paths.length) {
      this.#reporter ??= new Reporter(this.#command)
      const reporter = this.#reporter
      const rest = paths.slice(all.length)
      const settled = await Promise.allSettled(rest.map((path) => reporter.report(path)))
      for (const result of settled) {
        if (result.status === 'fulfilled') all.push(result.value)
        else {
          // It was this file; those behind it were not looked at.
          all.push(result.reason as Error)
          await reporter.close().catch(() => {})
          this.#reporter = undefined
          break
        }
      }
    }
    return all
  }

  async close(): Promise<void> {
    await this.#reporter?.close()
    this.#reporter = undefined
  }
}
