/** NumPy on the seam: `.npz` archives and `.npy` files as a Training, and a Training as these. */

import { nameFault } from '../format/text.js'
import { ReadAheadSource } from '../io/read-ahead-source.js'
import { quote } from '../printable.js'
import type { SaveReport } from '../save/write.js'
import { writeFile } from './file-writer.js'
import { DESCRIPTION, flatten, unflatten } from './flat.js'
import { npyElements, npyHeader, readNpy } from './npy.js'
import {
  ForeignState,
  type ForeignTensor,
  type InputPlace,
  notConvertible,
  type OutputPlace,
  type Training,
  type WriteOptions,
} from './training.js'
import { ZipArchive } from './zip/archive.js'
import { zipFile } from './zip/writer.js'

const FORMAT = 'numpy'

// What numpy.savez adds to the names of arrays.
const EXTENSION = '.npy'

// The entry with the description, and its length in bytes at most.
const DESCRIPTION_ENTRY = `${DESCRIPTION}.json`
const MAX_DESCRIPTION = 100_000_000

/** Whether a file is an archive of arrays, by the name of its first entry or its own. */
export async function isNpz(head: Uint8Array, { name, source }: InputPlace): Promise<boolean> {
  if (ZipArchive.isEmpty(head)) return true
  if (!ZipArchive.isZip(head) || head.length < 30) return false
  const length = head[26]! | (head[27]! << 8)
  // From the file: a name may be longer than the head.
  const first = new Uint8Array(Math.max(0, Math.min(length, source.size - 30)))
  await source.read(first, 30)
  const entry = new TextDecoder().decode(first)
  return (
    entry.endsWith(EXTENSION) || entry === DESCRIPTION_ENTRY || name.toLowerCase().endsWith('.npz')
  )
}

/** Reads an archive. Throws CKPT_FOREIGN_FILE (`zip.*`, `npy.*`), CKPT_NOT_CONVERTIBLE. */
export async function readNpzFile({ source }: InputPlace): Promise<Training> {
  // Memory has its bytes at hand: none of them are needed in advance.
  const ahead = source.kind === 'memory' ? source : new ReadAheadSource(source)
  try {
    const archive = await ZipArchive.open(ahead)
    const tensors: ForeignTensor[] = []
    let description: string | undefined
    for (const [name, entry] of archive.entries) {
      if (name === DESCRIPTION_ENTRY) {
        const bytes = await archive.bytes(entry, MAX_DESCRIPTION)
        description = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes)
      } else if (name.endsWith(EXTENSION)) {
        const tensor = name.slice(0, -EXTENSION.length)
        const contents = archive.entry(entry)
        tensors.push(await readNpy(tensor, contents))
        // Deflated entries would each keep an inflater.
        await contents.close()
      } else {
        throw notConvertible(`${quote(name)}, which is in the archive, is not an array`, {
          actual: name,
        })
      }
    }
    return unflatten(FORMAT, { tensors, description, notes: {} }, () => ahead.close())
  } catch (error) {
    ahead.close()
    throw error
  }
}

/** Writes an archive of stored arrays, as `numpy.savez` does. Every dtype has a form in it. */
export async function writeNpzFile(
  { sink }: OutputPlace,
  training: Training,
  { exact, onProgress, signal }: WriteOptions,
): Promise<SaveReport> {
  const flat = flatten(training, FORMAT, () => true, exact)
  const entries = flat.tensors.map((tensor) => {
    const fault = nameFault(tensor.name + EXTENSION)
    if (fault !== undefined) {
      throw notConvertible(`the name of a tensor, ${quote(tensor.name)}, ${fault}: rename it`, {
        tensor: tensor.name,
      })
    }
    return { name: tensor.name + EXTENSION, bytes: npyHeader(tensor), tensor: npyElements(tensor) }
  })
  const described =
    flat.description === undefined
      ? []
      : [{ name: DESCRIPTION_ENTRY, bytes: new TextEncoder().encode(flat.description) }]
  const contents = zipFile([...entries, ...described])
  const durability = await writeFile(sink, contents, { onProgress, signal })
  return { byteLength: contents.length, tensors: entries.length, durability }
}

/** Reads a single array, as a model with one tensor that is called like the file. */
export async function readNpyFile({ name, source }: InputPlace): Promise<Training> {
  try {
    const tensor = name.replace(/\.npy$/i, '') || 'array'
    const model = new ForeignState([await readNpy(tensor, source)])
    const close = (): void => source.close()
    return { format: 'npy', model, optimizer: null, extras: new Map(), progress: {}, close }
  } catch (error) {
    source.close()
    throw error
  }
}

/** Writes a single array. Throws CKPT_NOT_CONVERTIBLE where there is more than one, or something else. */
export async function writeNpyFile(
  { sink }: OutputPlace,
  training: Training,
  { onProgress, signal }: WriteOptions,
): Promise<SaveReport> {
  const { tensors, description } = flatten(training, FORMAT, () => true)
  const [tensor, second] = tensors
  if (tensor === undefined || second !== undefined || description !== undefined) {
    throw notConvertible('a .npy file holds one array, and nothing else: write a .npz file')
  }
  const head = npyHeader(tensor)
  const elements = npyElements(tensor)
  const length = head.byteLength + elements.byteLength
  const parts = [{ bytes: head }, { tensor: elements }]
  const durability = await writeFile(sink, { length, parts }, { onProgress, signal })
  return { byteLength: length, tensors: 1, durability }
}
