import { readFile, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { inspectLines } from '../../src/cli/inspect.js'
import { textWidth } from '../../src/cli/text.js'
import { decode } from '../../src/format/decode.js'
import { saveCheckpoint } from '../../src/index.js'
import { runFake } from '../support/cli/fake-terminal.js'
import { damage, saveNames, saveSample, stateful } from '../support/cli/sample-checkpoint.js'
import { modelContent, seal } from '../support/format/contents.js'
import { scratchFolder } from '../support/scratch.js'

const SAMPLE = `FILE

epoch     3
step      12000
loss      0.4375
metrics   accuracy    0.875
          perplexity  NaN
config    {"lr":3e-4,"seed":12345678901234567890,"layers":[1,2],"name":"nano"}
tensors   8 in 4 states, 4.1 KiB
file      6.3 KiB (6,400 bytes), format version 1
metadata  1.9 KiB (1,896 bytes)
overhead  2.1 KiB (2,200 bytes), 34.4% of the file

model: 5 tensors (1 tied), 529 elements, 2.0 KiB
  name            dtype     shape       bytes
  wte.weight      float32   [32, 16]  2.0 KiB
  h.0.bias        bfloat16  [16]         32 B
  lm_head.weight  float32   [32, 16]  = wte.weight
  seen            int64     []            8 B
  none            uint8     [0, 4]        0 B

optimizer (AdamW): 1 tensor, 512 elements, 2.0 KiB
  lr: 0.0003
  betas: [ 0.9, 0.999 ]
  groups: [
    { weight_decay: 0.1, params: [ 'wte.weight' ] },
    { weight_decay: -0, params: [ 'h.0.bias' ] }
  ]

  name                dtype    shape       bytes
  exp_avg/wte.weight  float32  [32, 16]  2.0 KiB

extra scheduler (ReduceLROnPlateau): 0 tensors, 0 elements, 0 B
  best: Infinity
  seed: 9223372036854775808n
  cooldown: null
  verbose: false

extra ema: 2 tensors, 528 elements, 2.1 KiB
  name        dtype    shape     bytes
  wte.weight  float32  [32, 16]  = wte.weight of model
  h.0.bias    float32  [16]       64 B
`

test('inspect prints everything that is in a checkpoint', async (t) => {
  const file = join(await scratchFolder(t), 'a.ckpt')
  await saveSample(file)
  t.deepEqual(await runFake(['inspect', file]), {
    code: 0,
    out: SAMPLE.replace('FILE', file),
    err: '',
  })
})

test('inspect reads no tensor: damage to one does not matter', async (t) => {
  const file = join(await scratchFolder(t), 'a.ckpt')
  await saveSample(file)
  await damage(file, 'model', 'wte.weight')
  const { code, out } = await runFake(['inspect', file])
  t.is(code, 0)
  t.is(out, SAMPLE.replace('FILE', file))
})

test('a run that has just begun has no loss yet, and little else', async (t) => {
  const file = join(await scratchFolder(t), 'a.ckpt')
  await saveCheckpoint(file, stateful({}))
  const { out } = await runFake(['inspect', file])
  t.is(
    out,
    `${file}

epoch     0
step      0
loss      none yet
tensors   0 in 1 state, 0 B
file      120 B, format version 1
metadata  120 B
overhead  120 B, 100% of the file

model: 0 tensors, 0 elements, 0 B
`,
  )
})

test('the place in the order of saves and the time are printed where they are there', async (t) => {
  const file = join(await scratchFolder(t), 'a.ckpt')
  const lines = async (savedAt: number) => {
    await saveCheckpoint(file, stateful({}), null, { sequence: 12, savedAt })
    return (await runFake(['inspect', file])).out.split('\n').slice(5, 7)
  }
  const time = Date.UTC(2026, 10, 28, 8, 30)
  t.deepEqual(await lines(time), ['sequence  12', 'saved at  2026-11-28T08:30:00.000Z'])
  const beyond = Number.MAX_SAFE_INTEGER
  t.deepEqual(await lines(beyond), ['sequence  12', `saved at  ${beyond} ms since 1970`])
})

test('the odd numbers are printed as they are', async (t) => {
  const file = join(await scratchFolder(t), 'a.ckpt')
  const odd = { nan: Number.NaN, low: Number.NEGATIVE_INFINITY, zero: -0 }
  await saveCheckpoint(file, stateful({ tensors: {}, attributes: { ...odd, big: -5n } }), null, {
    loss: -0,
    metrics: odd,
  })
  const { out } = await runFake(['inspect', file])
  t.regex(out, /^loss {6}-0$/m)
  t.regex(out, /^metrics {3}nan {3}NaN\n {10}low {3}-Infinity\n {10}zero {2}-0$/m)
  t.regex(out, /^ {2}nan: NaN\n {2}low: -Infinity\n {2}zero: -0\n {2}big: -5n$/m)
})

// A name that clears the screen, one that ends a line, one in C1 codes, one that runs backwards.
const HOSTILE = [
  'a\u001b[2Jb',
  'a\nb',
  'a\u009b31mb',
  'a\u202eb',
  'line\u2028end',
  '\u{e0041}',
  '__proto__',
]

test('no name from a file can steer a terminal', async (t) => {
  const file = join(await scratchFolder(t), 'a.ckpt')
  const name = HOSTILE.join('')
  await saveCheckpoint(
    file,
    stateful({
      kind: name,
      attributes: { [name]: name, list: [{ [name]: [name] }] },
      tensors: Object.fromEntries(
        [name, ...HOSTILE].map((each) => [each, { shape: [1], data: new Uint8Array(1) }]),
      ),
    }),
    null,
    {
      metrics: { [name]: 1 },
      config: { [name]: name },
      extras: { [name]: stateful({ tensors: {}, kind: name }) },
    },
  )
  for (const options of [{}, { columns: 80 }]) {
    for (const flags of [[], ['--json']]) {
      const { out } = await runFake(['inspect', file, ...flags], options)
      t.notRegex(out, /[^\P{Cc}\n]|[\p{Cf}\p{Zl}\p{Zp}]/u)
    }
  }
  const { out } = await runFake(['inspect', file])
  t.regex(out, /^ {2}a\\u\{1b\}\[2Jb +uint8 {2}\[1\] +1 B$/m)
  t.regex(out, /^ {2}a\\u\{a\}b +uint8/m)
  t.regex(out, /^ {2}__proto__ +uint8/m)
  t.false(out.includes('\nb'))
})

test('a name of several words is in quotes, so that it cannot pass for a row', async (t) => {
  const file = join(await scratchFolder(t), 'a.ckpt')
  await saveNames(file, ['a  float64', '= b', '"c"'])
  const { out } = await runFake(['inspect', file])
  t.true(
    out.endsWith(`
  name          dtype    shape  bytes
  "a  float64"  float32  [2]      8 B
  "= b"         float32  [2]      8 B
  "\\"c\\""       float32  [2]      8 B
`),
  )
})

test('columns stay straight under wide characters', async (t) => {
  const file = join(await scratchFolder(t), 'a.ckpt')
  await saveNames(file, ['層.重み', 'ｗｉｄｅ', '🎉', 'e\u0301', 'plain'])
  const { out } = await runFake(['inspect', file])
  t.true(
    out.endsWith(`
  name      dtype    shape  bytes
  層.重み   float32  [2]      8 B
  ｗｉｄｅ  float32  [2]      8 B
  🎉        float32  [2]      8 B
  e\u0301         float32  [2]      8 B
  plain     float32  [2]      8 B
`),
  )
})

test('a terminal has long names cut in the middle, a file has them whole', async (t) => {
  const file = join(await scratchFolder(t), 'a.ckpt')
  const long = `first.${'middle.'.repeat(2000)}last`
  const names = [long, 'transformer.h.0.attn.c_attn.weight', 'transformer.h.0.attn.c_proj.weight']
  await saveNames(file, names)
  const whole = await runFake(['inspect', file])
  for (const name of names) t.true(whole.out.includes(`\n  ${name} `))

  const { out } = await runFake(['inspect', file], { columns: 50 })
  const table = out.slice(out.indexOf('  name'))
  t.is(
    table,
    `  name                       dtype    shape  bytes
  first.middle….middle.last  float32  [2]      8 B
  transformer.…_attn.weight  float32  [2]      8 B
  transformer.…_proj.weight  float32  [2]      8 B
`,
  )
  t.true(table.split('\n').every((line) => textWidth(line) <= 50))
})

test('names that differ in the middle alone are not cut until they look the same', async (t) => {
  const file = join(await scratchFolder(t), 'a.ckpt')
  const names = Array.from({ length: 12 }, (_, i) => `transformer.blocks.h.${i}.attention.weight`)
  await saveNames(file, names)
  const { out } = await runFake(['inspect', file], { columns: 40 })
  const shown = out.match(/^ {2}transf\S+/gm)
  t.is(new Set(shown).size, names.length)
})

test('a long list of attributes is cut short', async (t) => {
  const file = join(await scratchFolder(t), 'a.ckpt')
  await saveNames(file, [], {
    order: Array.from({ length: 60_000 }, (_, i) => i),
    note: 'x'.repeat(5000),
  })
  const { out } = await runFake(['inspect', file])
  t.regex(out, /^ {2}order: \[\n( {4}[\d, ]+\n)+ {4}... 59980 more items\n {2}\]$/m)
  t.true(out.includes(`\n  note: '${'x'.repeat(1000)}'... 4000 more characters\n`))
})

/** The lines of `ckpt inspect` about a config. */
function configText(config: string): string {
  const lines = inspectLines('a.ckpt', decode(seal(modelContent([], {}, { config }))))
  const at = lines.findIndex((line) => line.startsWith('config'))
  const end = lines.findIndex((line) => line.startsWith('tensors'))
  return lines.slice(at, end).join('\n')
}

test('a config is laid out as a value, and as its own text where a value has fewer digits', (t) => {
  const layers = [
    { type: 'linear', size: [128, 256] },
    { type: 'gelu', approximate: 'tanh', inplace: false },
  ]
  t.is(
    configText(JSON.stringify({ lr: 3e-4, name: 'nano', layers })),
    `config    {
            lr: 0.0003,
            name: 'nano',
            layers: [
              { type: 'linear', size: [ 128, 256 ] },
              { type: 'gelu', approximate: 'tanh', inplace: false }
            ]
          }`,
  )
  for (const text of ['{"seed":12345678901234567890}', '{"most": 1e400}']) {
    t.is(configText(text), `config    ${text}`)
  }
})

test('a config that is nested beyond measure is not indented without end', (t) => {
  const config = '{"a":'.repeat(5000) + 0 + '}'.repeat(5000)
  t.is(configText(config), `config    ${config}`)
})

test('a config that is not JSON is printed as it is, a line at a time', (t) => {
  const config = 'lr: 1\r\n\u001b[1mbold: ['
  t.is(configText(config), 'config    lr: 1\n          \\u{1b}[1mbold: [')
})

test('the output does not grow with the longest name times the number of tensors', async (t) => {
  const file = join(await scratchFolder(t), 'a.ckpt')
  const shared = new Uint8Array(1)
  const long = 'n'.repeat(60_000)
  const tied = Array.from({ length: 2000 }, (_, i) => [`t${i}`, { shape: [1], data: shared }])
  const others = Array.from({ length: 2000 }, (_, i) => [
    `o${i}`,
    { shape: [1], data: new Uint8Array(1) },
  ])
  await saveCheckpoint(
    file,
    stateful(Object.fromEntries([[long, { shape: [1], data: shared }], ...tied, ...others])),
  )
  for (const options of [{}, { columns: 80 }]) {
    const { out } = await runFake(['inspect', file], options)
    t.true(out.length < 4000 * 400 + 100_000)
  }
})

test('a file that is not a checkpoint is one line on stderr', async (t) => {
  const folder = await scratchFolder(t)
  const good = join(folder, 'good.ckpt')
  await saveSample(good)

  const cut = join(folder, 'cut.ckpt')
  await writeFile(cut, await readFile(good))
  await truncate(cut, 5000)
  const json = join(folder, 'a.json')
  await writeFile(json, '{"a": "the rest of it"}')
  const rotten = join(folder, 'rotten.ckpt')
  const bytes = await readFile(good)
  bytes[1000]! ^= 1
  await writeFile(rotten, bytes)
  const missing = join(folder, 'mis\u001b[31msing.ckpt')

  for (const [file, words] of [
    [cut, /expected 6400 bytes.*found 5000/],
    [json, /JSON/],
    [rotten, /metadata/],
    [folder, /folder/],
    [missing, /ENOENT/],
  ] as const) {
    const start = `ckpt: ${file.replace('\u001b', '\\u{1b}')}: `
    for (const flags of [[], ['--json']]) {
      const { code, out, err } = await runFake(['inspect', ...flags, file])
      t.is(code, 1)
      t.is(out, '')
      t.true(err.startsWith(start))
      // The path stands there once, and the message is one line.
      t.false(err.slice(start.length).includes(folder))
      t.regex(err, /^.*\n$/)
      t.regex(err, words)
    }
  }
})
