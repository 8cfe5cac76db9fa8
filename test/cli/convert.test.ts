import { access, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { loadCheckpoint } from '../../src/index.js'
import { runFake } from '../support/cli/fake-terminal.js'
import { inMemory } from '../support/saved.js'
import { scratchFolder } from '../support/scratch.js'

const weights = Float32Array.of(1, -0, 3.1406, Number.NaN)

/** A folder with a checkpoint of a model and its optimizer, whose names begin with `module.`. */
async function folderWithCheckpoint(t: Parameters<typeof scratchFolder>[0]) {
  const folder = await scratchFolder(t)
  const model = new Map([
    ['module.fc.weight', { shape: [2, 2], data: weights }],
    ['module.head.weight', { shape: [2, 2], data: weights }],
    ['module.steps', { shape: [], data: Int32Array.of(7) }],
  ])
  const optimizer = new Map([
    ['exp_avg/module.fc.weight', { shape: [2, 2], data: Float32Array.of(1, 2, 3, 4) }],
  ])
  const state = { tensors: optimizer, kind: 'AdamW', attributes: { lr: 1e-3, best: Infinity } }
  const bytes = await inMemory(
    { stateDict: () => model },
    { stateDict: () => state },
    { epoch: 2, step: 70, loss: 0.5, metrics: { accuracy: Number.NaN }, config: { width: 2 } },
  )
  const path = join(folder, 'run.ckpt')
  await writeFile(path, bytes)
  return { folder, path, bytes }
}

test('a checkpoint goes to safetensors and back without loss', async (t) => {
  const { folder, path, bytes } = await folderWithCheckpoint(t)
  const [there, back] = [join(folder, 'run.safetensors'), join(folder, 'back.ckpt')]
  const first = await runFake(['convert', path, there])
  t.is(first.err, '')
  t.is(first.code, 0)
  t.regex(first.out, /\(ckpt\) -> .*\(safetensors\): 3 tensors, /)
  t.is((await runFake(['convert', there, back])).code, 0)
  t.deepEqual(new Uint8Array(await readFile(back)), new Uint8Array(bytes))
})

test('--only model has its tensors under their own names, renamed and as another dtype', async (t) => {
  const { folder, path } = await folderWithCheckpoint(t)
  const out = join(folder, 'model.safetensors')
  const argv = [
    'convert',
    path,
    out,
    '--only',
    'model',
    '--rename',
    'module.=',
    '--dtype',
    'bfloat16',
  ]
  t.is((await runFake(argv)).code, 0)
  const file = await readFile(out)
  const header = JSON.parse(file.subarray(8, 8 + Number(file.readBigUInt64LE())).toString())
  t.deepEqual(Object.keys(header), ['__metadata__', 'steps', 'fc.weight', 'head.weight'])
  t.deepEqual(header.__metadata__, { format: 'pt' })
  t.is(header['fc.weight'].dtype, 'BF16')
  t.is(header.steps.dtype, 'I32')
  const back = join(folder, 'model.ckpt')
  t.is((await runFake(['convert', out, back])).code, 0)
  await using checkpoint = await loadCheckpoint(back)
  t.deepEqual(
    checkpoint.model.get('fc.weight').data,
    Uint16Array.of(0x3f80, 0x8000, 0x4049, 0x7fc0),
  )
  t.is(checkpoint.optimizer, null)
})

test('names of an optimizer are renamed behind their slash, and tied tensors stay tied', async (t) => {
  const { folder, path } = await folderWithCheckpoint(t)
  const out = join(folder, 'renamed.ckpt')
  t.is((await runFake(['convert', path, out, '--rename', 'module.=net.'])).code, 0)
  await using checkpoint = await loadCheckpoint(out)
  t.deepEqual([...checkpoint.model.keys()], ['net.fc.weight', 'net.head.weight', 'net.steps'])
  t.deepEqual([...checkpoint.optimizer!.keys()], ['exp_avg/net.fc.weight'])
  const [fc, head] = ['net.fc.weight', 'net.head.weight'].map((name) => checkpoint.model.get(name))
  t.is(fc!.segment(), head!.segment())
})

test('--dry-run prints what would be written, and writes nothing', async (t) => {
  const { folder, path } = await folderWithCheckpoint(t)
  const out = join(folder, 'x.safetensors')
  const shown = await runFake(['convert', path, out, '--dry-run', '--dtype', 'float16'])
  t.is(shown.code, 0)
  t.regex(shown.out, /module\.fc\.weight +float16 +\[2, 2\] +8 B/)
  t.regex(shown.out, /= module\.fc\.weight/)
  t.regex(shown.out, /epoch 2, step 70, loss 0.5/)
  await t.throwsAsync(access(out), { code: 'ENOENT' })
})

for (const [what, argv, code, message] of [
  ['an extension that says nothing', ['OUT.xyz'], 1, /^ckpt: OUT\.xyz: the name of the output/],
  ['a format without a writer', ['OUT.pt'], 1, /^ckpt: OUT\.pt: pytorch cannot be written/],
  ['a state that is not there', ['x.ckpt', '--only', 'ema'], 1, /there is no state "ema"/],
  ['a renaming of nothing', ['x.ckpt', '--rename', 'mod=x'], 0, /^$/],
  [
    'a renaming that fits no name',
    ['x.ckpt', '--rename', 'zzz.='],
    1,
    /no name begins with "zzz\."/,
  ],
  [
    'two names that become one',
    ['x.ckpt', '--rename', 'module.fc=module.head'],
    1,
    /would both be called/,
  ],
  [
    'a dtype to which nothing converts',
    ['x.ckpt', '--dtype', 'int8'],
    2,
    /nothing converts to "int8"/,
  ],
  ['a renaming without a sign', ['x.ckpt', '--rename', 'module.'], 2, /expected FROM=TO/],
  ['a format that there is not', ['x.ckpt', '--to', 'h5'], 2, /there is no format "h5"/],
  ['one file', [], 2, /takes a file to read and a file to write/],
] as const) {
  test(`${what}: exit code ${code}, and nothing is left behind unless it is 0`, async (t) => {
    const { folder, path } = await folderWithCheckpoint(t)
    const [out, ...rest] = argv
    const files = out === undefined ? [path] : [path, join(folder, out)]
    const result = await runFake(['convert', ...files, ...rest])
    t.is(result.code, code)
    t.regex(result.err, message)
    if (out !== undefined && code !== 0) {
      await t.throwsAsync(access(join(folder, out)), { code: 'ENOENT' })
    }
  })
}

test('a damaged input leaves the output as it was', async (t) => {
  const { folder, path, bytes } = await folderWithCheckpoint(t)
  const out = join(folder, 'x.safetensors')
  await writeFile(out, 'what was there')
  const damaged = new Uint8Array(bytes)
  damaged[damaged.length - 1]! ^= 1
  await writeFile(path, damaged)
  const { code, err } = await runFake(['convert', path, out])
  t.is(code, 1)
  t.regex(err, /checksum/)
  t.is(await readFile(out, 'utf8'), 'what was there')
})
