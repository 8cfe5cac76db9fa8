import test from 'ava'
import { loadNpy, loadNpz, saveNpy, saveNpz } from '../../src/exchange/numpy.js'
import { MemorySink } from '../../src/io/memory-sink.js'
import { zip } from '../support/exchange/zip.js'

/** A `.npy` with this dict, and these bytes behind it. */
function npy(dict: string, elements: Uint8Array = new Uint8Array(0), version = 1): Uint8Array {
  const text = Buffer.from(`${dict}\n`, version === 3 ? 'utf8' : 'latin1')
  const length = Buffer.alloc(version === 1 ? 2 : 4)
  length.writeUIntLE(text.length, 0, length.length)
  return Buffer.concat([
    Buffer.from([0x93]),
    Buffer.from('NUMPY'),
    Buffer.from([version, 0]),
    length,
    text,
    elements,
  ])
}

const dict = (descr: string, shape: string, fortran = 'False') =>
  `{'descr': '${descr}', 'fortran_order': ${fortran}, 'shape': ${shape}, }`

const bytesOf = (array: ArrayBufferView) =>
  new Uint8Array(array.buffer, array.byteOffset, array.byteLength)

for (const version of [1, 2, 3]) {
  test(`a header of version ${version} is read`, async (t) => {
    const array = await loadNpy(npy(dict('<f4', '(2,)'), bytesOf(Float32Array.of(1, 2)), version))
    t.deepEqual(array, { dtype: 'float32', shape: [2], data: Float32Array.of(1, 2) })
  })
}

test('Fortran order comes out row-major, and big-endian elements little-endian', async (t) => {
  const columns = Buffer.alloc(12)
  for (const [i, value] of [1, 4, 2, 5, 3, 6].entries()) columns.writeInt16BE(value, 2 * i)
  const { data, shape } = await loadNpy(npy(dict('>i2', '(2, 3)', 'True'), columns))
  t.deepEqual(shape, [2, 3])
  t.deepEqual(data, Int16Array.of(1, 2, 3, 4, 5, 6))
})

test('a big-endian complex number is swapped by its parts', async (t) => {
  const bytes = Buffer.alloc(8)
  bytes.writeFloatBE(1.5, 0)
  bytes.writeFloatBE(-2, 4)
  t.deepEqual((await loadNpy(npy(dict('>c8', '()'), bytes))).data, Float32Array.of(1.5, -2))
})

test('bfloat16 is <V2, and elements of 4 bits have a byte each', async (t) => {
  const bfloat = await loadNpy(npy(dict('<V2', '(1,)'), Uint8Array.of(0x80, 0x3f)))
  t.deepEqual(bfloat, { dtype: 'bfloat16', shape: [1], data: Uint16Array.of(0x3f80) })
  const int4 = await loadNpy(npy(dict('int4', '(2,)'), Uint8Array.of(0x0f, 0x01)))
  t.deepEqual(int4, { dtype: 'int4', shape: [2], data: Uint8Array.of(0x1f) })
})

test('keys in another order, other quotes, spaces and long integers of Python 2 are read', async (t) => {
  const text = `{ "shape" : ( 2L , ), 'fortran_order':False,"descr":"|u1" }   `
  t.deepEqual((await loadNpy(npy(text, Uint8Array.of(1, 2)))).shape, [2])
})

for (const [what, descr] of [
  ['an object array', '|O'],
  ['texts', '<U3'],
  ['bytes', '|S3'],
  ['dates', '<M8[s]'],
  ['a long double', '<f16'],
  ['a type without a name', '<V1'],
  ['another type of ml_dtypes', 'float8_e3m4'],
] as const) {
  test(`${what} is refused by its name`, async (t) => {
    await t.throwsAsync(loadNpy(npy(dict(descr, '(1,)'), new Uint8Array(1))), {
      code: 'CKPT_NOT_CONVERTIBLE',
      message: new RegExp(descr.replace(/[|[\]]/g, '\\$&')),
    })
  })
}

test('a structured array is refused', async (t) => {
  const text =
    "{'descr': [('a', '<f4'), ('b', [('c', '<i2')])], 'fortran_order': False, 'shape': (1,), }"
  await t.throwsAsync(loadNpy(npy(text, new Uint8Array(6))), { code: 'CKPT_NOT_CONVERTIBLE' })
})

for (const [what, bytes, rule] of [
  ['no magic', new Uint8Array(20), 'header'],
  ['nothing', new Uint8Array(0), 'header'],
  ['version 4', npy(dict('<f4', '()'), new Uint8Array(4), 4), 'header'],
  ['an expression', npy("{'descr': '<f4', 'fortran_order': 1 == 1, 'shape': (), }"), 'header'],
  [
    'a call',
    npy("{'descr': __import__('os').system('id'), 'fortran_order': False, 'shape': (), }"),
    'header',
  ],
  ['a negative length', npy(dict('<f4', '(-1,)')), 'header'],
  ['a length with a fraction', npy(dict('<f4', '(1.0,)')), 'header'],
  ['a length that is too large', npy(dict('<f4', '(99999999999999999999,)')), 'header'],
  [
    'a key that is there twice',
    npy("{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': ()}"),
    'header',
  ],
  [
    'a key too many',
    npy("{'descr': '<f4', 'x': 1, 'fortran_order': False, 'shape': ()}"),
    'header',
  ],
  [
    'a shape that is a string',
    npy("{'descr': '<f4', 'fortran_order': False, 'shape': '()'}"),
    'header',
  ],
  ['something behind the dict', npy(`${dict('<f4', '()')} + 1`), 'header'],
  ['a dict that does not end', npy("{'descr': '<f4', "), 'header'],
  ['a header of 20,000 bytes', npy(dict('<f4', '()') + ' '.repeat(20_000)), 'header'],
  ['too few elements', npy(dict('<f4', '(2,)'), new Uint8Array(4)), 'length'],
  ['too many elements', npy(dict('<f4', '()'), new Uint8Array(5)), 'length'],
  ['a product that overflows', npy(dict('<f4', '(4294967296, 4294967296, 4294967296)')), 'length'],
] as const) {
  test(`a .npy with ${what} is refused`, async (t) => {
    const error = await t.throwsAsync(loadNpy(bytes), { code: 'CKPT_FOREIGN_FILE' })
    t.is((error as { rule?: string }).rule, `npy.${rule}`)
  })
}

test('a deflated archive is read, in any order and more than once', async (t) => {
  const values = Float32Array.from({ length: 100_000 }, (_, i) => i % 7)
  const contents = npy(dict('<f4', '(100000,)'), bytesOf(values))
  const bytes = zip([
    { name: 'a.npy', contents, deflate: true },
    { name: 'b.npy', contents, deflate: true },
  ])
  const { model } = await loadNpz(bytes)
  for (const name of ['b', 'a', 'b']) t.deepEqual(await model.get(name).read(), values)
  const part = new Uint8Array(400)
  await model.get('a').readBytes(part, 200_000)
  await model.get('a').readBytes(part, 400)
  t.deepEqual(part, bytesOf(values).slice(400, 800))
})

test('an array whose bytes were changed is told by its CRC-32', async (t) => {
  const bytes = zip([
    { name: 'a.npy', contents: npy(dict('|u1', '(4,)'), Uint8Array.of(1, 2, 3, 4)) },
  ])
  const at = Buffer.from(bytes).indexOf(Buffer.from([1, 2, 3, 4]))
  bytes[at] = 9
  const { model } = await loadNpz(bytes)
  const error = await t.throwsAsync(model.get('a').read(), { code: 'CKPT_FOREIGN_FILE' })
  t.is((error as { rule?: string }).rule, 'zip.crc')
})

test('an entry that is not an array is refused by its name', async (t) => {
  const bytes = zip([
    { name: 'a.npy', contents: npy(dict('|u1', '()'), Uint8Array.of(1)) },
    { name: 'notes.txt', contents: new Uint8Array(1) },
  ])
  await t.throwsAsync(loadNpz(bytes), { code: 'CKPT_NOT_CONVERTIBLE', message: /notes\.txt/ })
})

test('arrays that are saved are read again, and a single one as a .npy', async (t) => {
  const sink = new MemorySink()
  const state = {
    'fc/weight': { shape: [1, 2], data: Float64Array.of(1, -0) },
    'ü.npy': { dtype: 'float8_e4m3fn' as const, shape: [2], data: Uint8Array.of(1, 2) },
  }
  await saveNpz(sink, state)
  const { model } = await loadNpz(sink.bytes)
  t.deepEqual([...model.keys()], ['fc/weight', 'ü.npy'])
  t.deepEqual(await model.get('fc/weight').read(), Float64Array.of(1, -0))
  t.is(model.get('ü.npy').dtype, 'float8_e4m3fn')
  await saveNpy(sink, state['fc/weight'])
  t.deepEqual((await loadNpy(sink.bytes)).data, Float64Array.of(1, -0))
})
