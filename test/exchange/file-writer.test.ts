import { setTimeout } from 'node:timers/promises'
import test from 'ava'
import { type Part, writeFile } from '../../src/exchange/file-writer.js'
import { ForeignTensor } from '../../src/exchange/training.js'
import { crc32 } from '../../src/format/checksum.js'
import { MemorySink } from '../../src/io/memory-sink.js'
import { times } from '../support/effort.js'
import fc from '../support/fast-check.js'
import { scattered } from '../support/patterns.js'

const MIB = 2 ** 20

/** What the readers and the sink of a file have seen. */
class Seen {
  /** Reads under way, of all tensors. */
  reading = 0
  /** Writes under way. */
  writing = 0
  /** End of the last write that began. */
  end = 0
  aborted = false
}

/** Some of the waits of a call: none, a turn of the event loop, or longer. */
const waits = fc.array(fc.constantFrom(0, 1, 3), { minLength: 1, maxLength: 7 })

function waiter(list: readonly number[]) {
  let i = 0
  return async (): Promise<void> => {
    const time = list[i++ % list.length]!
    if (time > 0) await setTimeout(time)
  }
}

/** A tensor of these bytes that can be read several times at once, and fails at read `failing`. */
function tensorOf(
  name: string,
  bytes: Uint8Array,
  readsAtOnce: number,
  wait: () => Promise<void>,
  seen: Seen,
  failing = Number.POSITIVE_INFINITY,
): ForeignTensor {
  let count = 0
  let next = 0
  let own = 0
  return new ForeignTensor(name, {
    dtype: 'uint8',
    shape: [bytes.length],
    readsAtOnce,
    async read(target, position) {
      if (position !== next) throw new Error(`read ${position}, and ${next} was next`)
      const end = position + target.byteLength
      next = end
      if (++own > readsAtOnce) throw new Error(`${own} reads at once`)
      seen.reading++
      const fails = count++ === failing
      try {
        await wait()
        if (fails) throw new Error('the disk is gone')
        target.set(bytes.subarray(position, end))
      } finally {
        own--
        seen.reading--
      }
    },
  })
}

class SlowSink extends MemorySink {
  readonly writesAtOnce = 2
  readonly #wait: () => Promise<void>
  readonly #seen: Seen
  readonly #failing: number
  #count = 0

  constructor(wait: () => Promise<void>, seen: Seen, failing = Number.POSITIVE_INFINITY) {
    super()
    this.#wait = wait
    this.#seen = seen
    this.#failing = failing
  }

  override async write(bytes: Uint8Array, position: number): Promise<void> {
    const seen = this.#seen
    if (position !== seen.end) throw new Error(`${position} was written, and ${seen.end} was next`)
    seen.end += bytes.byteLength
    seen.writing++
    try {
      await this.#wait()
      if (this.#count++ === this.#failing) throw new Error('the disk is full')
      await super.write(bytes, position)
    } finally {
      seen.writing--
    }
  }

  override async abort(): Promise<void> {
    this.#seen.aborted = this.#seen.reading + this.#seen.writing === 0
    await super.abort()
  }
}

const file = fc.record({
  lengths: fc.array(fc.oneof(fc.constantFrom(0, 1, 100), fc.integer({ min: 0, max: 9 * MIB })), {
    minLength: 1,
    maxLength: 5,
  }),
  readsAtOnce: fc.integer({ min: 1, max: 4 }),
  reads: waits,
  writes: waits,
})

/** The bytes of a tensor; those of a longer one begin alike. */
const pattern = scattered(9 * MIB)

test('whatever waits for what, every byte is written in order, and the checksums are those of the tensors', async (t) => {
  await fc.assert(
    fc.asyncProperty(file, async ({ lengths, readsAtOnce, reads, writes }) => {
      const seen = new Seen()
      const found = new Map<string, number>()
      const wait = waiter(reads)
      const tensors = lengths.map((length, i) =>
        tensorOf(`${i}`, pattern.subarray(0, length), readsAtOnce, wait, seen),
      )
      const parts: Part[] = tensors.flatMap((tensor) => [
        { bytes: Uint8Array.of(1, 2, 3) },
        { tensor, onChecksum: (checksum: number) => found.set(tensor.name, checksum) },
      ])
      // What is made last knows all checksums.
      let known = 0
      parts.push({
        bytes: () => {
          known = found.size
          return Uint8Array.of(9)
        },
      })
      const length = lengths.reduce((sum, each) => sum + 3 + each, 1)
      const sink = new SlowSink(waiter(writes), seen)
      await writeFile(sink, { length, parts }, {})
      const expected = Buffer.concat([
        ...lengths.flatMap((each) => [Uint8Array.of(1, 2, 3), pattern.subarray(0, each)]),
        Uint8Array.of(9),
      ])
      t.true(expected.equals(sink.bytes))
      t.is(known, lengths.length)
      for (const [i, each] of lengths.entries()) {
        t.is(found.get(`${i}`), crc32(pattern.subarray(0, each)))
      }
    }),
    { numRuns: times(8) },
  )
})

test('a checksum that the reader verifies itself is taken as it is', async (t) => {
  const checksums: number[] = []
  const tensor = new ForeignTensor('w', {
    dtype: 'uint8',
    shape: [5],
    crc32: 77,
    read: async (target) => void target.fill(1),
  })
  const part = { tensor, onChecksum: (checksum: number) => void checksums.push(checksum) }
  await writeFile(new MemorySink(), { length: 5, parts: [part] }, {})
  t.deepEqual(checksums, [77])
})

for (const [what, failing, message] of [
  ['read', [1, undefined], 'the disk is gone'],
  ['write', [undefined, 2], 'the disk is full'],
] as const) {
  test(`a ${what} that fails ends the file once nothing is under way any more`, async (t) => {
    await fc.assert(
      fc.asyncProperty(file, async ({ readsAtOnce, reads, writes }) => {
        const seen = new Seen()
        const length = 9 * MIB
        const [wait, slow] = [waiter(reads), waiter(writes)]
        const tensors = ['a', 'b', 'c'].map((name) =>
          tensorOf(name, pattern, readsAtOnce, wait, seen, name === 'b' ? failing[0] : undefined),
        )
        const sink = new SlowSink(slow, seen, failing[1])
        const parts = tensors.map((tensor) => ({ tensor }))
        await t.throwsAsync(writeFile(sink, { length: 3 * length, parts }, {}), { message })
        t.true(seen.aborted)
      }),
      { numRuns: times(5) },
    )
  })
}

test('an abort ends the file, whatever is under way', async (t) => {
  const seen = new Seen()
  const control = new AbortController()
  const tensor = tensorOf('w', pattern, 4, waiter([1]), seen)
  const sink = new SlowSink(waiter([1]), seen)
  const reason = new Error('stop')
  const writing = writeFile(
    sink,
    { length: 9 * MIB, parts: [{ tensor }] },
    { signal: control.signal, onProgress: () => control.abort(reason) },
  )
  t.is(await t.throwsAsync(writing), reason)
  t.true(seen.aborted)
})
