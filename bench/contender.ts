/**
 * A contender: a separate process that holds the state and answers calls, each a line of JSON in both directions. It
 * stays alive between its turns, so that rounds alternate between warm processes. It measures its work itself, so that
 * the calls cost nothing.
 */

import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const peers = fileURLToPath(new URL('peers', import.meta.url))

/** How long an answer may take: a save of 8 GiB on a slow disk. */
const TIMEOUT_MS = 10 * 60 * 1000
/** Interval of memory samples during a call, in milliseconds. */
const SAMPLE_MS = 2

/** The memory that a call took, in bytes. */
export interface Peak {
  /** Resident memory before the call, and the highest during it: the kernel's own figures. */
  readonly before: number
  readonly highest: number
  /** The same for anonymous memory, without file maps: the highest of samples. */
  readonly ownBefore: number
  readonly ownHighest: number
}

/** How a contender is started. */
export interface Program {
  readonly command: string
  readonly arguments: readonly string[]
}

/** A program of `peers/` in Node. */
export function nodeProgram(file: string, ...programArguments: string[]): Program {
  return {
    command: process.execPath,
    arguments: ['--import=tsx', '--expose-gc', `${peers}/${file}`, ...programArguments],
  }
}

/** A program of `peers/` in Python. */
export function pythonProgram(python: string, file: string, ...rest: string[]): Program {
  return { command: python, arguments: ['-B', `${peers}/${file}`, ...rest] }
}

interface Reply {
  readonly id: number
  readonly value?: unknown
  readonly error?: string
  readonly peak?: { readonly before: number; readonly highest: number }
}

export class Contender implements AsyncDisposable {
  readonly name: string
  readonly #child: ChildProcess
  readonly #waiting = new Map<number, (reply: Reply) => void>()
  #errors = ''
  #lastId = 0
  #ended: Promise<void>

  constructor(name: string, program: Program) {
    this.name = name
    this.#child = spawn(program.command, program.arguments, { stdio: ['pipe', 'pipe', 'pipe'] })
    const { stdin, stdout, stderr } = this.#child
    // The exit of a process reports its death, so a failed write to it is not an error.
    stdin!.on('error', () => {})
    stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.#errors = (this.#errors + text).slice(-4000)
    })
    createInterface({ input: stdout! }).on('line', (line) => {
      const reply = JSON.parse(line) as Reply
      this.#waiting.get(reply.id)?.(reply)
    })
    this.#ended = new Promise((resolve) => {
      const end = (why: string) => {
        const error = `it ended (${why})${this.#errors === '' ? '' : `:\n${this.#errors.trim()}`}`
        for (const [id, answer] of this.#waiting) answer({ id, error })
        this.#waiting.clear()
        resolve()
      }
      this.#child.on('error', (error) => end(error.message))
      this.#child.on('close', (code, signal) => end(`${signal ?? `exit code ${code}`}`))
    })
  }

  /** Carries out a call. Rejects with the contender's own message. */
  async call<T>(call: string, callArguments: object = {}): Promise<T> {
    return (await this.#ask({ call, args: callArguments })).value as T
  }

  /** Like `call`, and measures its memory. Rejects if the system has no such figures. */
  async callForPeak<T>(
    call: string,
    callArguments: object = {},
  ): Promise<{ value: T; peak: Peak }> {
    let ownBefore = 0
    let ownHighest = 0
    const sample = () => {
      const own = ownMemory(this.#child.pid!)
      ownBefore ||= own
      ownHighest = Math.max(ownHighest, own)
    }
    sample()
    const timer = setInterval(sample, SAMPLE_MS)
    try {
      const { value, peak } = await this.#ask({ call, args: callArguments, peak: true })
      sample()
      if (peak === undefined || peak.highest === 0) throw new Error('this system has no /proc')
      return { value: value as T, peak: { ...peak, ownBefore, ownHighest } }
    } finally {
      clearInterval(timer)
    }
  }

  async #ask(request: object): Promise<Reply> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) {
      throw new Error(`${this.name}: it has ended${this.#errors && `:\n${this.#errors.trim()}`}`)
    }
    const id = ++this.#lastId
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), TIMEOUT_MS)
    const reply = await new Promise<Reply>((resolve) => {
      this.#waiting.set(id, resolve)
      this.#child.stdin!.write(`${JSON.stringify({ id, ...request })}\n`)
    })
    clearTimeout(timer)
    this.#waiting.delete(id)
    if (reply.error !== undefined) throw new Error(`${this.name}: ${reply.error}`)
    return reply
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin!.end()
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), 10_000)
    await this.#ended
    clearTimeout(timer)
  }
}

/** Anonymous memory of a process, in bytes; 0 if the system does not tell. */
function ownMemory(pid: number): number {
  try {
    const text = readFileSync(`/proc/${pid}/status`, 'utf8')
    const kilobytes = (field: string) =>
      Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(text)?.[1])
    return 1024 * (kilobytes('RssAnon') + kilobytes('RssShmem'))
  } catch {
    return 0
  }
}
