/** The reader and writer of safetensors: a file, or an index with its shards, as a Training, and back. */

import { describe } from '../format/attributes.js'
import { decodeText } from '../format/text.js'
import { ReadAheadSource } from '../io/read-ahead-source.js'
import type { Source } from '../io/source.js'
import { quote } from '../printable.js'
import type { SaveReport } from '../save/write.js'
import { writeFile } from './file-writer.js'
import { DESCRIPTION, flatten, unflatten } from './flat.js'
import {
  formatHeader,
  type Header,
  hasDType,
  headerLength,
  LENGTH_BYTES,
  MAX_HEADER,
  parseHeader,
} from './safetensors-header.js'
import {
  ForeignTensor,
  foreignFault,
  type InputPlace,
  notConvertible,
  type OutputPlace,
  type Training,
  type WriteOptions,
} from './training.js'

const FORMAT = 'safetensors'

// A note that programs expect in files of models; it has no meaning of its own.
const USUAL_NOTES = { format: 'pt' }

/** Whether the bytes begin like a safetensors file: a possible length, and the brace of the header. */
export function isSafetensors(head: Uint8Array, size: number): boolean {
  if (head.length <= LENGTH_BYTES) return false
  const length = new DataView(head.buffer, head.byteOffset).getBigUint64(0, true)
  if (length < 2n || length > MAX_HEADER || LENGTH_BYTES + Number(length) > size) return false
  return beginsAsJson(head.subarray(LENGTH_BYTES))
}

/** Reads a file. Throws CKPT_FOREIGN_FILE with the broken rule. */
export async function readSafetensorsFile({ source }: InputPlace): Promise<Training> {
  try {
    const { tensors, metadata, close } = await readShard(source)
    const { [DESCRIPTION]: description, ...notes } = metadata
    const flat = { tensors, description, notes: isUsual(notes) ? {} : notes }
    return unflatten(FORMAT, flat, close)
  } catch (error) {
    source.close()
    throw error
  }
}

async function readShard(
  source: Source,
): Promise<{ tensors: ForeignTensor[]; metadata: Header['metadata']; close: () => void }> {
  const head = new Uint8Array(Math.min(LENGTH_BYTES, source.size))
  await source.read(head, 0)
  const length = headerLength(head, source.size)
  const json = new Uint8Array(length)
  await source.read(json, LENGTH_BYTES)
  const start = LENGTH_BYTES + length
  const header = parseHeader(json, source.size - start)
  // The bytes are in memory, so none are read in advance.
  const ahead = source.kind === 'memory' ? source : new ReadAheadSource(source)
  const tensors = header.tensors.map(
    ({ name, dtype, shape, start: from }) =>
      new ForeignTensor(name, {
        dtype,
        shape,
        readsAtOnce: ahead.readsAtOnce,
        read: (target, position) => ahead.read(target, start + from + position),
      }),
  )
  return { tensors, metadata: header.metadata, close: () => ahead.close() }
}

function isUsual(notes: Header['metadata']): boolean {
  return Object.keys(notes).length === 1 && notes.format === USUAL_NOTES.format
}

// The ending of an index's name, and its greatest length in bytes.
const INDEX = '.safetensors.index.json'
const MAX_INDEX = MAX_HEADER

/** Whether a file is an index of shards, by its content and name. */
export function isSafetensorsIndex(head: Uint8Array, name: string): boolean {
  return (
    beginsAsJson(head) &&
    (name.toLowerCase().endsWith(INDEX) || new TextDecoder().decode(head).includes('"weight_map"'))
  )
}

/** Whether the first byte other than white space is a brace. */
function beginsAsJson(bytes: Uint8Array): boolean {
  return bytes.find((byte) => ![9, 10, 13, 32].includes(byte)) === 0x7b
}

/** Reads an index and opens its shards. Throws CKPT_FOREIGN_FILE, CKPT_READ. */
export async function readSafetensorsIndex({ source, sibling }: InputPlace): Promise<Training> {
  const closers = [() => source.close()]
  const close = (): void => {
    for (const each of closers) each()
  }
  try {
    const shardOf = await readIndex(source)
    const tensors: ForeignTensor[] = []
    let notes: Header['metadata'] | undefined
    for (const file of [...new Set(shardOf.values())].sort()) {
      const shard = await sibling(file)
      closers.push(() => shard.close())
      const read = await readShard(shard)
      closers.push(read.close)
      for (const tensor of read.tensors) {
        if (shardOf.get(tensor.name) !== file) {
          throw badIndex(
            `${quote(tensor.name)} is in ${quote(file)}, where the index has it not`,
            tensor.name,
          )
        }
        tensors.push(tensor)
      }
      notes ??= read.metadata
    }
    const found = new Set(tensors.map(({ name }) => name))
    const missing = [...shardOf.keys()].find((name) => !found.has(name))
    if (missing !== undefined) {
      throw badIndex(`${quote(missing)} is not in ${quote(shardOf.get(missing)!)}`, missing)
    }
    const { [DESCRIPTION]: description, ...rest } = notes ?? {}
    const flat = { tensors, description, notes: isUsual(rest) ? {} : rest }
    return unflatten(FORMAT, flat, close)
  } catch (error) {
    close()
    throw error
  }
}

/** The file of each tensor. */
async function readIndex(source: Source): Promise<ReadonlyMap<string, string>> {
  if (source.size > MAX_INDEX) throw badIndex(`it has ${source.size} bytes, more than ${MAX_INDEX}`)
  const bytes = new Uint8Array(source.size)
  await source.read(bytes, 0)
  let map: unknown
  try {
    map = JSON.parse(decodeText(bytes, 'the index')).weight_map
  } catch (cause) {
    throw foreignFault('safetensors.index', 'the index is not JSON text', { cause })
  }
  if (typeof map !== 'object' || map === null) throw badIndex('it has no weight_map')
  const entries = Object.entries(map)
  for (const [name, file] of entries) {
    if (typeof file !== 'string')
      throw badIndex(`the file of ${quote(name)} is ${describe(file)}`, name)
  }
  return new Map(entries)
}

function badIndex(message: string, tensor?: string): Error {
  return foreignFault('safetensors.index', `the index does not fit its shards: ${message}`, {
    ...(tensor === undefined ? {} : { tensor }),
  })
}

/** Reads a file or an index, depending on its content. */
export async function readSafetensorsAny(place: InputPlace): Promise<Training> {
  const { source } = place
  const head = new Uint8Array(Math.min(64, source.size))
  try {
    await source.read(head, 0)
  } catch (error) {
    source.close()
    throw error
  }
  const isIndex = !isSafetensors(head, source.size) && beginsAsJson(head)
  return isIndex ? readSafetensorsIndex(place) : readSafetensorsFile(place)
}

/**
 * Writes a file. `given` are notes that replace those in the model's attributes. Throws CKPT_NOT_CONVERTIBLE for a
 * dtype that safetensors does not have, unless `raw` is set.
 */
export async function writeSafetensorsFile(
  { sink }: OutputPlace,
  training: Training,
  { raw = false, exact, onProgress, signal }: WriteOptions,
  given?: { readonly [name: string]: string },
): Promise<SaveReport> {
  const flat = flatten(training, FORMAT, ({ dtype }) => hasDType(dtype), exact)
  const tensors = flat.tensors.map((tensor) => written(tensor, raw))
  const notes = given ?? (Object.keys(flat.notes).length > 0 ? flat.notes : USUAL_NOTES)
  const metadata =
    flat.description === undefined
      ? notes
      : { ...(flat.isModel ? notes : (given ?? flat.notes)), [DESCRIPTION]: flat.description }
  const { head, order } = formatHeader(tensors, metadata)
  const length = order.reduce((sum, { byteLength }) => sum + byteLength, head.byteLength)
  const parts = [{ bytes: head }, ...order.map((tensor) => ({ tensor }))]
  const durability = await writeFile(sink, { length, parts }, { onProgress, signal })
  return { byteLength: length, tensors: tensors.length, durability }
}

/** A tensor for safetensors: as bytes if safetensors does not have its dtype. */
function written(tensor: ForeignTensor, raw: boolean): ForeignTensor {
  const { name, dtype, byteLength } = tensor
  if (name === '__metadata__') {
    throw notConvertible('a tensor called "__metadata__" has no place in safetensors: rename it', {
      tensor: name,
    })
  }
  if (hasDType(dtype)) return tensor
  if (!raw) {
    throw notConvertible(
      `${quote(name)} is ${dtype}, which safetensors does not have: ask for its raw bytes (raw), or convert it`,
      { tensor: name, actual: dtype },
    )
  }
  return new ForeignTensor(name, {
    dtype: 'uint8',
    shape: [byteLength],
    readsAtOnce: tensor.readsAtOnce,
    read: (target, position) => tensor.readBytes(target, position),
  })
}
