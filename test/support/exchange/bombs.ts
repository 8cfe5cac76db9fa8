/** Small files of other formats that stand for something enormous: each is refused, at once and in little memory. */

import { archive, bytesOf, op, storage, storedZip } from './pickle.js'
import { safetensorsOf } from './tensor-seeds.js'
import { zip } from './zip.js'

/** A file, with the rule of the error. */
export interface Bomb {
  readonly what: string
  /** With the extension of its format. */
  readonly name: string
  readonly make: () => Uint8Array
  readonly rule: string
}

const floats = new Uint8Array(Float32Array.of(0, 1, 2, 3, 4, 5).buffer)

const repeated = (part: string | Uint8Array, times: number) =>
  Buffer.concat(Array.from({ length: times }, () => Buffer.from(part)))

function tensorOfLength(length: Uint8Array): Uint8Array {
  return bytesOf(
    op.global('torch._utils', '_rebuild_tensor_v2'),
    op.tuple(storage('FloatStorage', '0', 6), length, ')', ')'),
    'R',
  )
}

const PICKLES: { readonly [what: string]: readonly [Uint8Array, rule: string] } = {
  'lists 20,000 deep': [
    bytesOf(repeated(']', 20_000), repeated('a', 19_999), '.'),
    'pytorch.budget',
  ],
  'a list a hundred times in a list, 25 times over': [
    bytesOf(
      ...['(Nq', 0],
      ...Array.from({ length: 25 }, (_, i) =>
        bytesOf(']q', i + 1, '(', repeated(Uint8Array.of(0x68, i), 100), 'e'),
      ),
      't.',
    ),
    'pytorch.budget',
  ],
  'a list in itself': [bytesOf(']q', 0, 'h', 0, 'a.'), 'pytorch.budget'],
  'a text of 4 GiB': [bytesOf('X', [0xff, 0xff, 0xff, 0xff], '.'), 'pytorch.pickle'],
  'marks without an end': [bytesOf(repeated('(', 20_000), '.'), 'pytorch.pickle'],
  'a memo far away': [bytesOf('j', [0xff, 0xff, 0xff, 0xff], '.'), 'pytorch.pickle'],
  'a number of 2,040 bits as a length': [
    bytesOf(tensorOfLength(bytesOf(0x8a, 255, new Uint8Array(255).fill(0x7f))), '.'),
    'pytorch.call',
  ],
}

/** The bombs for PyTorch's readers. */
export const pytorchBombs: readonly Bomb[] = [
  ...Object.entries(PICKLES).map(([what, [pickle, rule]], i) => ({
    what,
    name: `${i}.pt`,
    make: () => archive(bytesOf(op.proto, pickle), { 0: floats }),
    rule,
  })),
  {
    what: 'a pickle of 60 MB in 60 kB of a ZIP archive',
    name: 'deflated.pt',
    make: () => storedZip({ 'a/data.pkl': Buffer.alloc(60_000_000, 'N') }, { deflate: true }),
    rule: 'zip.size',
  },
]

/** The bombs of all formats. */
export const foreignBombs: readonly Bomb[] = [
  ...pytorchBombs,
  {
    what: 'fifty entries of a ZIP archive over the same megabyte',
    name: 'overlap.npz',
    make: () =>
      zip(
        Array.from({ length: 50 }, (_, i) => ({
          ...{ name: `${i}.npy`, contents: new Uint8Array(1e6), deflate: true },
          says: { offset: 0 },
        })),
      ),
    rule: 'zip.overlap',
  },
  {
    what: 'an array that says more elements than any memory has',
    name: 'long.npy',
    make: () => {
      const header = "{'descr': '<f8', 'fortran_order': False, 'shape': (4503599627370495,), }"
      const text = `${header.padEnd(117)}\n`
      return bytesOf([0x93], 'NUMPY', [1, 0, 118, 0], text)
    },
    rule: 'npy.length',
  },
  {
    what: 'a header of safetensors that nests ten million lists',
    name: 'deep.safetensors',
    make: () => safetensorsOf(`{"a":${'['.repeat(10_000_000)}`, new Uint8Array(0)),
    rule: 'safetensors.header',
  },
  {
    what: 'a tensor of safetensors that says more elements than any memory has',
    name: 'long.safetensors',
    make: () => {
      const info = { dtype: 'F64', shape: [2 ** 40, 2 ** 40], data_offsets: [0, 8] }
      return safetensorsOf(JSON.stringify({ a: info }), new Uint8Array(8))
    },
    rule: 'safetensors.info',
  },
]
