/**
 * Files that are too large to be kept, made when they are needed: one of 100,000 tensors, those around
 * the length at which a file is no FlatBuffer any more, and one of more than 4 GiB.
 */

import { open, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { MemorySink, type NamedTensors, saveCheckpoint } from '../../../src/index.js'
import { Patch } from '../format/patch.js'
import { saveGolden } from '../golden/save.js'
import type { Golden, GoldenTensor } from '../golden/v1.js'
import type { Case } from './cases.js'
import { expectedReport, segmentOffset } from './expected-report.js'
import { checksumText, type FileReport, hex, type ReportedTensor } from './report.js'

const COUNT = 100_000
const GIB = 2 ** 30

/** The first length that is too long for a FlatBuffer. */
const LIMIT = 2 ** 31 - 1

/** A file of 100,000 tensors, in `folder`. */
export async function manyTensors(folder: string): Promise<Case> {
  const tensors = Array.from({ length: COUNT }, (_, i): GoldenTensor => {
    const bytes = Uint8Array.from({ length: 4 * (1 + (i % 3)) }, (_, k) => (i * 7 + k) & 0xff)
    return { name: `h.${i}.weight`, dtype: 'float32', shape: [bytes.byteLength / 4], bytes }
  })
  const holds: Golden = {
    epoch: 1,
    step: 2,
    loss: 0.5,
    metrics: [],
    config: null,
    model: { name: 'model', kind: null, attributes: {}, tensors },
    optimizer: null,
    extras: [],
  }
  const bytes = await saveGolden(holds)
  const path = join(folder, 'many-tensors.ckpt')
  await writeFile(path, bytes)
  return {
    name: 'generated/100,000 tensors',
    path,
    expected: expectedReport(holds, metadataLengthOf(bytes)),
  }
}

function metadataLengthOf(bytes: Uint8Array): number {
  const { view, root } = new Patch(bytes)
  return view.getUint32(root.position('metadata_length'), true)
}

/** A tensor of zeros but for its last byte; a short one is all that byte. */
interface Long {
  readonly name: string
  readonly length: number
}

/** Saves uint8 tensors one after the other, so that it takes the memory of one. */
async function save(target: string | MemorySink, tensors: readonly Long[]): Promise<void> {
  const named: NamedTensors = Object.fromEntries(
    tensors.map(({ name, length }) => [
      name,
      { dtype: 'uint8', shape: [length], data: async () => longBytes(length) },
    ]),
  )
  await saveCheckpoint(target, { stateDict: () => named }, null, { step: 1 })
}

function longBytes(length: number): Uint8Array {
  const bytes = new Uint8Array(length)
  bytes[length - 1] = 0xa5
  return bytes
}

function checksumOf(length: number): number {
  const slice = new Uint8Array(Math.min(length - 1, 2 ** 26))
  let crc = 0
  for (let left = length - 1; left > 0; left -= slice.byteLength) {
    crc = crc32(slice.subarray(0, Math.min(left, slice.byteLength)), crc)
  }
  return crc32(Uint8Array.of(0xa5), crc)
}

function longReport(tensors: readonly Long[], metadataLength: number): FileReport {
  let end = metadataLength
  const reported = tensors.map(({ name, length }): ReportedTensor => {
    const offset = segmentOffset(end)
    end = offset + length
    return {
      name,
      dtype: 'uint8',
      shape: [String(length)],
      offset: String(offset),
      byte_length: String(length),
      crc32: checksumText(checksumOf(length)),
      bytes: length <= 256 ? hex(longBytes(length)) : null,
    }
  })
  return {
    version: 1,
    metadata_length: metadataLength,
    file_length: end,
    epoch: 0,
    step: 1,
    loss: null,
    metrics: [],
    config: null,
    sequence: null,
    saved_at: null,
    states: [{ name: 'model', kind: null, attributes: [], tensors: reported }],
  }
}

/** The length of the metadata of such a file, which does not depend on the lengths of its tensors. */
async function longMetadata(names: readonly string[]): Promise<Uint8Array> {
  const sink = new MemorySink()
  await save(
    sink,
    names.map((name) => ({ name, length: 1 })),
  )
  return sink.bytes.slice(0, metadataLengthOf(sink.bytes))
}

async function longCase(folder: string, name: string, tensors: readonly Long[]): Promise<Case> {
  const path = join(folder, `${name.replace(/\W+/g, '-')}.ckpt`)
  await save(path, tensors)
  const metadata = await longMetadata(tensors.map(({ name }) => name))
  return {
    name: `generated/${name}`,
    path,
    expected: longReport(tensors, metadata.byteLength),
  }
}

/** A file of zeros behind the start of another file, changed. Takes no room where files are sparse. */
async function forged(
  folder: string,
  name: string,
  of: Case,
  change: (patch: Patch) => void,
): Promise<Case> {
  const source = await open(of.path)
  const { metadata_length, file_length } = of.expected as FileReport
  const start = new Uint8Array(metadata_length)
  await source.read(start, 0, metadata_length, 0)
  await source.close()
  const patch = new Patch(start)
  change(patch)
  const path = join(folder, `${name.replace(/\W+/g, '-')}.ckpt`)
  const target = await open(path, 'wx')
  await target.write(patch.seal(), 0, metadata_length, 0)
  await target.truncate(file_length)
  await target.close()
  return {
    name: `generated/${name}`,
    path,
    expected: { error: { code: 'CKPT_FORMAT', rule: 'tensor.data' } },
  }
}

/** Files around 2 GiB, and of more than 4 GiB, in `folder`: some 9 GB of disk. */
export async function longFiles(folder: string): Promise<Case[]> {
  const names = ['long', 'last']
  const { byteLength: metadataLength } = await longMetadata(names)
  // The long tensor's length ends at a multiple of 64 less 4, so that nothing lies before the last one.
  const start = segmentOffset(metadataLength)
  const ending = (fileLength: number): Long[] => {
    const last = fileLength % 64 || 64
    const long = fileLength - last - 4 - start
    return [
      { name: 'long', length: long },
      { name: 'last', length: last },
    ]
  }
  const plain = await longCase(folder, '2 GiB less 2, one FlatBuffer', ending(LIMIT - 1))
  const longer = await longCase(folder, '2 GiB less 1, no data', ending(LIMIT))
  const largest = await longCase(folder, 'more than 4 GiB', [
    { name: 'beyond an int32', length: 2 * GIB + 4_000 },
    { name: 'from there', length: 2 * GIB + 100 * 2 ** 20 },
    { name: 'beyond a uint32', length: 200 },
  ])
  const tensor = (patch: Patch) => patch.root.table('model').tables('tensors')[1]!
  return [
    plain,
    longer,
    largest,
    await forged(folder, '2 GiB less 2, without data', plain, (patch) => {
      tensor(patch).drop('data')
    }),
    await forged(folder, '2 GiB less 1, with data', longer, (patch) => {
      // The writer leaves the room of the field in the table: it is the one that no entry leads to.
      const table = tensor(patch)
      patch.view.setUint16(table.entry('data'), freeEntry(patch, table), true)
    }),
  ]
}

/** Where in its table a tensor has four bytes, aligned, that belong to no field. */
function freeEntry(patch: Patch, table: ReturnType<Patch['root']['table']>): number {
  const length = patch.view.getUint16(table.vtable + 2, true)
  const taken = new Set<number>()
  for (const { slot, type } of patch.schema.tables.Tensor!) {
    const entry = patch.view.getUint16(table.vtable + slot, true)
    const size = type.base === 'scalar' ? type.size : 4
    for (let i = 0; entry !== 0 && i < size; i++) taken.add(entry + i)
  }
  for (let entry = 4; entry + 4 <= length; entry++) {
    const free = [0, 1, 2, 3].every((i) => !taken.has(entry + i))
    if ((table.at + entry) % 4 === 0 && free) return entry
  }
  throw new Error('there is no room for data')
}
