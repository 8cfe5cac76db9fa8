/** Files that are wrong as a whole: not ours, cut, extended, or with a head that lies. */

import { Patch } from '../format/patch.js'
import { type Fixture, refusedWith } from './fixture.js'
import { forge, state } from './forge.js'
import { plainModel, training } from './goldens.js'

const file = plainModel.bytes
const { metadataLength } = plainModel

const text = (start: string): Uint8Array => new TextEncoder().encode(start.padEnd(256))
const bytes = (...start: number[]): Uint8Array =>
  Uint8Array.from({ length: 256 }, (_, i) => start[i] ?? 0)

function joined(...parts: Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]))
}

/** The golden with one change, its checksum made to fit where that can be found. */
function changed(change: (patch: Patch) => void, seal = true): () => Uint8Array {
  return () => {
    const patch = new Patch(file)
    change(patch)
    return seal ? patch.seal() : patch.bytes
  }
}

/** The same file, with its root table in another place: where `root` says. */
function rootAt(root: number): () => Uint8Array {
  return changed((patch) => patch.view.setUint32(0, root, true), false)
}

/** A file of more than 4 KiB, so that its head is not all of it. */
const long = forge((b) => {
  const names = Array.from({ length: 100 }, (_, i) => state(b, `extra ${i}`.padEnd(64), []))
  return { model: state(b, 'model', []), extras: names }
})

function longRootAt(root: number): () => Uint8Array {
  return () => {
    const patch = new Patch(long)
    patch.view.setUint32(0, root, true)
    return patch.bytes
  }
}

/** The long file, its root table moved behind the first 4 KiB with all that it leads to. */
function rootTooFar(): Uint8Array {
  const patch = new Patch(long)
  const { root } = patch
  const at = 4096
  const length = patch.view.getUint16(root.vtable + 2, true)
  patch.bytes.copyWithin(at, root.at, root.at + length)
  patch.view.setInt32(at, at - root.vtable, true)
  patch.view.setUint32(0, at, true)
  return patch.bytes
}

export const container: readonly Fixture[] = [
  ...refusedWith('CKPT_NOT_A_CHECKPOINT', undefined, {
    'an empty file': () => new Uint8Array(0),
    'a file of one byte': () => file.slice(0, 1),
    'a file that ends in its identifier': () => file.slice(0, 7),
    'a file of zeros': () => new Uint8Array(4096),
    'another identifier': changed((patch) => patch.bytes.set([0x4c, 0x57, 0x43, 0x4c], 4)),
    'an identifier in lower case': changed((patch) => patch.bytes.set([0x6c, 0x77, 0x63, 0x6b], 4)),
    'a length in front of the FlatBuffer': () => {
      const prefixed = new Uint8Array(file.length + 4)
      new DataView(prefixed.buffer).setUint32(0, file.length, true)
      prefixed.set(file, 4)
      return prefixed
    },
    'a zip archive': () => bytes(0x50, 0x4b, 3, 4, 20),
    'a pickle': () => bytes(0x80, 4, 0x95),
    'a safetensors file': () => bytes(64, 0, 0, 0, 0, 0, 0, 0, 0x7b, 0x22),
    'an HDF5 file': () => bytes(0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a),
    'a page of HTML with a checkpoint behind it': () => joined(text('<!doctype html>'), file),
    'an executable with a checkpoint behind it': () => joined(bytes(0x4d, 0x5a, 0x90), file),
    'a file in the reverse order of bytes': () => file.slice().reverse(),
  }),

  ...refusedWith('CKPT_FILE_LENGTH', undefined, {
    'a file that ends behind its identifier': () => file.slice(0, 8),
    'a file without its last byte': () => file.slice(0, -1),
    'a file that ends with its metadata': () => file.slice(0, metadataLength),
    'a file with a byte too many': () => joined(file, Uint8Array.of(0)),
    'two files in a row': () => joined(file, file),
    'a file with a zip archive behind it': () => joined(file, bytes(0x50, 0x4b, 5, 6)),
    'a file length of 0': changed((patch) => patch.root.set('file_length', 0)),
    'a file length of 2^32': changed((patch) => patch.root.set('file_length', 2n ** 32n)),
    'a file length of 2^32 and its own': changed((patch) =>
      patch.root.set('file_length', 2n ** 32n + BigInt(file.length)),
    ),
    'a file length of 2^53': changed((patch) => patch.root.set('file_length', 2n ** 53n)),
    'a file length of -1': changed((patch) => patch.root.set('file_length', -1n)),
    'a file length of -2^63': changed((patch) => patch.root.set('file_length', -(2n ** 63n))),
  }),
  ...refusedWith('CKPT_FILE_LENGTH', 'head', {
    'a root table beyond the end': rootAt(file.length),
    'a root table far beyond the end': rootAt(0x7ffffffc),
    'a root table before the start': rootAt(0xfffffff0),
    'a root table in the root offset': rootAt(0),
    'a root table in the identifier': rootAt(4),
    'a root table that is not aligned': rootAt(new Patch(file).root.at + 2),
    'a root table whose vtable lies before the file': changed(
      (patch) => patch.view.setInt32(patch.root.at, 0x7fffffff, true),
      false,
    ),
    'a root table whose vtable lies behind the file': changed(
      (patch) => patch.view.setInt32(patch.root.at, -0x80000000, true),
      false,
    ),
    'a root table whose vtable is longer than the file': changed(
      (patch) => patch.view.setUint16(patch.root.vtable, 0xfffe, true),
      false,
    ),
    'a version that lies beyond the file': changed(
      (patch) => patch.view.setUint16(patch.root.entry('version'), 0xfffc - patch.root.at, true),
      false,
    ),
  }),
  ...refusedWith('CKPT_FORMAT', 'head', {
    'a long file with its root table behind the first 4 KiB': rootTooFar,
    'a long file with its root table beyond its end': longRootAt(0x7ffffffc),
    'a root table without a version': changed((patch) => patch.root.drop('version'), false),
    'a root table without a file length': changed((patch) => patch.root.drop('file_length'), false),
    'a root table without a metadata length': changed(
      (patch) => patch.root.drop('metadata_length'),
      false,
    ),
    'a root table without a checksum': changed((patch) => patch.root.drop('metadata_crc32'), false),
    'a root table whose vtable has no entries': changed(
      (patch) => patch.view.setUint16(patch.root.vtable, 4, true),
      false,
    ),
    'a version that is not aligned': changed((patch) => {
      const entry = patch.root.entry('version')
      patch.view.setUint16(entry, patch.view.getUint16(entry, true) + 1, true)
    }, false),
  }),

  ...refusedWith('CKPT_VERSION', undefined, {
    'version 2': changed((patch) => patch.root.set('version', 2)),
    'version 2^32 - 1': changed((patch) => patch.root.set('version', 2 ** 32 - 1)),
    'version 2, with a checksum that is made in another way': changed(
      (patch) => patch.root.set('version', 2),
      false,
    ),
  }),
  ...refusedWith('CKPT_FORMAT', 'version', {
    'version 0': changed((patch) => patch.root.set('version', 0)),
  }),

  ...refusedWith('CKPT_FORMAT', 'metadata_length', {
    'a metadata length of 0': changed((patch) => patch.root.set('metadata_length', 0), false),
    'a metadata length of 11': changed((patch) => patch.root.set('metadata_length', 11), false),
    'a metadata length beyond the file': changed(
      (patch) => patch.root.set('metadata_length', file.length + 1),
      false,
    ),
    'a metadata length of 2^31 - 1': changed(
      (patch) => patch.root.set('metadata_length', 2 ** 31 - 1),
      false,
    ),
    'a metadata length of 2^32 - 1': changed(
      (patch) => patch.root.set('metadata_length', 2 ** 32 - 1),
      false,
    ),
    'metadata that ends before its checksum': changed(
      (patch) => patch.root.set('metadata_length', patch.root.position('metadata_crc32')),
      false,
    ),
  }),

  ...refusedWith('CKPT_METADATA_CHECKSUM', undefined, {
    'a checksum of another file': changed((patch) => {
      patch.root.set('metadata_crc32', new Patch(training.bytes).view.getUint32(8, true))
    }, false),
    'a checksum of 0': changed((patch) => patch.root.set('metadata_crc32', 0), false),
    'a byte of padding that is changed': changed((patch) => {
      patch.bytes[metadataLength - 1]! ^= 1
    }, false),
  }),

  ...refusedWith('CKPT_FORMAT', 'file_length', {
    'bytes behind the last segment that belong to nothing': () => {
      const patch = new Patch(joined(file, new Uint8Array(64)))
      patch.root.set('file_length', file.length + 64)
      return patch.seal()
    },
  }),
  ...refusedWith('CKPT_FORMAT', 'tensor.range', {
    'a file without its last byte that knows': () => {
      const patch = new Patch(file.subarray(0, -1))
      patch.root.set('file_length', file.length - 1)
      return patch.seal()
    },
  }),
  // All that was cut off is reached by something, and the vectors are laid out behind the tables.
  ...refusedWith('CKPT_FLATBUFFER', 'flatbuffer.range', {
    'metadata that ends in the middle of a string': changed((patch) => {
      const name = patch.root.table('model').tables('tensors')[0]!.target('name')
      patch.root.set('metadata_length', name + 6)
    }),
  }),
]
