import { readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import test from 'ava'
import { loadNpy, loadNpz, saveNpy, saveNpz } from '../../src/exchange/node/numpy.js'
import { loadSafetensors, saveSafetensors } from '../../src/exchange/node/safetensors.js'
import type { ForeignState } from '../../src/exchange/training.js'
import { arrayType, type DType, dtypes, tensorByteLength } from '../../src/format/dtype.js'
import type { TensorLike } from '../../src/state.js'
import { runTorch, torch } from '../support/exchange/torch-python.js'
import { requires } from '../support/requires.js'
import { scratchFolder } from '../support/scratch.js'

const testWithPython = requires(test, torch)

interface Described {
  readonly dtype: string
  readonly shape: readonly number[]
  /** Hexadecimal. */
  readonly bytes: string
}

type Contents = { readonly [name: string]: Described }

async function described(state: ForeignState): Promise<Contents> {
  const found: { [name: string]: Described } = {}
  for (const [name, tensor] of state) {
    const array = await tensor.read()
    const bytes = Buffer.from(array.buffer, array.byteOffset, array.byteLength).toString('hex')
    found[name] = { dtype: tensor.dtype, shape: tensor.shape, bytes }
  }
  return found
}

testWithPython(
  'files of the Rust library and of NumPy are read bit for bit, and written again',
  async (t) => {
    const folder = await scratchFolder(t)
    await runTorch('tensors_corpus.py', 'write', folder)
    const corpus = JSON.parse(await readFile(join(folder, 'corpus.json'), 'utf8'))
    for (const [name, expected] of Object.entries<Contents>(corpus)) {
      const path = join(folder, name)
      if (name.endsWith('.npy')) {
        const { dtype, shape, data } = await loadNpy(path)
        const bytes = Buffer.from(data.buffer).toString('hex')
        t.deepEqual({ [basename(name, '.npy')]: { dtype, shape, bytes } }, expected)
        continue
      }
      const file = await (name.endsWith('.npz') ? loadNpz(path) : loadSafetensors(path))
      t.deepEqual(await described(file.model), expected, name)
      if (name.endsWith('.safetensors')) {
        // The same bytes as those of the Rust library.
        const again = join(folder, 'again.safetensors')
        await saveSafetensors(again, file.model)
        t.deepEqual(await readFile(again), await readFile(path))
      }
      file.close()
    }
    const first = await loadNpy(join(folder, 'version1.npy'))
    await saveNpy(join(folder, 'again.npy'), first)
    t.deepEqual(
      await readFile(join(folder, 'again.npy')),
      await readFile(join(folder, 'version1.npy')),
    )
  },
)

/** A tensor of every dtype and of these shapes, with bytes that differ. */
function everyDType(only: (dtype: DType) => boolean): { [name: string]: TensorLike } {
  const tensors: { [name: string]: TensorLike } = {}
  for (const dtype of dtypes.filter(only)) {
    for (const shape of [[], [8], [0, 3], [2, 3, 4]]) {
      const length = tensorByteLength(dtype, shape)
      if (length === undefined) continue
      const bytes = Uint8Array.from({ length }, (_, i) =>
        dtype === 'bool' ? i & 1 : (i * 37) & 255,
      )
      const ArrayType = arrayType(dtype)
      const data = new ArrayType(bytes.buffer, 0, length / ArrayType.BYTES_PER_ELEMENT)
      tensors[`${dtype}/${shape.join('x')}`] = { dtype, shape, data }
    }
  }
  return tensors
}

const hex = ({ data }: TensorLike): string =>
  Buffer.from((data as Uint8Array).buffer).toString('hex')

testWithPython(
  'every dtype that is written to safetensors is read by the Rust library bit for bit',
  async (t) => {
    const path = join(await scratchFolder(t), 'ours.safetensors')
    const tensors = everyDType((dtype) => !['complex128', 'int4', 'uint4'].includes(dtype))
    await saveSafetensors(path, tensors, { metadata: { "a 'note'": 'ü\n' } })
    const found: Contents = JSON.parse(await runTorch('tensors_corpus.py', 'read', path))
    t.deepEqual(Object.keys(found).sort(), Object.keys(tensors).sort())
    for (const [name, tensor] of Object.entries(tensors)) {
      t.deepEqual(found[name]!.shape, tensor.shape, name)
      t.is(found[name]!.bytes, hex(tensor), name)
    }
  },
)

testWithPython(
  'every dtype that is written to .npz is read by NumPy bit for bit, under its type',
  async (t) => {
    const path = join(await scratchFolder(t), 'ours.npz')
    const tensors = everyDType(() => true)
    await saveNpz(path, tensors)
    const found: Contents = JSON.parse(await runTorch('tensors_corpus.py', 'read', path))
    t.deepEqual(Object.keys(found).sort(), Object.keys(tensors).sort())
    const { model, close } = await loadNpz(path)
    for (const [name, tensor] of Object.entries(tensors)) {
      t.is(found[name]!.dtype, tensor.dtype as string, name)
      t.deepEqual(found[name]!.shape, tensor.shape, name)
      const packed = /^(u?int4|float4|float6_)/.test(name)
      t.is(packed ? narrowed(found[name]!.bytes, name) : found[name]!.bytes, hex(tensor), name)
      const again = await model.get(name).read()
      t.is(Buffer.from(again.buffer).toString('hex'), hex(tensor), name)
    }
    close()
  },
)

/** Elements with a byte each, packed from the least significant bit on. */
function narrowed(bytes: string, name: string): string {
  const bits = name.startsWith('float6') ? 6n : 4n
  const elements = Buffer.from(bytes, 'hex')
  let all = 0n
  for (const [i, element] of elements.entries()) all |= BigInt(element) << (bits * BigInt(i))
  const length = (elements.length * Number(bits)) / 8
  const packed = Buffer.alloc(length)
  for (let i = 0; i < length; i++) packed[i] = Number((all >> BigInt(8 * i)) & 255n)
  return packed.toString('hex')
}
