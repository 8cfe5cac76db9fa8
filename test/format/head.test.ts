import { crc32 } from 'node:zlib'
import test from 'ava'
import {
  CheckpointError,
  type CheckpointErrorCode,
  type CheckpointErrorFields,
} from '../../src/errors.js'
import { FORMAT_VERSION, HEAD_LENGTH, metadataChecksum, readHead } from '../../src/format/head.js'
import { FLATBUFFER_LIMIT } from '../../src/format/layout.js'
import { fieldOf } from '../../src/format/schema.js'
import { modelContent, seal } from '../support/format/contents.js'
import { Patch } from '../support/format/patch.js'
import { ruleNames } from '../support/format/rule-names.js'
import { sampleFile } from '../support/format/sample.js'

/** Files without a tensor, which are all metadata: one shorter than a head, and one longer. */
const short = seal(modelContent([], { lr: 0.1 }))
const long = seal(modelContent([], {}, { config: JSON.stringify('x'.repeat(2 * HEAD_LENGTH)) }))

const head = (bytes: Uint8Array, fileLength = bytes.length) =>
  readHead(bytes.subarray(0, HEAD_LENGTH), fileLength)

const ascii = (text: string) => Uint8Array.from(text, (c) => c.charCodeAt(0))

function change(bytes: Uint8Array, how: (patch: Patch) => void): Uint8Array {
  const patch = new Patch(bytes)
  how(patch)
  return patch.bytes
}

test('the head of a file says its version, its lengths, and where its checksum is', async (t) => {
  const file = await sampleFile()
  const { root, view } = new Patch(file)
  t.deepEqual(head(file), {
    version: 1,
    metadataLength: view.getUint32(root.position('metadata_length'), true),
    metadataCrc32: view.getUint32(root.position('metadata_crc32'), true),
    crcOffset: root.position('metadata_crc32'),
    fileLength: file.length,
  })
  t.is(FORMAT_VERSION, 1)
})

test('the first 4096 bytes are enough, and what stands behind them is not looked at', (t) => {
  t.is(HEAD_LENGTH, 4096)
  t.deepEqual(readHead(long, long.length), head(long))
  // A root table that only a longer start would show.
  const far = change(long, (p) => p.view.setUint32(0, HEAD_LENGTH, true))
  t.like(
    t.throws(() => readHead(far, far.length), { instanceOf: CheckpointError }),
    { code: 'CKPT_FORMAT', rule: 'head' },
  )
})

test('the checksum of metadata takes its own four bytes as zero', (t) => {
  const bytes = Uint8Array.from({ length: 100 }, (_, i) => i + 1)
  for (const at of [0, 1, 50, 96]) {
    const zeroed = bytes.slice()
    zeroed.fill(0, at, at + 4)
    t.is(metadataChecksum(bytes, at), crc32(zeroed))
  }
})

test('an empty file is no checkpoint', (t) => {
  t.throws(() => head(new Uint8Array(0)), {
    instanceOf: CheckpointError,
    code: 'CKPT_NOT_A_CHECKPOINT',
    message: 'not a .ckpt file: the file is empty',
  })
})

test('a file that ends within its identifier is no checkpoint', (t) => {
  for (let length = 1; length < 8; length++) {
    t.throws(() => head(short.subarray(0, length)), {
      instanceOf: CheckpointError,
      code: 'CKPT_NOT_A_CHECKPOINT',
    })
  }
})

test('a file that ends right after its identifier was cut short', (t) => {
  for (let length = 8; length < 12; length++) {
    const error = t.throws(() => head(short.subarray(0, length)), {
      instanceOf: CheckpointError,
      code: 'CKPT_FILE_LENGTH',
      message: `the file was cut short: it begins like a checkpoint, but ends after ${length} bytes`,
    })
    t.is(error.actual, length)
  }
})

test('of a file that ends later, it is told what does not lie within it', (t) => {
  const root = short[0]!
  for (let length = 12; length < root + 4; length++) {
    const error = t.throws(() => head(short.subarray(0, length)), {
      instanceOf: CheckpointError,
      code: 'CKPT_FILE_LENGTH',
      message: `the file was cut short or is damaged: the root table does not lie within its ${length} bytes`,
    })
    t.is(error.actual, length)
  }
})

/** A safetensors file whose header is `length` bytes long. */
function safetensors(length: number): Uint8Array {
  const bytes = new Uint8Array(64).fill(0x20)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(length), true)
  bytes.set(ascii('{"weight":'), 8)
  return bytes
}

const strangers: readonly (readonly [what: string, bytes: Uint8Array, hint: RegExp])[] = [
  ['a zip archive', ascii('PK\x03\x04\x14\0\0\0\x08\0!\0'), /zip archive \(PyTorch and NumPy/],
  ['an empty zip archive', ascii(`PK\x05\x06${'\0'.repeat(18)}`), /zip archive/],
  ['a pickle of protocol 2', ascii('\x80\x02}q\0(X\x06\0\0\0weight'), /Python pickle/],
  ['a pickle of protocol 4', ascii('\x80\x04\x95\x10\0\0\0\0\0\0\0}\x94'), /Python pickle/],
  ['a pickle of protocol 5', ascii('\x80\x05\x95\x10\0\0\0\0\0\0\0}\x94'), /Python pickle/],
  ['an HDF5 file', ascii('\x89HDF\r\n\x1a\n\0\0\0\0\0\x08\x08\0'), /HDF5/],
  ['a safetensors file', safetensors(56), /safetensors/],
  ['a safetensors file whose length begins like a zip archive', safetensors(0x4b50), /safetensors/],
  ['a safetensors file whose length begins like a pickle', safetensors(0x480), /safetensors/],
  ['a safetensors file whose length begins like JSON', safetensors(0x27b), /safetensors/],
  ['a JSON object', ascii('{"epoch": 3, "step": 1000}'), /JSON/],
  ['a JSON object in an object', ascii('{"abcd":{"epoch": 3}}'), /JSON/],
  ['a JSON list', ascii('[1, 2, 3, 4]'), /JSON/],
  ['a short JSON text', ascii('{}'), /JSON/],
  ['a file compressed by gzip', ascii('\x1f\x8b\x08\0\0\0\0\0\0\x03'), /gzip: decompress it first/],
  ['bytes that begin like gzip', ascii('\x1f\x8a\x08\0\0\0\0\0'), /expected LWCK at byte 4/],
  [
    'a Git LFS pointer',
    ascii('version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n'),
    /Git LFS pointer.*git lfs pull/,
  ],
  ['an HTML page', ascii('\n<!DOCTYPE html><html lang="en">'), /an HTML page: most likely/],
  ['an HTML page without a doctype', ascii('<HTML><head>'), /an HTML page/],
  ['a picture', ascii('\x89PNG\r\n\x1a\n\0\0\0\rIHDR'), /expected LWCK at byte 4, found/],
  ['a FlatBuffer of another schema', ascii('\x10\0\0\0TFL3\0\0\0\0'), /expected LWCK at byte 4/],
  ['zeros', new Uint8Array(100), /expected LWCK at byte 4/],
  ['an identifier in other letters', ascii('\x10\0\0\0lwck\0\0\0\0'), /expected LWCK at byte 4/],
  ['text', ascii('Hello, world!'), /expected LWCK at byte 4/],
  [
    'text that begins with the first letter of a zip',
    ascii('Plain text.'),
    /expected LWCK at byte 4/,
  ],
  ['text with the second letter of a zip', ascii('OK, so be it'), /expected LWCK at byte 4/],
  ['text with the second byte of a pickle', ascii('a\x02, or so'), /expected LWCK at byte 4/],
  [
    'text with the end of the first line of HDF5',
    ascii('OHDF\r\n\x1a\n'),
    /expected LWCK at byte 4/,
  ],
  ['text with a brace where safetensors has one', ascii('struct A{};'), /expected LWCK at byte 4/],
  [
    'a header of 2^48 bytes, too long for safetensors',
    safetensors(2 ** 48),
    /expected LWCK at byte 4/,
  ],
  [
    'a header of 2^56 bytes, too long for safetensors',
    safetensors(2 ** 56),
    /expected LWCK at byte 4/,
  ],
  [
    'a pickle of a protocol that is not there yet',
    ascii('\x80\x06\x95\x03\0\0\0\0'),
    /expected LWCK at byte 4/,
  ],
  ['bytes that begin like a pickle', ascii('\x80\x01\x04\0\0\0\0\0'), /expected LWCK at byte 4/],
]

for (const [what, bytes, hint] of strangers) {
  test(`${what} is no checkpoint, and the message says what it looks like`, (t) => {
    const error = t.throws(() => head(bytes), {
      instanceOf: CheckpointError,
      code: 'CKPT_NOT_A_CHECKPOINT',
      message: hint,
    })
    t.is(error.expected, 'LWCK')
    t.is(error.offset, 4)
  })
}

for (const version of [2, 3, 2 ** 31, 2 ** 32 - 1]) {
  test(`version ${version} is refused with both numbers`, (t) => {
    for (const file of [short, long]) {
      const error = t.throws(() => head(change(file, (p) => p.root.set('version', version))), {
        instanceOf: CheckpointError,
        code: 'CKPT_VERSION',
        message: new RegExp(`version ${version}, .* up to version 1\\b`),
      })
      t.is(error.expected, 1)
      t.is(error.actual, version)
    }
  })
}

test('a newer version is told before anything else, which it may have changed', (t) => {
  const newer = change(short, (p) => {
    p.root.set('version', 2)
    p.root.set('file_length', 0)
    p.root.set('metadata_length', 0)
    p.root.set('metadata_crc32', 0)
  })
  t.throws(() => head(newer), { instanceOf: CheckpointError, code: 'CKPT_VERSION' })
})

interface Case {
  readonly what: string
  readonly change: (patch: Patch) => void
  /** The length that is given for the file; that of the bytes where it is left out. */
  readonly fileLength?: number
  readonly code: CheckpointErrorCode
  readonly fields: CheckpointErrorFields
  readonly message?: RegExp
}

const slot = (name: string) => fieldOf('Checkpoint', name).slot

const cases: readonly Case[] = [
  {
    what: 'version 0, which never was,',
    change: (p) => p.root.set('version', 0),
    code: 'CKPT_FORMAT',
    fields: { rule: 'version', actual: 0 },
  },
  {
    what: 'a file a byte shorter than it says',
    change: (p) => p.root.set('file_length', long.length + 1),
    code: 'CKPT_FILE_LENGTH',
    fields: { expected: long.length + 1, actual: long.length },
    message: /was cut short/,
  },
  {
    what: 'a file a byte longer than it says',
    change: (p) => p.root.set('file_length', long.length - 1),
    code: 'CKPT_FILE_LENGTH',
    fields: { expected: long.length - 1, actual: long.length },
    message: /has something appended/,
  },
  {
    what: 'a file that says it has no bytes',
    change: (p) => p.root.set('file_length', 0),
    code: 'CKPT_FILE_LENGTH',
    fields: { expected: 0 },
  },
  {
    what: 'a file that says it has 2^64 - 1 bytes',
    change: (p) => p.root.set('file_length', 2n ** 64n - 1n),
    code: 'CKPT_FILE_LENGTH',
    fields: { expected: 2 ** 64 },
    message: /expected 18446744073709551615 bytes/,
  },
  ...[0, 11, long.length + 1, 2 ** 31, 2 ** 32 - 1].map(
    (length): Case => ({
      what: `a metadata_length of ${length}`,
      change: (p) => p.root.set('metadata_length', length),
      code: 'CKPT_FORMAT',
      fields: { rule: 'metadata_length', expected: long.length, actual: length },
    }),
  ),
  {
    what: 'metadata longer than a FlatBuffer can be, in a file that is long enough,',
    change: (p) => {
      p.root.set('metadata_length', FLATBUFFER_LIMIT)
      p.root.set('file_length', 2 ** 40)
    },
    fileLength: 2 ** 40,
    code: 'CKPT_FORMAT',
    fields: { rule: 'metadata_length', expected: FLATBUFFER_LIMIT - 1, actual: FLATBUFFER_LIMIT },
  },
  {
    what: 'metadata that ends before its own checksum',
    change: (p) => p.root.set('metadata_length', p.root.position('metadata_crc32') + 3),
    code: 'CKPT_FORMAT',
    fields: { rule: 'metadata_length' },
  },
  ...[0, 4, 9, 10, HEAD_LENGTH - 3, HEAD_LENGTH, 2 ** 31, 2 ** 32 - 4].map(
    (offset): Case => ({
      what: `a root table at ${offset}`,
      change: (p) => p.view.setUint32(0, offset, true),
      code: 'CKPT_FORMAT',
      fields: { rule: 'head', offset: 0 },
      message: /^the root table does not lie within the first 4096 bytes/,
    }),
  ),
  ...(
    [
      ['before the identifier', (root) => root],
      ['over the identifier', (root) => root - 4],
      ['at an odd position', (root) => root - 9],
      ['before the file', (root) => root + 8],
      ['behind the head', (root) => root - HEAD_LENGTH],
      ['as far behind as an offset reaches', () => -(2 ** 31)],
      ['as far before as an offset reaches', () => 2 ** 31 - 1],
    ] as const satisfies readonly (readonly [string, (root: number) => number])[]
  ).map(
    ([where, offset]): Case => ({
      what: `a vtable of the root ${where}`,
      change: (p) => p.view.setInt32(p.root.at, offset(p.root.at), true),
      code: 'CKPT_FORMAT',
      fields: { rule: 'head' },
      message: /^its vtable does not lie within/,
    }),
  ),
  {
    what: 'a vtable of the root that is longer than the head',
    change: (p) => p.view.setUint16(p.root.vtable, HEAD_LENGTH, true),
    code: 'CKPT_FORMAT',
    fields: { rule: 'head' },
    message: /^its vtable does not lie within/,
  },
  ...['version', 'metadata_length', 'metadata_crc32', 'file_length'].flatMap((name): Case[] => [
    {
      what: `a root table without its ${name}`,
      change: (p) => p.root.drop(name),
      code: 'CKPT_FORMAT',
      fields: { rule: 'head' },
      message: new RegExp(`has no ${name}$`),
    },
    {
      what: `a vtable that ends before ${name}`,
      change: (p) => p.view.setUint16(p.root.vtable, slot(name), true),
      code: 'CKPT_FORMAT',
      fields: { rule: 'head' },
      // The first that is not there is told, in the order in which they are read.
      message: /has no (version|file_length|metadata_length|metadata_crc32)$/,
    },
    {
      what: `a vtable that ends in the middle of ${name}`,
      change: (p) => p.view.setUint16(p.root.vtable, slot(name) + 1, true),
      code: 'CKPT_FORMAT',
      fields: { rule: 'head' },
      message: /has no (version|file_length|metadata_length|metadata_crc32)$/,
    },
    {
      what: `a ${name} that is not aligned`,
      change: (p) => {
        const entry = p.root.entry(name)
        p.view.setUint16(entry, p.view.getUint16(entry, true) + 2, true)
      },
      code: 'CKPT_FORMAT',
      fields: { rule: 'head' },
      message: new RegExp(`has no ${name}$`),
    },
    {
      what: `a ${name} over the offset of the vtable`,
      change: (p) => p.view.setUint16(p.root.entry(name), 2, true),
      code: 'CKPT_FORMAT',
      fields: { rule: 'head' },
    },
    {
      what: `a ${name} behind the head`,
      change: (p) => {
        p.view.setUint16(p.root.entry(name), HEAD_LENGTH - p.root.at, true)
      },
      code: 'CKPT_FORMAT',
      fields: { rule: 'head', offset: new Patch(long).root.entry(name) },
      message: new RegExp(`^${name} does not lie within`),
    },
  ]),
]

for (const { what, change: how, fileLength, code, fields, message } of cases) {
  test(`${what} is refused`, (t) => {
    const error = t.throws(() => head(change(long, how), fileLength), {
      instanceOf: CheckpointError,
      code,
      ...(message === undefined ? {} : { message }),
    })
    for (const [field, value] of Object.entries(fields)) {
      t.is(error[field as keyof CheckpointErrorFields], value, field)
    }
  })
}

test('in a file that is shorter than a head, the same faults tell of one that was cut short', (t) => {
  const faults: ((patch: Patch) => void)[] = [
    (p) => p.view.setUint32(0, short.length, true),
    (p) => p.view.setInt32(p.root.at, -short.length, true),
    (p) => p.view.setUint16(p.root.vtable, short.length, true),
    (p) => p.view.setUint16(p.root.entry('version'), 4000, true),
  ]
  for (const fault of faults) {
    const error = t.throws(() => head(change(short, fault)), {
      instanceOf: CheckpointError,
      code: 'CKPT_FILE_LENGTH',
      message: /cut short or is damaged/,
    })
    t.is(error.rule, 'head')
    t.is(error.actual, short.length)
  }
})

test('a field of the root may be the last of the head, and no farther', (t) => {
  const moved = (at: number) =>
    change(long, (p) => {
      p.view.setUint16(p.root.entry('file_length'), at - p.root.at, true)
      p.view.setBigUint64(at, BigInt(long.length), true)
    })
  t.is(head(moved(HEAD_LENGTH - 8)).fileLength, long.length)
  t.throws(() => head(moved(HEAD_LENGTH)), { instanceOf: CheckpointError, code: 'CKPT_FORMAT' })
})

/** The shortest head that there can be: the root table right behind the identifier, then its vtable. */
function tightHead(metadataLength: number): Uint8Array {
  const bytes = new Uint8Array(44)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, 8, true)
  bytes.set(ascii('LWCK'), 4)
  view.setInt32(8, 8 - 32, true)
  view.setUint32(12, 1, true)
  view.setBigUint64(16, 44n, true)
  view.setUint32(24, metadataLength, true)
  view.setUint32(28, 0xcafe, true)
  // Its own length and the table's; then version, metadata_length, metadata_crc32, file_length.
  for (const [i, number] of [12, 24, 4, 16, 20, 8].entries()) {
    view.setUint16(32 + 2 * i, number, true)
  }
  return bytes
}

test('a head may be as tight as its fields allow, and metadata may end with its checksum', (t) => {
  t.deepEqual(head(tightHead(32)), {
    version: 1,
    metadataLength: 32,
    metadataCrc32: 0xcafe,
    crcOffset: 28,
    fileLength: 44,
  })
  t.like(
    t.throws(() => head(tightHead(31)), { instanceOf: CheckpointError, code: 'CKPT_FORMAT' }),
    { rule: 'metadata_length', offset: 28 },
  )
})

test('metadata shorter than any FlatBuffer is told by its length, and else by what it lacks', (t) => {
  const refused = (length: number) =>
    t.throws(() => head(tightHead(length)), { instanceOf: CheckpointError, code: 'CKPT_FORMAT' })
  t.is(refused(11).actual, 11)
  t.is(refused(12).offset, 28)
})

test('a file as long as a head is long enough to be told bad, and not cut short', (t) => {
  const bytes = change(long, (p) => p.view.setUint32(0, 0, true)).subarray(0, HEAD_LENGTH)
  t.throws(() => head(bytes), { instanceOf: CheckpointError, code: 'CKPT_FORMAT' })
  t.throws(() => head(bytes.subarray(0, HEAD_LENGTH - 1)), {
    instanceOf: CheckpointError,
    code: 'CKPT_FILE_LENGTH',
  })
})

test('every truncation of a file is told from its head', (t) => {
  for (let length = 0; length < short.length; length++) {
    const error = t.throws(() => head(short.subarray(0, length)), { instanceOf: CheckpointError })
    t.is(error.code, length < 8 ? 'CKPT_NOT_A_CHECKPOINT' : 'CKPT_FILE_LENGTH', `${length} bytes`)
  }
})

test('every rule of the head is among these', async (t) => {
  const tested = new Set(cases.flatMap(({ fields }) => fields.rule ?? []))
  t.deepEqual([...tested].sort(), await ruleNames('head.ts'))
})
