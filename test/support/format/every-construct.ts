/**
 * Buffers of every-construct.fbs, made by flatc from JSON, their description, and the accessors that
 * flatc generates for them.
 */

import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { transform } from 'esbuild'
import * as flatbuffers from 'flatbuffers'
import { describe } from '../../../scripts/describe-schema.js'
import { binaryFromJson, flatc } from '../../../scripts/flatc.js'

export const everyConstruct = await readFile(
  new URL('every-construct.fbs', import.meta.url),
  'utf8',
)

export const everyDescription = await describe(everyConstruct)

const leaf = { name: 'leaf' }
const required = {
  text: 't',
  leaf,
  bytes: [1],
  texts: ['x'],
}

/** How long `text` is, which tests write over: room for tables of their own. */
export const ROOM = 512

/** Every field of every table, but for the segments. */
export const everything = {
  // First, which puts it behind all else: offsets only lead forwards.
  text: 'x'.repeat(ROOM),
  scalars: {
    a_bool: true,
    an_int8: -8,
    a_uint8: 8,
    an_int16: -16,
    a_uint16: 16,
    an_int32: -32,
    a_uint32: 32,
    an_int64: -64,
    a_uint64: 64,
    a_float32: 0.5,
    a_float64: 0.25,
    a_small: 'Low',
    a_wide: 'Most',
    some_flags: 'first last',
    an_int16_by_default: 5,
    an_infinity: 1,
    an_optional_bool: false,
    an_optional_int64: 0,
    an_optional_small: 'Zero',
  },
  vectors: {
    bools: [true, false, true],
    int8s: [-1, 2],
    uint8s: [1, 2, 3],
    int16s: [-1],
    uint16s: [1, 2, 3],
    int32s: [-1, 2, 3],
    uint32s: [4],
    int64s: [-5, 6],
    uint64s: [7],
    float32s: [0.5],
    float64s: [0.25, 1e10],
    smalls: ['Low', 'High'],
    wides: ['Most', 'None'],
    strings: ['', 'a', 'Grüße'],
    leaves: [leaf, { name: '' }],
    aligned: [1, 2, 3],
  },
  required,
  deprecated_fields: { last: 1 },
  numbered: {
    third: 'x',
    first: 1,
    fifth: 'five',
    second: [1, 2],
    fourth: true,
  },
  elsewhere: { leaf },
  leaf,
  child: { child: { text: 'deep' } },
  children: [{}, { text: 'b' }],
}

/** The buffer that flatc makes of an object; of another schema than every-construct's by `schema`. */
export function everyBuffer(json: unknown, schema = everyConstruct): Promise<Uint8Array> {
  return binaryFromJson(schema, JSON.stringify(json))
}

/**
 * A reader of every field of a buffer, through the accessors that flatc generates. The segments are
 * left out: nothing is promised of them.
 */
export async function everyReader(): Promise<(bytes: Uint8Array) => unknown> {
  const schema = everyConstruct.replaceAll('(segment)', '(deprecated)')
  const { files } = await flatc(['--ts', '--gen-object-api', 'schema.fbs'], {
    'schema.fbs': schema,
  })
  const folder = await mkdtemp(join(tmpdir(), 'every-construct-'))
  try {
    // Out of reach of node_modules, so the runtime is named by where it is.
    const runtime = JSON.stringify(import.meta.resolve('flatbuffers'))
    for (const [path, source] of files) {
      const text = new TextDecoder().decode(source).replace(`'flatbuffers'`, runtime)
      const { code } = await transform(text, { loader: 'ts', format: 'esm', target: 'es2022' })
      await mkdir(dirname(join(folder, path)), { recursive: true })
      await writeFile(join(folder, path.replace(/ts$/, 'js')), code)
    }
    await writeFile(join(folder, 'package.json'), '{"type": "module"}')
    const root = pathToFileURL(join(folder, 'every/construct/root.js')).href
    const { Root } = await import(root)
    return (bytes) => Root.getRootAsRoot(new flatbuffers.ByteBuffer(bytes)).unpack()
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
