import test, { type ExecutionContext } from 'ava'
import { CheckpointError, loadCheckpoint } from '../../src/index.js'
import { times } from '../support/effort.js'
import { mutated, randomNumbers } from '../support/format/mutations.js'
import { Patch } from '../support/format/patch.js'
import { sampleFile } from '../support/format/sample.js'

const file = await sampleFile()
const metadataLength = (() => {
  const { root, view } = new Patch(file)
  return view.getUint32(root.position('metadata_length'), true)
})()

/** Reads all of a file and checks all of it. */
async function readWhole(bytes: Uint8Array): Promise<void> {
  await using checkpoint = await loadCheckpoint(bytes)
  await checkpoint.verify()
}

/** Reads all of a file by asking for what is in it, as a trainer does. */
async function readParts(bytes: Uint8Array): Promise<void> {
  await using checkpoint = await loadCheckpoint(bytes)
  void checkpoint.config
  for (const state of checkpoint.states) {
    for (const [, tensor] of state) {
      const { data } = tensor
      if (data.byteLength !== tensor.byteLength) throw new Error('an array of another length')
    }
  }
}

/** What a read of `bytes` rejects with: undefined, a CheckpointError, or else the test fails. */
async function outcome(
  t: ExecutionContext,
  read: typeof readWhole,
  bytes: Uint8Array,
  what: string,
): Promise<CheckpointError | undefined> {
  try {
    await read(bytes)
    return undefined
  } catch (error) {
    if (!(error instanceof CheckpointError)) t.fail(`${what}: ${error}`)
    return error as CheckpointError
  }
}

test('the file is read as it is', async (t) => {
  await t.notThrowsAsync(readWhole(file))
  await t.notThrowsAsync(readParts(file))
  t.true(metadataLength < file.length)
})

test('a file of any other length is refused, however it was cut', async (t) => {
  for (let length = 0; length < file.length; length++) {
    const error = await outcome(t, readWhole, file.slice(0, length), `${length} bytes`)
    const expected = length < 8 ? 'CKPT_NOT_A_CHECKPOINT' : 'CKPT_FILE_LENGTH'
    t.is(error?.code, expected, `${length} bytes`)
  }
})

test('a file without its beginning is refused', async (t) => {
  for (let start = 1; start < file.length; start++) {
    const error = await outcome(t, readWhole, file.slice(start), `from ${start}`)
    t.not(error, undefined, `from ${start}`)
  }
})

test('a file with a single bit flipped is refused, whichever it is', async (t) => {
  const found: { [code: string]: number } = {}
  for (let bit = 0; bit < 8 * file.length; bit++) {
    const at = bit >> 3
    const flipped = file.slice()
    flipped[at]! ^= 1 << (bit & 7)
    const error = await outcome(t, readWhole, flipped, `bit ${bit}`)
    if (error === undefined) t.fail(`bit ${bit & 7} of byte ${at} does no harm`)
    else found[error.code] = (found[error.code] ?? 0) + 1
    // What lies behind the metadata is found just as well by asking for the tensors.
    if (at >= metadataLength) {
      const parts = await outcome(t, readParts, flipped, `bit ${bit}`)
      t.is(parts?.code, error?.code, `bit ${bit & 7} of byte ${at}`)
    }
  }
  t.log(found)
})

test('a byte between segments that is not what it has to be is told with its place', async (t) => {
  const { root, view } = new Patch(file)
  const first = Number(
    view.getBigUint64(root.table('model').tables('tensors')[0]!.position('offset'), true),
  )
  for (let at = metadataLength; at < first; at++) {
    const changed = file.slice()
    changed[at]! ^= 0xff
    for (const read of [readWhole, readParts]) {
      const error = await outcome(t, read, changed, `byte ${at}`)
      t.like(error, {
        code: 'CKPT_FORMAT',
        rule: 'gap',
        state: 'model',
        tensor: 'weight',
        offset: at,
        expected: file[at],
        actual: changed[at],
      })
    }
  }
})

test('a file with anything behind it is refused', async (t) => {
  const tails: [string, Uint8Array][] = [
    ['itself', file],
    ['a zip archive', Uint8Array.of(0x50, 0x4b, 5, 6, ...new Uint8Array(18))],
    ['text', new TextEncoder().encode('\n<html></html>\n')],
  ]
  for (let length = 1; length <= 130; length++) {
    tails.push([`${length} zeros`, new Uint8Array(length)])
  }
  for (const [what, tail] of tails) {
    const longer = new Uint8Array(file.length + tail.length)
    longer.set(file)
    longer.set(tail, file.length)
    const error = await outcome(t, readWhole, longer, what)
    t.is(error?.code, 'CKPT_FILE_LENGTH', what)
    t.is(error?.expected, file.length)
    t.is(error?.actual, longer.length)
  }
})

test('a file with anything before it is refused', async (t) => {
  for (const length of [1, 4, 8, 64, 4096]) {
    for (const fill of [0, 0x20, 0xff]) {
      const longer = new Uint8Array(length + file.length).fill(fill, 0, length)
      longer.set(file, length)
      const error = await outcome(t, readWhole, longer, `${length} times ${fill}`)
      t.is(error?.code, 'CKPT_NOT_A_CHECKPOINT', `${length} times ${fill}`)
    }
  }
})

test('metadata with the tensors of a later save is refused', async (t) => {
  const torn = file.slice()
  torn[torn.length - 1]! ^= 0xff
  const error = await outcome(t, readWhole, torn, 'torn')
  t.like(error, { code: 'CKPT_TENSOR_CHECKSUM', state: 'other', tensor: 'codes' })
})

test('whoever can make checksums fit can still do no more than be refused', async (t) => {
  const seed = 104_729
  const random = randomNumbers(seed)
  const runs = times(400)
  const found: { [outcome: string]: number } = {}
  for (let i = 0; i < runs; i++) {
    // Of the metadata alone; the head has to survive for the rest to be looked at at all.
    const metadata = mutated([file.subarray(0, metadataLength)], random)
    const whole = file.slice()
    whole.set(metadata)
    const bytes = sealed(whole)
    const what = `mutation ${i} of seed ${seed}`
    const error = await outcome(t, readParts, bytes, what)
    const name = error === undefined ? 'accepted' : (error.rule ?? error.code)
    found[name] = (found[name] ?? 0) + 1
    if (error === undefined) t.is(await outcome(t, readWhole, bytes, what), undefined, what)
  }
  t.log(found)
  t.true(found.accepted! > 0)
})

/** Makes the checksum fit where the head still says where it is. */
function sealed(bytes: Uint8Array): Uint8Array {
  try {
    return new Patch(bytes).seal()
  } catch {
    return bytes
  }
}
