import test from 'ava'
import { CheckpointError } from '../../src/errors.js'
import { loadCheckpoint } from '../../src/index.js'
import { openCheckpoint } from '../../src/load/open.js'
import { Patch } from '../support/format/patch.js'
import { examine, refusal } from '../support/fuzz/examine.js'
import { fixFileLength, fixMetadataChecksum } from '../support/fuzz/reseal.js'
import { goldens, largeForm, largeFormLength } from '../support/hostile/goldens.js'
import { SparseSource } from '../support/hostile/sparse-source.js'

/** What became of a file, all of which is looked at: the code of its error, or `sound`. */
async function outcomeOf(file: Uint8Array): Promise<string> {
  try {
    await using checkpoint = await loadCheckpoint(file)
    await checkpoint.verify()
    return 'sound'
  } catch (error) {
    if (error instanceof CheckpointError) return error.code
    throw error
  }
}

/** Calls `use` with the bytes, one bit flipped, for every bit up to `length` bytes. */
async function withEachBit(
  bytes: Uint8Array,
  length: number,
  use: (damaged: Uint8Array, bit: number) => Promise<void>,
): Promise<void> {
  for (let bit = 0; bit < 8 * length; bit++) {
    const damaged = bytes.slice()
    damaged[bit >> 3]! ^= 1 << (bit & 7)
    await use(damaged, bit)
  }
}

for (const { name, bytes, metadataLength } of goldens) {
  test(`${name}: valid as it is`, async (t) => {
    t.is(await outcomeOf(bytes), 'sound')
  })

  test(`${name}: cut off after any byte, it is refused for its length`, async (t) => {
    for (let length = 0; length < bytes.length; length++) {
      const expected = length < 8 ? 'CKPT_NOT_A_CHECKPOINT' : 'CKPT_FILE_LENGTH'
      t.is(await outcomeOf(bytes.slice(0, length)), expected, `${length} bytes`)
    }
  })

  test(`${name}: cut off after any byte, with the rest made consistent, it is refused`, async (t) => {
    for (let length = 12; length < bytes.length; length++) {
      const cut = bytes.slice(0, length)
      fixFileLength(cut)
      fixMetadataChecksum(cut)
      t.not(await outcomeOf(cut), 'sound', `${length} bytes`)
    }
  })

  test(`${name}: no bit of the file can change unnoticed`, async (t) => {
    await withEachBit(bytes, bytes.length, async (damaged, bit) => {
      t.not(await outcomeOf(damaged), 'sound', `bit ${bit}`)
    })
  })

  test(`${name}: a changed bit under a matching checksum is refused, or does no harm`, async (t) => {
    t.timeout(120_000)
    const outcomes = new Map<string, number>()
    await withEachBit(bytes, metadataLength, async (damaged) => {
      fixMetadataChecksum(damaged)
      let outcome: string
      try {
        const checkpoint = await loadCheckpoint(damaged)
        // Whatever it says now, nothing is handed out but what stands in the file and fits.
        outcome = await examine(checkpoint, { file: damaged, memory: damaged })
      } catch (error) {
        outcome = refusal(error)
      }
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
    })
    // Padding, numbers and names can be any. Most of all the rest is refused.
    t.true(outcomes.get('read')! > 0)
    t.true(outcomes.size > 10, [...outcomes.keys()].join())
  })
}

test(`${largeForm.name}: opened without reading beyond its start`, async (t) => {
  const source = new SparseSource(largeForm.bytes, largeFormLength)
  const checkpoint = await openCheckpoint(source)
  t.is(checkpoint.byteLength, largeFormLength)
  t.deepEqual([...checkpoint.model.keys()], ['huge', 'small'])
  t.true(source.furthest <= 4096)
  await t.throwsAsync(checkpoint.model.get('small').read(), { code: 'CKPT_TENSOR_CHECKSUM' })
  checkpoint.close()
  t.true(source.closed)
})

// Bits that make it said to have 64 MiB of metadata and more: all of that is read, and takes a while.
const metadataLengthAt = new Patch(largeForm.bytes).root.position('metadata_length')
const takesLong = (bit: number) =>
  bit >= 8 * metadataLengthAt + 26 && bit < 8 * metadataLengthAt + 31

test(`${largeForm.name}: no bit of it can change unnoticed, and its source is closed`, async (t) => {
  await withEachBit(largeForm.bytes, largeForm.metadataLength, async (damaged, bit) => {
    if (takesLong(bit)) return
    const source = new SparseSource(damaged, largeFormLength)
    await t.throwsAsync(openCheckpoint(source), { instanceOf: CheckpointError }, `bit ${bit}`)
    t.true(source.closed)
  })
})

test(`${largeForm.name}: in a file of any other length it is refused`, async (t) => {
  const { metadataLength } = largeForm
  const lengths = [
    ...Array.from({ length: metadataLength + 8 }, (_, i) => i),
    2 ** 31 - 2,
    2 ** 31 - 1,
    2 ** 32,
    largeFormLength % 2 ** 31,
    largeFormLength - 1,
    largeFormLength + 1,
    2 ** 53 - 1,
  ]
  for (const length of lengths) {
    const source = new SparseSource(largeForm.bytes, length)
    const code = length < 8 ? 'CKPT_NOT_A_CHECKPOINT' : 'CKPT_FILE_LENGTH'
    await t.throwsAsync(openCheckpoint(source), { code }, `${length} bytes`)
  }
})

test(`${largeForm.name}: a changed bit under a matching checksum is refused, or does no harm`, async (t) => {
  const outcomes = new Map<string, number>()
  await withEachBit(largeForm.bytes, largeForm.metadataLength, async (damaged, bit) => {
    if (takesLong(bit)) return
    fixMetadataChecksum(damaged)
    let outcome: string
    try {
      outcome = await examine(await openCheckpoint(new SparseSource(damaged, largeFormLength)))
    } catch (error) {
      outcome = refusal(error)
    }
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
  })
  t.true(outcomes.size > 10, [...outcomes.keys()].join())
})
