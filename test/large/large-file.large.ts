/**
 * Where 32 bits end, and where typed arrays of the oldest Node do. Run by `npm run test:large`; takes
 * about 10 GB of memory and as much of the disk.
 */

import { constants } from 'node:buffer'
import * as fs from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { crc32 } from '../../src/format/checksum.js'
import { encode } from '../../src/format/encode.js'
import { loadCheckpoint } from '../../src/load/load.js'
import type { ByteProgress } from '../../src/progress.js'
import { restoreCheckpoint } from '../../src/restore/restore.js'
import { saveCheckpoint } from '../../src/save/save.js'
import type { LoadedTensor, TypedArray } from '../../src/state.js'
import { memoryState } from '../support/memory-state.js'
import { scratchFolder } from '../support/scratch.js'
import { collectGarbage } from '../support/trainer/garbage-collection.js'
import { canMap } from '../support/ways-to-load.js'

const MIB = 2 ** 20
const GIB = 2 ** 30

/** How long something took, for whoever reads the output. */
async function timed<T>(t: ExecutionContext, what: string, run: () => Promise<T>): Promise<T> {
  const start = performance.now()
  const result = await run()
  t.log(`${what}: ${((performance.now() - start) / 1000).toFixed(2)} s`)
  return result
}

const bytesOf = ({ buffer, byteOffset, byteLength }: TypedArray) =>
  new Uint8Array(buffer, byteOffset, byteLength)

/** Fills memory with bytes that are others at every position that a wrong offset could lead to. */
function fill<T extends TypedArray>(array: T, seed: number): T {
  const bytes = bytesOf(array)
  // A prime number of bytes, so that no power of two is a multiple of the period.
  const period = 1_048_573
  let state = seed
  for (let i = 0; i < period; i++) {
    state = Math.imul(state, 1_664_525) + 1_013_904_223
    bytes[i] = state >>> 24
  }
  for (let done = period; done < bytes.length; done *= 2) bytes.copyWithin(done, 0, done)
  return array
}

/** The checksum of any length of memory. */
function checksum(array: TypedArray): number {
  const bytes = bytesOf(array)
  let crc = 0
  for (let done = 0; done < bytes.length; done += 256 * MIB) {
    crc = crc32(bytes.subarray(done, done + 256 * MIB), crc)
  }
  return crc
}

// Where the tensors are: one ends beyond the reach of a signed 32-bit number, the next begins there
// and ends beyond that of an unsigned one, and the last begins there.
const WEIGHT = 2 * GIB + 4_000
const MOMENT = 2 * GIB + 100 * MIB
const AFTER = 2 * MIB

/** Elements at both ends, and around the places where a 32-bit length or position would wrap. */
const PLACES = [0, 1, 2 ** 29 - 1, 2 ** 29, 2 ** 29 + 1, WEIGHT / 4 - 1]

interface Expected {
  readonly checksums: { readonly [name: string]: number }
  readonly places: readonly number[]
}

/** Saves the large file, and keeps of its tensors what they are to be compared by. */
async function saveLargeFile(t: ExecutionContext, path: string): Promise<Expected> {
  const weight = fill(new Float32Array(WEIGHT / 4), 1)
  // Numbers, and no NaN that could pass for another one, where they are compared as such.
  for (const place of PLACES) weight[place] = place + 0.5
  const after = fill(new Int16Array(AFTER / 2), 3)
  const moment = fill(new Uint8Array(MOMENT), 2)
  const checksums = {
    weight: checksum(weight),
    moment: checksum(moment),
    after: checksum(after),
  }
  const reports: ByteProgress[] = []
  const { byteLength } = await timed(t, 'saved, durably', () =>
    saveCheckpoint(
      path,
      // In the trainer's memory, brought by a function, and behind both.
      memoryState({
        weight: { shape: [2, WEIGHT / 8], data: weight },
        moment: { dtype: 'uint8', shape: [MOMENT], data: async () => moment },
      }),
      memoryState({ after }),
      { step: 1, onProgress: (progress) => reports.push(progress) },
    ),
  )
  t.true(byteLength > WEIGHT + MOMENT + AFTER && byteLength > 4 * GIB)
  t.is(fs.statSync(path).size, byteLength)
  t.deepEqual(reports.at(-1), { done: byteLength, total: byteLength })
  t.true(reports.every((report, i) => i === 0 || report.done > reports[i - 1]!.done))
  return { checksums, places: PLACES.map((place) => weight[place]!) }
}

test.serial('a file of more than 4 GiB is saved, loaded, verified and restored', async (t) => {
  t.timeout(15 * 60_000)
  const path = join(await scratchFolder(t), 'large.ckpt')
  const { checksums, places } = await saveLargeFile(t, path)
  await collectGarbage()

  for (const map of canMap ? [true, false] : [false]) {
    const how = map ? 'mapped' : 'read'
    await using checkpoint = await timed(t, `${how}: opened`, () => loadCheckpoint(path, { map }))
    t.is(checkpoint.source, map ? 'map' : 'file')
    t.is(checkpoint.step, 1)
    const total = WEIGHT + MOMENT + AFTER
    const reports: ByteProgress[] = []
    const onProgress = (progress: ByteProgress) => reports.push(progress)
    await timed(t, `${how}: verified`, () => checkpoint.verify({ onProgress }))
    t.deepEqual(reports.at(-1), { done: total, total })

    const same = async (tensor: LoadedTensor) => {
      const array = await tensor.read()
      t.is(array.byteLength, tensor.byteLength)
      t.is(checksum(array), checksums[tensor.name]!, tensor.name)
      if (tensor.name !== 'weight') return
      t.deepEqual(
        PLACES.map((place) => array[place]),
        [...places],
      )
    }
    await timed(t, `${how}: handed out`, async () => {
      // One at a time, and nothing of it kept.
      for (const state of checkpoint.states) {
        for (const [, tensor] of state) {
          await same(tensor)
          await collectGarbage()
        }
      }
    })

    const model = {
      weight: { shape: [2, WEIGHT / 8], data: new Float32Array(WEIGHT / 4) },
      moment: { shape: [MOMENT], data: new Uint8Array(MOMENT) },
    }
    const after = new Int16Array(AFTER / 2)
    const report = await timed(t, `${how}: restored, into fresh memory`, () =>
      restoreCheckpoint(checkpoint, memoryState(model), memoryState({ after })),
    )
    t.like(report, { step: 1, tensors: 3, byteLength: total })
    t.is(checksum(model.weight.data), checksums.weight!)
    t.is(checksum(model.moment.data), checksums.moment!)
    t.is(checksum(after), checksums.after!)
    t.deepEqual(
      PLACES.map((place) => model.weight.data[place]),
      [...places],
    )
  }
})

test.serial(
  'a tensor that is longer than an array can be is verified, and refused as an array',
  async (t) => {
    t.timeout(5 * 60_000)
    const path = join(await scratchFolder(t), 'long.ckpt')
    // Zeros that take no place on the disk; as no trainer can hold them, the metadata is made by hand.
    const length = 4 * GIB + 64 * MIB
    const state = { kind: null, attributes: {} }
    const tensor = { name: 'long', dtype: 'float32', shape: [length / 4], segment: 0 } as const
    const last = { name: 'last', dtype: 'uint8', shape: [3], segment: 1 } as const
    const metadata = encode({
      progress: {
        epoch: 0,
        step: 0,
        loss: null,
        metrics: {},
        config: null,
        sequence: null,
        savedAt: null,
      },
      model: { ...state, name: 'model', tensors: [tensor, last] },
      optimizer: null,
      extras: [],
      segmentLengths: [length, 3],
    })
    let crc = 0
    const zeros = new Uint8Array(64 * MIB)
    for (let done = 0; done < length; done += zeros.length) crc = crc32(zeros, crc)
    const end = Uint8Array.of(1, 2, 3)
    fs.writeFileSync(path, metadata.seal([crc, crc32(end)]))
    fs.truncateSync(path, metadata.layout.fileLength)
    const fd = fs.openSync(path, 'r+')
    fs.writeSync(fd, end, 0, 3, metadata.layout.offsets[1]!)
    fs.closeSync(fd)

    for (const map of canMap ? [true, false] : [false]) {
      await using checkpoint = await loadCheckpoint(path, { map })
      await timed(t, `${map ? 'mapped' : 'read'}: verified`, () => checkpoint.verify())
      t.deepEqual(checkpoint.model.get('last').data, end)
      const long = checkpoint.model.get('long')
      t.is(long.byteLength, length)
      if (length <= constants.MAX_LENGTH) {
        t.is((await long.read()).length, length / 4)
        continue
      }
      const tooLarge = { code: 'CKPT_TENSOR_TOO_LARGE', message: /"long" has 4362076160 bytes/ }
      t.throws(() => long.data, tooLarge)
      await t.throwsAsync(long.read(), tooLarge)
    }
  },
)

test.serial('a hundred thousand tensors are saved, loaded, verified and restored', async (t) => {
  t.timeout(5 * 60_000)
  const path = join(await scratchFolder(t), 'many.ckpt')
  const count = 100_000
  const nameOf = (i: number) => `layers.${Math.floor(i / 10)}.block.${i % 10}.weight`
  const create = (value: (i: number) => number) =>
    memoryState(
      Object.fromEntries(
        Array.from({ length: count }, (_, i) => [
          nameOf(i),
          { shape: [2, 1 + (i % 7)], data: new Float32Array(2 + 2 * (i % 7)).fill(value(i)) },
        ]),
      ),
    )
  const model = create((i) => i)
  const report = await timed(t, 'saved, durably', () => saveCheckpoint(path, model))
  t.is(report.tensors, count)

  for (const map of canMap ? [true, false] : [false]) {
    const how = map ? 'mapped' : 'read'
    await using checkpoint = await timed(t, `${how}: opened`, () => loadCheckpoint(path, { map }))
    t.is(checkpoint.model.size, count)
    t.deepEqual([...checkpoint.model.keys()].slice(-2), [nameOf(count - 2), nameOf(count - 1)])
    await timed(t, `${how}: verified`, () => checkpoint.verify())
    const restored = create(() => -1)
    await timed(t, `${how}: restored`, () => restoreCheckpoint(checkpoint, restored))
    let differing = 0
    for (const [name, { data }] of Object.entries(model.tensors)) {
      const other = restored.tensors[name]!.data as Float32Array
      if (!bytesOf(data as Float32Array).every((byte, i) => byte === bytesOf(other)[i])) differing++
    }
    t.is(differing, 0)
    const array = await checkpoint.model.get(nameOf(54_321)).read()
    t.is(array[0], 54_321)
  }
})
