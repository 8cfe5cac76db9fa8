/** The C++ verifier in a process of its own, asked for its verdicts a batch at a time. */

import { type ChildProcessByStdio, spawn } from 'node:child_process'
import type { Readable, Writable } from 'node:stream'

/** The numbers of the schemas that the program knows. */
export const SCHEMAS = { file: 0, metadata: 1, every: 2 } as const

export type SchemaName = keyof typeof SCHEMAS

const FLUSH = Buffer.from([255, 0, 0, 0, 0])
const ACCEPTED = '1'.charCodeAt(0)

/** Buffers to be judged together. */
export class Batch {
  #bytes = Buffer.alloc(1 << 20)
  #end = 0
  count = 0

  add(schema: SchemaName, bytes: Uint8Array): void {
    const needed = this.#end + 5 + bytes.byteLength + FLUSH.byteLength
    if (needed > this.#bytes.byteLength) {
      const larger = Buffer.alloc(2 * needed)
      this.#bytes.copy(larger, 0, 0, this.#end)
      this.#bytes = larger
    }
    this.#bytes[this.#end] = SCHEMAS[schema]
    this.#bytes.writeUInt32LE(bytes.byteLength, this.#end + 1)
    this.#bytes.set(bytes, this.#end + 5)
    this.#end += 5 + bytes.byteLength
    this.count++
  }

  /** All that was added, and the request for the verdicts. */
  get message(): Uint8Array {
    FLUSH.copy(this.#bytes, this.#end)
    return this.#bytes.subarray(0, this.#end + FLUSH.byteLength)
  }

  clear(): void {
    this.#end = 0
    this.count = 0
  }
}

export class Oracle {
  readonly #process: ChildProcessByStdio<Writable, Readable, null>
  readonly #ended: Promise<never>

  constructor(program: string) {
    this.#process = spawn(program, { stdio: ['pipe', 'pipe', 'inherit'] })
    this.#ended = new Promise((_, reject) => {
      this.#process.on('error', reject)
      this.#process.on('exit', (code, signal) => {
        reject(new Error(`the oracle ended with ${code ?? signal}`))
      })
    })
    // It ends when it is closed, and then nobody waits.
    this.#ended.catch(() => {})
  }

  /** For each buffer of the batch, whether the C++ verifier accepts it. One batch at a time. */
  async verdicts(batch: Batch): Promise<boolean[]> {
    const { count } = batch
    const answers: Buffer[] = []
    let answered = 0
    const all = new Promise<void>((resolve) => {
      const take = (answer: Buffer): void => {
        answers.push(answer)
        answered += answer.byteLength
        if (answered < count) return
        this.#process.stdout.off('data', take)
        resolve()
      }
      this.#process.stdout.on('data', take)
    })
    this.#process.stdin.write(batch.message)
    await Promise.race([all, this.#ended])
    return Array.from(Buffer.concat(answers), (answer) => answer === ACCEPTED)
  }

  close(): void {
    this.#process.stdin.end()
  }
}
