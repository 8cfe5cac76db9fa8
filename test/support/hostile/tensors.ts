/** Sound FlatBuffers that lie about tensors and values: sizes, places, types, duplicates. */

import { crc32 } from 'node:zlib'
import { Patch, type TablePatch } from '../format/patch.js'
import { type Fixture, refusedWith } from './fixture.js'
import { type Builder, type ForgedTensor, forge, state, tensor } from './forge.js'
import { tied } from './goldens.js'
import { type Roomy, roomy } from './roomy.js'

const FLOAT32 = 2
const FLOAT64 = 1
const UINT8 = 20
const FLOAT6 = 10

/** A file of metadata alone whose model has these tensors. */
function forged(...tensors: readonly ForgedTensor[]): () => Uint8Array {
  return () =>
    forge((b: Builder) => ({
      model: state(
        b,
        'model',
        tensors.map((t) => tensor(b, t)),
      ),
    }))
}

const sized = (dtype: number, shape: readonly (number | bigint)[], byteLength: number | bigint) =>
  forged({ name: 'w', dtype, shape, offset: 64, byteLength })

/** The tied golden with a change to its tensors, by name, and its checksum made to fit. */
function ofTied(change: (tensors: Record<string, TablePatch>, patch: Patch) => void) {
  return (): Uint8Array => {
    const patch = new Patch(tied.bytes)
    const names = [
      'embedding',
      'head',
      'bits',
      'nothing',
      'scalar',
      'half',
      'packed',
      'wide',
      'last',
    ]
    const tables = patch.root.table('model').tables('tensors')
    change(Object.fromEntries(names.map((name, i) => [name, tables[i]!])), patch)
    return patch.seal()
  }
}

/** Moves the segment of a tensor, as its offset and as its data say. */
function move(patch: Patch, table: TablePatch, by: number): void {
  const offset = table.position('offset')
  patch.view.setBigUint64(offset, patch.view.getBigUint64(offset, true) + BigInt(by), true)
  const data = table.position('data')
  patch.view.setUint32(data, patch.view.getUint32(data, true) + by, true)
}

const sizes: readonly Fixture[] = [
  ...refusedWith('CKPT_FORMAT', 'tensor.byte_length', {
    'a shape of 2^32 by 2^32, which is 0 in 64 bits': sized(UINT8, [2n ** 32n, 2n ** 32n], 0),
    'a shape of 65,536 by 65,536, which is 0 in 32 bits': sized(UINT8, [65_536, 65_536], 0),
    'a shape of 2^31 by 2, which is 0 in 32 bits': sized(UINT8, [2 ** 31, 2], 0),
    'a shape of 2^52 elements of 4 bytes': sized(FLOAT32, [2n ** 52n], 2n ** 53n - 1n),
    'a product of 2^53 + 2^32 that a double rounds': sized(UINT8, [2 ** 26 + 1, 2 ** 27], 0),
    'a length of 0 that hides a dimension of 2^53 - 1': sized(
      UINT8,
      [2n ** 53n - 1n, 0, 2n ** 53n - 1n],
      0,
    ),
    'a length one byte more than the shape': sized(FLOAT32, [3], 13),
    'a length one byte less than the shape': sized(FLOAT32, [3], 11),
    'a length in elements': sized(FLOAT32, [3], 3),
    'a scalar without bytes': sized(FLOAT32, [], 0),
    'an empty tensor with bytes': sized(FLOAT32, [0], 4),
    'a float64 with the bytes of a float32': sized(FLOAT64, [3], 12),
    'three elements of 6 bits, which fill no whole bytes': sized(FLOAT6, [3], 3),
    'a dtype that is wider than the one that was written': ofTied(({ half }) =>
      half!.set('dtype', FLOAT64),
    ),
  }),
  ...refusedWith('CKPT_FORMAT', 'integer.safe', {
    'a dimension of 2^53 + 1, which a double rounds to 2^53': sized(UINT8, [2n ** 53n + 1n], 0),
    'a dimension of 2^53': sized(UINT8, [2n ** 53n], 0),
    'a dimension of 2^64 - 1': sized(UINT8, [2n ** 64n - 1n], 0),
    'a length of 2^63': sized(UINT8, [0], 2n ** 63n),
    'an offset of 2^64 - 64, from which a length wraps to the start': forged({
      name: 'w',
      dtype: UINT8,
      shape: [64],
      offset: 2n ** 64n - 64n,
      byteLength: 64,
    }),
  }),
  ...refusedWith('CKPT_FORMAT', 'tensor.rank', {
    'a tensor of 65 dimensions': sized(UINT8, Array(65).fill(1), 1),
    'a tensor of a million dimensions': sized(UINT8, Array(1_000_000).fill(1), 1),
  }),
  ...refusedWith('CKPT_FORMAT', 'tensor.dtype', {
    'the dtype 0': sized(0, [1], 1),
    'the dtype 13, which there is not': sized(13, [1], 1),
    'the dtype 255': sized(255, [1], 1),
    'a tensor that does not say its dtype': roomy((p) => p.ownVtable(p.tensor(), { dtype: 0 })),
  }),
]

const places: readonly Fixture[] = [
  ...refusedWith('CKPT_FORMAT', 'tensor.offset', {
    'a segment over the metadata': ofTied(({ embedding }, p) => move(p, embedding!, -64)),
    'a segment at the start of the file': ofTied(({ embedding }) => embedding!.set('offset', 0)),
    'a segment behind the file': ofTied(({ last }) => last!.set('offset', 2 ** 40)),
    'a segment at 2^53 - 64': ofTied(({ last }) => last!.set('offset', 2 ** 53 - 64)),
    'a segment that is not aligned': ofTied(({ scalar }, p) => move(p, scalar!, 8)),
    'a segment that leaves 64 bytes unexplained': ofTied(({ embedding }, p) =>
      move(p, embedding!, 64),
    ),
    'segments in another order than their tensors': ofTied(({ scalar, half }) => {
      scalar!.set('offset', 1024)
      half!.set('offset', 960)
    }),
    'a segment that lies inside of another one': roomy((p) => {
      // The first one reaches over the start of the second one.
      p.tensor().setElement('shape', 1, 10)
      p.tensor().set('byte_length', 80)
    }),
  }),
  ...refusedWith('CKPT_FORMAT', 'tensor.range', {
    'a tensor that reaches beyond the end of the file': ofTied(({ wide }) => {
      wide!.setElement('shape', 0, 1000)
      wide!.set('byte_length', 16_000)
    }),
    'a tensor of a petabyte in a file of a kilobyte': ofTied(({ wide }) => {
      wide!.setElement('shape', 0, 2 ** 46)
      wide!.set('byte_length', 2 ** 50)
    }),
    'an offset and a length that are safe, and their sum is not': ofTied(({ wide }) => {
      wide!.setElement('shape', 0, 2 ** 49 - 1)
      wide!.set('byte_length', 2 ** 53 - 16)
    }),
  }),
  ...refusedWith('CKPT_FORMAT', 'tensor.alias', {
    'a shared segment of another length': ofTied(({ head }) => {
      head!.setElement('shape', 0, 2)
      head!.set('byte_length', 16)
    }),
    'a shared segment with another checksum': ofTied(({ head }) => head!.set('crc32', 1)),
    'an empty tensor in the place of another one': ofTied(({ nothing, embedding }, p) => {
      nothing!.set('offset', p.view.getBigUint64(embedding!.position('offset'), true))
    }),
  }),
  ...refusedWith('CKPT_FORMAT', 'tensor.data', {
    'data that is not where the offset says': ofTied(({ wide }, p) => {
      const at = wide!.position('data')
      p.view.setUint32(at, p.view.getUint32(at, true) + 64, true)
    }),
    'data that leads backwards': ofTied(({ wide }, p) =>
      p.view.setUint32(wide!.position('data'), 0xffffff00, true),
    ),
    'data that leads nowhere': ofTied(({ wide }, p) =>
      p.view.setUint32(wide!.position('data'), 0, true),
    ),
    'a tensor without data in a file that is a plain FlatBuffer': roomy((p) =>
      p.ownVtable(p.tensor(), { data: 0 }),
    ),
  }),
  ...refusedWith('CKPT_FORMAT', 'file_length', {
    'a model that has forgotten its last tensor': roomy((p) =>
      p.view.setUint32(p.model.target('tensors'), 2, true),
    ),
    'a model that has forgotten all of its tensors': roomy((p) =>
      p.view.setUint32(p.model.target('tensors'), 0, true),
    ),
  }),
  ...refusedWith('CKPT_FORMAT', 'tensor.unique', {
    'two tensors of one name': roomy((p) => p.tensor(1).setText('name', 'weight')),
    'a tensor that is listed twice': roomy((p) => {
      const at = p.model.target('tensors') + 12
      p.view.setUint32(at, p.tensor(0).at - at, true)
    }),
  }),
]

/** Changes a byte of the file behind the metadata, `by` bytes from where the first segment starts. */
function besideSegment(by: number) {
  return ofTied(({ embedding }, patch) => {
    const offset = Number(patch.view.getBigUint64(embedding!.position('offset'), true))
    patch.bytes[offset + by]! ^= 0x40
  })
}

/** What is only noticed when a tensor's bytes are asked for. */
const contents: readonly Fixture[] = [
  ...refusedWith(
    'CKPT_TENSOR_CHECKSUM',
    undefined,
    {
      'a bit that has changed in a tensor': besideSegment(3),
      'a checksum of another tensor': ofTied(({ wide }) => wide!.set('crc32', 0x12345678)),
      'an empty tensor with the checksum of something': ofTied(({ nothing }) =>
        nothing!.set('crc32', crc32(Uint8Array.of(1))),
      ),
    },
    'read',
  ),
  ...refusedWith(
    'CKPT_FORMAT',
    'gap',
    {
      'something hidden between the metadata and a segment': () => {
        const patch = new Patch(tied.bytes)
        patch.bytes[tied.metadataLength]! = 1
        return patch.seal()
      },
      'a length in front of a segment that is too short': besideSegment(-4),
      'a length in front of a segment that reaches beyond the file': besideSegment(-1),
    },
    'read',
  ),
]

const values: readonly Fixture[] = [
  ...refusedWith('CKPT_FORMAT', 'value.kind', {
    'a value of the kind 0': roomy((p) => p.attribute('flag').set('kind', 0)),
    'a value of the kind 10, which there is not': roomy((p) => p.attribute('flag').set('kind', 10)),
    'a text that is said to be a list': roomy((p) => p.attribute('text').set('kind', 8)),
    'a list that is said to be a map': roomy((p) => p.attribute('list').set('kind', 9)),
    'a number that is said to be null': roomy((p) => p.attribute('rate').set('kind', 1)),
    'a value that holds two things': roomy((p) => {
      const { rate, text } = { rate: p.attribute('rate'), text: p.attribute('text') }
      p.ownVtable(rate, { integer: p.view.getUint16(rate.entry('number'), true) })
      text.set('kind', 7)
    }),
    'a value that holds nothing': roomy((p) => p.ownVtable(p.attribute('rate'), { number: 0 })),
  }),
  ...refusedWith('CKPT_FORMAT', 'integer.safe', {
    'an epoch of 2^53': roomy((p: Roomy) => p.root.set('epoch', 2n ** 53n)),
    'a step of -2^63': roomy((p: Roomy) => p.root.set('step', -(2n ** 63n))),
  }),
]

export const tensors: readonly Fixture[] = [...sizes, ...places, ...contents, ...values]
