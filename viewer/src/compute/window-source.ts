/** A source that reads what will be needed in long blocks, and keeps the last ones. */

import type { Range, Source } from '../../../src/io/source.js'

// Ranges at most this many bytes apart are read at once.
const NEAR = 256 * 1024

// Longest block, in bytes: whole pieces of a tensor. A browser sets up memory for each answer, which long ones use again.
const LONGEST_BLOCK = 15 * 1024 * 1024

// Most bytes of blocks that are kept.
const KEPT = 48 * 1024 * 1024

// A file of this machine is read as fast by itself from this many bytes on.
const DIRECT = 1024 * 1024

interface Block extends Range {
  bytes?: Promise<Uint8Array>
  /** Set when its bytes are there. */
  memory?: ArrayBuffer
  /** Reads that wait for its bytes. */
  readers: number
}

// Memory of blocks that are no longer needed, for the next ones: new memory costs more than what is read into it.
const spare: ArrayBuffer[] = []
const SPARE = 4

function memoryFor(length: number): ArrayBuffer {
  const at = spare.findIndex(({ byteLength }) => byteLength >= length)
  return at === -1 ? new ArrayBuffer(length) : spare.splice(at, 1)[0]!
}

function release({ memory, readers }: Block): void {
  if (memory === undefined || readers > 0) return
  spare.push(memory)
  if (spare.length > SPARE) spare.shift()
}

/**
 * Answers reads from blocks that were announced. A Blob answers in about a millisecond however few bytes it is asked
 * for, so a file of many small tensors is read in blocks. Other reads go to the source.
 */
export class WindowSource implements Source {
  readonly kind: Source['kind']
  readonly size: number
  // One piece is computed with while the next one is read.
  readonly readsAtOnce = 2
  readonly #source: Source
  #planned: Block[] = []
  #kept: Block[] = []

  /** Takes ownership of `source`, and closes it. */
  constructor(source: Source) {
    this.#source = source
    this.kind = source.kind
    this.size = source.size
  }

  /** Announces reads, in the order of the file. Those that were announced before and did not come are forgotten. */
  plan(ranges: Iterable<Range>): void {
    const blocks: Block[] = []
    for (const { start, end } of ranges) {
      if (end > this.size || this.#keptFor(start, end)) continue
      if (this.kind === 'file' && end - start >= DIRECT) continue
      if (end - start > LONGEST_BLOCK) {
        for (let at = start; at < end; at += LONGEST_BLOCK) {
          blocks.push({ start: at, end: Math.min(at + LONGEST_BLOCK, end), readers: 0 })
        }
        continue
      }
      const last = blocks.at(-1)
      if (last !== undefined && start <= last.end + NEAR && end - last.start <= LONGEST_BLOCK) {
        blocks[blocks.length - 1] = { ...last, end: Math.max(last.end, end) }
      } else blocks.push({ start, end, readers: 0 })
    }
    this.#planned = blocks
  }

  /** Begins to read the first of what was announced. */
  begin(): void {
    const block = this.#planned.shift()
    if (block !== undefined) this.#begin(block)
  }

  async read(target: Uint8Array, position: number): Promise<void> {
    const end = position + target.byteLength
    const block = this.#keptFor(position, end) ?? this.#load(position, end)
    if (block === undefined) return this.#source.read(target, position)
    block.readers++
    try {
      const bytes = await block.bytes!
      target.set(bytes.subarray(position - block.start, end - block.start))
    } finally {
      block.readers--
    }
  }

  checkUnchanged(): Promise<void> {
    return this.#source.checkUnchanged()
  }

  close(): void {
    this.#planned = []
    for (const block of this.#kept) release(block)
    this.#kept = []
    this.#source.close()
  }

  #keptFor(start: number, end: number): Block | undefined {
    return this.#kept.find((block) => block.start <= start && end <= block.end)
  }

  #load(start: number, end: number): Block | undefined {
    const at = this.#planned.findIndex((block) => block.start <= start && end <= block.end)
    if (at === -1) return undefined
    const [block, next] = this.#planned.slice(at)
    this.#planned.splice(0, at + (next === undefined ? 1 : 2))
    this.#begin(block!)
    if (next !== undefined) this.#begin(next)
    return block
  }

  #begin(block: Block): void {
    let kept = block.end - block.start
    for (const { start, end } of this.#kept) kept += end - start
    while (kept > KEPT && this.#kept.length > 1) {
      const oldest = this.#kept.shift()!
      kept -= oldest.end - oldest.start
      release(oldest)
    }
    const length = block.end - block.start
    const memory = memoryFor(length)
    const bytes = new Uint8Array(memory, 0, length)
    block.bytes = this.#source.read(bytes, block.start).then(() => {
      block.memory = memory
      return bytes
    })
    block.bytes.catch(() => {
      this.#kept = this.#kept.filter((other) => other !== block)
    })
    this.#kept.push(block)
  }
}
