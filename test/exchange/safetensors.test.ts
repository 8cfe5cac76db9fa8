import test from 'ava'
import { inputPlace } from '../../src/exchange/places.js'
import { loadSafetensors, saveSafetensors } from '../../src/exchange/safetensors.js'
import { MemorySink } from '../../src/io/memory-sink.js'

/** A file with this header and so many bytes behind it. */
function file(header: string | Uint8Array, dataLength = 0, length?: bigint): Uint8Array {
  const json = typeof header === 'string' ? new TextEncoder().encode(header) : header
  const bytes = new Uint8Array(8 + json.length + dataLength)
  new DataView(bytes.buffer).setBigUint64(0, length ?? BigInt(json.length), true)
  bytes.set(json, 8)
  return bytes
}

const tensor = (shape: string, start: number, end: number, dtype = 'I32', name = 'test') =>
  `"${name}":{"dtype":"${dtype}","shape":${shape},"data_offsets":[${start},${end}]}`

// The Rust library's own tests (safetensors 0.8), by the names that they have there.
for (const [name, bytes] of [
  ['test_empty_shapes_allowed', file(`{${tensor('[]', 0, 4)}}`, 4)],
  ['test_deserialization', file(`{${tensor('[2,2]', 0, 16)}}`, 16)],
  ['test_whitespace_padded_header', file('{}\r \t\n')],
  ['test_whitespace_leading_padded_header', file('\t\n{}\r ')],
  ['test_zero_sized_tensor', file(`{${tensor('[2,0]', 0, 0)}}`)],
  ['metadata that is null', file('{"__metadata__":null}')],
  [
    'a field that it does not know',
    file('{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"x":{"y":[]}}}', 1),
  ],
  [
    'no order of the tensors',
    file(`{${tensor('[1]', 4, 8, 'F32', 'a')},${tensor('[1]', 0, 4, 'F32', 'b')}}`, 8),
  ],
] as const) {
  test(`it takes what the Rust library takes: ${name}`, async (t) => {
    const { model } = await loadSafetensors(bytes)
    for (const each of model.values()) t.is((await each.read()).byteLength, each.byteLength)
    t.pass()
  })
}

const ten = Array.from({ length: 10 }, (_, i) => tensor('[2,2]', 0, 16, 'F32', `weight_${i}`))

for (const [name, rule, bytes] of [
  ['test_json_attack', 'offset', file(`{${ten}}`, 16)],
  ['test_metadata_incomplete_buffer, more', 'length', file(`{${tensor('[2,2]', 0, 16)}}`, 16 + 34)],
  ['test_metadata_incomplete_buffer, less', 'length', file(`{${tensor('[2,2]', 0, 16)}}`, 14)],
  ['test_header_too_large', 'header', file('{}', 0, 0xffffff_00000000n + 60n)],
  ['test_header_too_small', 'header', new Uint8Array(0)],
  ['test_invalid_header_length', 'header', file('', 0, 60n)],
  ['test_invalid_header_non_utf8', 'header', file(Uint8Array.of(0xff))],
  ['test_invalid_header_not_json', 'header', file('{')],
  ['test_invalid_info', 'info', file(`{${tensor('[2,2]', 0, 4)}}`)],
  [
    'test_validation_overflow, shape',
    'info',
    file(`{${tensor('[2,18446744073709551614]', 0, 16)}}`, 16),
  ],
  [
    'test_validation_overflow, bytes',
    'info',
    file(`{${tensor('[2,9223372036854775807]', 0, 16)}}`, 16),
  ],
  ['a hole', 'offset', file(`{${tensor('[1]', 4, 8)}}`, 8)],
  ['an end before the start', 'offset', file(`{${tensor('[0]', 4, 0)}}`, 4)],
  ['a misaligned tensor of 4 bits', 'info', file(`{${tensor('[3]', 0, 1, 'F4')}}`, 1)],
  ['a negative length', 'info', file(`{${tensor('[-1]', 0, 4)}}`, 4)],
  ['a length with a fraction', 'info', file(`{${tensor('[1.0]', 0, 4)}}`, 4)],
  ['a length of minus zero', 'info', file(`{${tensor('[-0]', 0, 0)}}`)],
  ['no dtype', 'info', file('{"a":{"shape":[],"data_offsets":[0,4]}}', 4)],
  ['no shape', 'info', file('{"a":{"dtype":"F32","data_offsets":[0,4]}}', 4)],
  ['three offsets', 'info', file('{"a":{"dtype":"F32","shape":[],"data_offsets":[0,4,4]}}', 4)],
  ['a tensor that is a number', 'info', file('{"a":1}')],
  ['metadata that is no text', 'header', file('{"__metadata__":{"a":1}}')],
  ['metadata that is a list', 'header', file('{"__metadata__":[]}')],
  ['a header that is a list', 'header', file('[]')],
  ['a trailing comma', 'header', file('{"__metadata__":{},}')],
  ['something behind the object', 'header', file('{}{}')],
  ['a byte order mark', 'header', file('\ufeff{}')],
  ['half of a surrogate pair', 'header', file('{"\\ud800":1}')],
  ['an unknown escape', 'header', file('{"\\x":1}')],
  ['a control character', 'header', file('{"a\nb":1}')],
  ['a string that does not end', 'header', file('{"a')],
  ['a leading zero', 'header', file('{"a":01}')],
  ['no header at all', 'header', file('')],
  ['a nesting of 200 levels', 'header', file(`{"a":${'['.repeat(200)}${']'.repeat(200)}}`)],
  // Stricter than the Rust library, which takes the last one.
  ['a name that is there twice', 'header', file(`{${tensor('[0]', 0, 0)},${tensor('[0]', 0, 0)}}`)],
  ['a field that is there twice', 'header', file('{"a":{"dtype":"U8","dtype":"U8"}}')],
] as const) {
  test(`it refuses what the Rust library refuses: ${name}`, async (t) => {
    const error = await t.throwsAsync(loadSafetensors(bytes), { code: 'CKPT_FOREIGN_FILE' })
    t.is((error as { rule?: string }).rule, `safetensors.${rule}`)
  })
}

test('a dtype that is not known here is told by its name', async (t) => {
  await t.throwsAsync(loadSafetensors(file(`{${tensor('[1]', 0, 4, 'X32')}}`, 4)), {
    code: 'CKPT_NOT_CONVERTIBLE',
    message: /"X32"/,
  })
})

test('a hostile header of 10 MB is refused without recursion', async (t) => {
  const deep = `{"a":${'['.repeat(10_000_000)}`
  await t.throwsAsync(loadSafetensors(file(deep)), { code: 'CKPT_FOREIGN_FILE' })
  const escapes = `{"${'\\'.repeat(9_999_999)}"`
  await t.throwsAsync(loadSafetensors(file(escapes)), { code: 'CKPT_FOREIGN_FILE' })
})

const shard = (name: string) => file(`{${tensor('[1]', 0, 4, 'F32', name)}}`, 4)
const index = (map: object) =>
  new TextEncoder().encode(JSON.stringify({ metadata: {}, weight_map: map }))

test('the shards of an index are one model', async (t) => {
  const files = { 'a.safetensors': shard('x'), 'b.safetensors': shard('y') }
  const map = { y: 'b.safetensors', x: 'a.safetensors' }
  const { model } = await loadSafetensors(index(map), { files })
  t.deepEqual([...model.keys()], ['x', 'y'])
  t.deepEqual(await model.get('y').read(), Float32Array.of(0))
})

for (const [what, map, rule] of [
  [
    'a tensor that is not in its shard',
    { x: 'a.safetensors', z: 'a.safetensors' },
    'safetensors.index',
  ],
  ['a shard with a tensor that is not in the index', { z: 'a.safetensors' }, 'safetensors.index'],
  ['a shard in another folder', { x: '../a.safetensors' }, 'sibling'],
  ['a shard by an absolute path', { x: '/etc/passwd' }, 'sibling'],
  ['a shard that is a number', { x: 7 }, 'safetensors.index'],
] as const) {
  test(`an index is refused that names ${what}`, async (t) => {
    const files = { 'a.safetensors': shard('x') }
    const error = await t.throwsAsync(loadSafetensors(index(map), { files }), {
      code: 'CKPT_FOREIGN_FILE',
    })
    t.is((error as { rule?: string }).rule, rule)
  })
}

test('what the file says besides its tensors comes back: the notes, and their lack', async (t) => {
  const sink = new MemorySink()
  const state = { w: { shape: [2], data: Float32Array.of(1, 2) } }
  await saveSafetensors(sink, state, { metadata: { b: '2', a: '1' } })
  const { model } = await loadSafetensors(sink.bytes)
  t.deepEqual(model.attributes, { safetensors: { a: '1', b: '2' } })
  t.deepEqual(await model.get('w').read(), Float32Array.of(1, 2))
  await saveSafetensors(sink, state)
  t.deepEqual((await loadSafetensors(sink.bytes)).model.attributes, {})
})

test('int4 is refused by its name, or written as its raw bytes', async (t) => {
  const state = { q: { dtype: 'int4' as const, shape: [4], data: Uint8Array.of(0x21, 0x43) } }
  const sink = new MemorySink()
  await t.throwsAsync(saveSafetensors(sink, state), {
    code: 'CKPT_NOT_CONVERTIBLE',
    message: /"q" is int4/,
  })
  await saveSafetensors(sink, state, { raw: true })
  const { model } = await loadSafetensors(sink.bytes)
  t.is(model.get('q').dtype, 'uint8')
  t.deepEqual(await model.get('q').read(), Uint8Array.of(0x21, 0x43))
})

test('a Blob is read in place, and a closed file not at all', async (t) => {
  const sink = new MemorySink()
  await saveSafetensors(sink, { w: { shape: [2], data: Float32Array.of(1, 2) } })
  const loaded = await loadSafetensors(new Blob([sink.bytes as BlobPart]))
  t.deepEqual(await loaded.model.get('w').read(), Float32Array.of(1, 2))
  loaded.close()
  await t.throwsAsync(loaded.model.get('w').read(), { code: 'CKPT_CLOSED' })
})

test('what is neither bytes nor a Blob is a TypeError, as is an option that there is not', async (t) => {
  await t.throwsAsync(loadSafetensors(7 as never), { instanceOf: TypeError })
  await t.throwsAsync(loadSafetensors(new Uint8Array(8), { file: {} } as never), {
    instanceOf: TypeError,
  })
  t.is((await inputPlace(new Uint8Array(0))).name, '')
})
