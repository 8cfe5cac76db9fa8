import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { loadPytorch } from '../../src/exchange/node/pytorch.js'
import { saveSafetensors } from '../../src/exchange/node/safetensors.js'
import { readPytorchFile } from '../../src/exchange/pytorch/pytorch-file.js'
import type { PytorchOptions } from '../../src/exchange/pytorch/training-of.js'
import type { Training } from '../../src/exchange/training.js'
import { loadCheckpoint, MemorySink, saveCheckpoint } from '../../src/index.js'
import { MemorySource } from '../../src/io/memory-source.js'
import { runFake } from '../support/cli/fake-terminal.js'
import { pytorchBombs } from '../support/exchange/bombs.js'
import {
  archive,
  bytesOf,
  op,
  pickleOf,
  storage,
  storedZip,
  tensor,
} from '../support/exchange/pickle.js'
import { scratchFolder } from '../support/scratch.js'

const floats = (...values: number[]) => new Uint8Array(Float32Array.from(values).buffer)

function read(file: Uint8Array, options?: PytorchOptions): Promise<Training> {
  const sibling = () => Promise.reject(new Error('there is none'))
  return readPytorchFile({ name: 'a.pt', source: new MemorySource(file), sibling }, options)
}

async function refused(t: ExecutionContext, file: Uint8Array, rule: string): Promise<void> {
  await t.throwsAsync(read(file), { code: 'CKPT_FOREIGN_FILE' })
  const error = await read(file).catch((error) => error)
  t.is(error.rule, rule)
}

const six = storage('FloatStorage', '0', 6)

test('a tensor is read dense, whatever its strides, from any byte on', async (t) => {
  const file = archive(
    pickleOf(op.text('w'), tensor(six, 0, [3, 2], [1, 3]), op.text('v'), tensor(six, 1, [2], [2])),
    { 0: floats(0, 1, 2, 3, 4, 5) },
  )
  const { model } = await read(file)
  t.deepEqual(await model.get('w').read(), Float32Array.of(0, 3, 1, 4, 2, 5))
  t.deepEqual(await model.get('v').read(), Float32Array.of(1, 3))
  const part = new Uint8Array(7)
  await model.get('w').readBytes(part, 6)
  t.deepEqual(part, floats(0, 3, 1, 4, 2, 5).subarray(6, 13))
})

test('tied tensors are tied in the checkpoint', async (t) => {
  const file = archive(
    pickleOf(
      ...[op.text('a'), tensor(six, 0, [2, 3], [3, 1])],
      ...[op.text('b'), tensor(six, 0, [2, 3], [3, 1])],
      ...[op.text('c'), tensor(six, 0, [3, 2], [2, 1])],
    ),
    { 0: floats(0, 1, 2, 3, 4, 5) },
  )
  const { model } = await read(file)
  t.is(model.get('a').segment(), model.get('b').segment())
  t.not(model.get('a').segment(), model.get('c').segment())
  const sink = new MemorySink()
  await saveCheckpoint(sink, { stateDict: () => model })
  const saved = await loadCheckpoint(sink.bytes)
  t.deepEqual(saved.model.get('b').data, Float32Array.of(0, 1, 2, 3, 4, 5))
  t.is(saved.model.get('a').segment(), saved.model.get('b').segment())
})

const optimizer = (...names: string[]) =>
  op.dict(
    ...[
      op.text('state'),
      op.dict(bytesOf('K', 0), op.dict(op.text('exp_avg'), tensor(six, 0, [6], [1]))),
    ],
    ...[
      op.text('param_groups'),
      bytesOf(
        ']',
        op.dict(
          ...[op.text('lr'), bytesOf('G', [0x3f, 0xe0, 0, 0, 0, 0, 0, 0])],
          ...[op.text('params'), bytesOf('](K', 0, 'K', 1, 'e')],
          ...(names.length === 0
            ? []
            : [op.text('param_names'), bytesOf('](', ...names.map(op.text), 'e')]),
        ),
        'a',
      ),
    ],
  )

test('an optimizer has its parameters by name where the file or the caller says them', async (t) => {
  const storages = { 0: floats(0, 1, 2, 3, 4, 5) }
  const whole = (...names: string[]) =>
    archive(
      pickleOf(
        ...[op.text('model'), op.dict(op.text('w'), tensor(six, 0, [6], [1]))],
        ...[op.text('optimizer'), optimizer(...names), op.text('epoch'), bytesOf('K', 3)],
        ...[op.text('step'), op.int(70_000), op.text('note'), op.text('é')],
      ),
      storages,
    )
  const { optimizer: numbered, progress, extras } = await read(whole())
  t.deepEqual([...numbered!.keys()], ['exp_avg/0'])
  t.deepEqual(numbered!.attributes, { param_groups: [{ lr: 0.5, params: ['0', '1'] }] })
  t.deepEqual(progress, { epoch: 3, step: 70_000 })
  t.deepEqual(extras.get('other')?.attributes, { note: 'é' })
  const given = await read(whole(), { parameters: ['w', 'b'] })
  t.deepEqual([...given.optimizer!.keys()], ['exp_avg/w'])
  t.deepEqual(given.optimizer!.attributes, { param_groups: [{ lr: 0.5, params: ['w', 'b'] }] })
  t.deepEqual([...(await read(whole('x', 'y'))).optimizer!.keys()], ['exp_avg/x'])
  await t.throwsAsync(read(whole(), { parameters: ['w'] }), { code: 'CKPT_NOT_CONVERTIBLE' })
})

test('ckpt convert takes the names of the parameters from a file, one a line', async (t) => {
  const folder = await scratchFolder(t)
  const at = (name: string): string => join(folder, name)
  const pickle = pickleOf(
    ...[op.text('model'), op.dict(op.text('w'), tensor(six, 0, [6], [1]))],
    ...[op.text('optimizer'), optimizer()],
  )
  await writeFile(at('run.pt'), archive(pickle, { 0: floats(0, 1, 2, 3, 4, 5) }))
  await writeFile(at('names.txt'), 'w\r\n\nb')
  const argv = ['convert', at('run.pt'), at('run.ckpt'), '--parameters', at('names.txt')]
  t.like(await runFake(argv), { code: 0, err: '' })
  const { optimizer: saved } = await loadCheckpoint(at('run.ckpt'))
  t.deepEqual([...saved!.keys()], ['exp_avg/w'])
  t.deepEqual(saved!.attributes, { param_groups: [{ lr: 0.5, params: ['w', 'b'] }] })
  const missing = await runFake([...argv.slice(0, 4), at('none.txt')])
  t.is(missing.code, 2)
  t.regex(missing.err, /expected a file with one name a line; ".*none.txt": ENOENT/)
  const other = await runFake(['convert', at('run.ckpt'), at('x.npz'), ...argv.slice(3)])
  t.is(other.code, 1)
  t.regex(other.err, /names of parameters are for files of PyTorch, and the input is ckpt/)
})

test('names in another order than the optimizer has them are refused where the shapes show it', async (t) => {
  const file = archive(
    pickleOf(
      op.text('model'),
      op.dict(
        ...[op.text('b'), tensor(six, 0, [2], [1])],
        ...[op.text('w'), tensor(six, 0, [6], [1])],
      ),
      ...[op.text('optimizer'), optimizer()],
    ),
    { 0: floats(0, 1, 2, 3, 4, 5) },
  )
  const right = await read(file, { parameters: ['w', 'b'] })
  t.deepEqual([...right.optimizer!.keys()], ['exp_avg/w'])
  await t.throwsAsync(read(file, { parameters: ['b', 'w'] }), {
    code: 'CKPT_NOT_CONVERTIBLE',
    message: /not in the optimizer's order: expected "exp_avg\/b" of shape \[2\].* found \[6\]/,
  })
})

test('a file that wants to run something is refused, and says what', async (t) => {
  for (const [module, name] of [
    ['os', 'system'],
    ['builtins', 'eval'],
    ['__builtin__', 'getattr'],
    ['torch', 'load'],
    ['torch.hub', 'load'],
    ['torch.storage', '_load_from_bytes'],
    ['numpy.core.multiarray', '_reconstruct'],
    ['__main__', 'Net'],
  ] as const) {
    const pickle = bytesOf(op.proto, op.global(module, name), op.tuple(op.text('id')), 'R', op.stop)
    await refused(t, archive(pickle), 'pytorch.global')
    await t.throwsAsync(read(archive(pickle)), { message: new RegExp(name) })
  }
  // A name that may stand there, and not be called.
  const called = bytesOf(op.proto, op.global('torch', 'FloatStorage'), op.tuple(), 'R', op.stop)
  await refused(t, archive(called), 'pytorch.call')
  const built = bytesOf(op.proto, ']}b', op.stop)
  await refused(t, archive(built), 'pytorch.pickle.build')
})

test('opcodes that PyTorch does not write are refused', async (t) => {
  for (const opcode of [0x93, 0x8c, 0x94, 0x95, 0x8b, 0x69, 0x6f, 0x49, 0x50, 0x32, 0xff]) {
    await refused(
      t,
      archive(bytesOf(op.proto, opcode, [0, 0, 0, 0, 0, 0, 0, 0], op.stop)),
      'pytorch.pickle.opcode',
    )
  }
})

test('a pickle that is cut off or makes no sense is refused, whatever it takes', async (t) => {
  for (const pickle of [
    [],
    ['N'],
    ['X', [0xff, 0xff, 0xff, 0xff], '.'],
    ['X', [1, 0, 0, 0], 0xff, '.'],
    ['.'],
    ['NN.'],
    ['(N.'],
    ['t.'],
    ['u.'],
    ['N]a.'],
    ['}N.'],
    ['h', 0, '.'],
    ['NNs.'],
    ['}(NNNu.'],
    ['cabc'],
    ['c', 'x'.repeat(5000)],
    ['NR.'],
    ['NQ.'],
    [0x8a, 200, '.'],
  ]) {
    const error = await t.throwsAsync<Error & { rule?: string; code: string }>(
      read(archive(bytesOf(op.proto, ...pickle))),
    )
    t.regex(error?.rule ?? '', /^pytorch\.pickle/, JSON.stringify(pickle))
  }
})

for (const { what, make, rule } of pytorchBombs) {
  test.serial(`a bomb is refused in less than 10 ms: ${what}`, async (t) => {
    const file = make()
    let least = Number.POSITIVE_INFINITY
    // The machine may be busy with something else.
    for (let i = 0; i < 20 && least >= 10; i++) {
      const start = performance.now()
      const error = await read(file).catch((error) => error)
      least = Math.min(least, performance.now() - start)
      t.is(error.rule, rule)
    }
    t.true(least < 10, `${least} ms`)
  })
}

test('a tensor outside its storage, and one that stands for far more than it, are refused', async (t) => {
  const storages = { 0: floats(0, 1, 2, 3, 4, 5) }
  for (const wrong of [
    tensor(six, 1, [6], [1]),
    tensor(six, 0, [2, 3], [4, 1]),
    tensor(six, 2 ** 31 - 1, [1], [1]),
  ]) {
    await refused(t, archive(pickleOf(op.text('w'), wrong), storages), 'pytorch.tensor')
  }
  const huge = tensor(six, 0, [2 ** 20, 2 ** 20], [0, 0])
  await t.throwsAsync(read(archive(pickleOf(op.text('w'), huge), storages)), {
    code: 'CKPT_NOT_CONVERTIBLE',
  })
  const more = storage('FloatStorage', '0', 7)
  await refused(
    t,
    archive(pickleOf(op.text('w'), tensor(more, 0, [7], [1])), storages),
    'pytorch.storage',
  )
  const none = storage('FloatStorage', '1', 1)
  await refused(
    t,
    archive(pickleOf(op.text('w'), tensor(none, 0, [1], [1])), storages),
    'pytorch.storage',
  )
})

test('a tensor without elements is read, wherever it begins', async (t) => {
  const none = tensor(six, 1000, [0, 2], [2, 1])
  const { model } = await read(
    archive(pickleOf(op.text('w'), none), { 0: floats(0, 1, 2, 3, 4, 5) }),
  )
  t.deepEqual(await model.get('w').read(), new Float32Array(0))
})

test('archives that are no archive of PyTorch, or a hostile one, are refused', async (t) => {
  await refused(t, storedZip({ 'a/b': Uint8Array.of(1) }), 'pytorch.archive')
  await refused(t, Buffer.from('not a file of PyTorch'), 'pytorch.magic')
  await refused(t, new Uint8Array(0), 'pytorch.magic')
  const entries = { 'a/data.pkl': pickleOf(), 'a/data/0': pickleOf() }
  await refused(t, storedZip(entries, { overlap: true }), 'zip.overlap')
  const damaged = archive(pickleOf(op.text('w'), op.text('plain')))
  damaged[Buffer.from(damaged).indexOf('plain')]! ^= 1
  await refused(t, damaged, 'zip.crc')
})

test('a file of a big-endian machine is refused by its byte order', async (t) => {
  const pickle = pickleOf(op.text('w'), tensor(six, 0, [6], [1]))
  const file = storedZip({
    'a/data.pkl': pickle,
    'a/byteorder': Buffer.from('big'),
    'a/data/0': floats(0, 1, 2, 3, 4, 5),
  })
  await t.throwsAsync(read(file), { code: 'CKPT_NOT_CONVERTIBLE', message: /byte order is "big"/ })
})

test('what attributes cannot hold is refused by its path', async (t) => {
  const long = bytesOf(0x8a, 9, [0, 0, 0, 0, 0, 0, 0, 0, 4])
  for (const [value, path] of [
    [op.dict(op.text('huge'), long), '"huge"'],
    [op.dict(op.tuple(), 'N'), 'has a key'],
    [op.dict(op.text('s'), six), '"s"'],
  ] as const) {
    const model = op.dict(op.text('w'), tensor(six, 0, [6], [1]))
    const file = archive(pickleOf(op.text('model'), model, op.text('args'), value), {
      0: floats(0, 1, 2, 3, 4, 5),
    })
    await t.throwsAsync(read(file), { code: 'CKPT_NOT_CONVERTIBLE', message: new RegExp(path) })
  }
})

const magic = [0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, 0x2e]

/** A file as PyTorch wrote them before 1.6. */
function legacy(object: Uint8Array, keys: readonly string[], ...storages: readonly Uint8Array[]) {
  const info = bytesOf(op.proto, op.dict(op.text('little_endian'), 0x88), op.stop)
  const list = bytesOf(op.proto, '](', ...keys.map(op.text), 'e', op.stop)
  return bytesOf(magic, op.proto, 'M', [0xe9, 3], op.stop, info, object, list, ...storages)
}

const legacyStorage = bytesOf(
  op.tuple(
    op.text('storage'),
    op.global('torch', 'FloatStorage'),
    op.text('7'),
    op.text('cpu'),
    op.int(2),
    'N',
  ),
  'Q',
)

test('an old file is read, and refused where its storages are not what it says', async (t) => {
  const object = pickleOf(op.text('w'), tensor(legacyStorage, 0, [2], [1]))
  const two = bytesOf([2, 0, 0, 0, 0, 0, 0, 0], floats(1, 2))
  const { model } = await read(legacy(object, ['7'], two))
  t.deepEqual(await model.get('w').read(), Float32Array.of(1, 2))
  await refused(t, legacy(object, ['7'], two.subarray(0, 12)), 'pytorch.storage')
  await refused(
    t,
    legacy(object, ['7'], bytesOf([3, 0, 0, 0, 0, 0, 0, 0], floats(1, 2))),
    'pytorch.storage',
  )
  await refused(t, legacy(object, [], two), 'pytorch.storage')
  await refused(t, legacy(object, ['8'], two), 'pytorch.storage')
  await refused(t, legacy(object, ['7', '7'], two, two), 'pytorch.storage')
  await refused(t, bytesOf(magic, op.proto, 'M', [0xe8, 3], op.stop), 'pytorch.version')
  await refused(t, bytesOf(magic, op.proto), 'pytorch.pickle')
})

test('a long pickle of an old file is read although it does not come at once', async (t) => {
  const padding = op.text('x'.repeat(3_000_000))
  const object = pickleOf(op.text('pad'), padding, op.text('w'), tensor(legacyStorage, 0, [2], [1]))
  const two = bytesOf([2, 0, 0, 0, 0, 0, 0, 0], floats(1, 2))
  const { model } = await read(legacy(object, ['7'], two))
  t.deepEqual(await model.get('w').read(), Float32Array.of(1, 2))
})

test('an archive that was packed anew is read although it is compressed', async (t) => {
  const pickle = pickleOf(op.text('w'), tensor(six, 0, [3, 2], [1, 3]))
  const entries = { 'a/data.pkl': pickle, 'a/data/0': floats(0, 1, 2, 3, 4, 5) }
  const { model } = await read(storedZip(entries, { deflate: true }))
  t.deepEqual(await model.get('w').read(), Float32Array.of(0, 3, 1, 4, 2, 5))
})

test('a checkpoint of the Trainer is read from its folder', async (t) => {
  const folder = await scratchFolder(t)
  const storages = { 0: floats(0, 1, 2, 3, 4, 5) }
  const optimizerFile = archive(bytesOf(op.proto, optimizer(), op.stop), storages)
  const scheduler = archive(pickleOf(op.text('last_epoch'), op.int(40)))
  const trainerState =
    '{"epoch": 1.5, "global_step": 40, "best_metric": null, "log_history": [{"loss": 2.5, "step": 20}, ' +
    '{"loss": 1.25, "grad_norm": NaN, "step": 40}, {"eval_accuracy": 0.75, "step": 40}], "note": "[NaN]"}'
  await writeFile(join(folder, 'optimizer.pt'), optimizerFile)
  t.like(await loadPytorch(join(folder, 'optimizer.pt')), { extras: new Map(), progress: {} })
  await writeFile(join(folder, 'scheduler.pt'), scheduler)
  await writeFile(join(folder, 'trainer_state.json'), trainerState)
  await saveSafetensors(join(folder, 'model.safetensors'), {
    w: { shape: [2], data: Float32Array.of(1, 2) },
  })
  const file = await loadPytorch(join(folder, 'optimizer.pt'), { parameters: ['w', 'b'] })
  t.deepEqual(file.progress, { epoch: 1, step: 40, loss: 1.25, metrics: { eval_accuracy: 0.75 } })
  t.deepEqual(await file.model.get('w').read(), Float32Array.of(1, 2))
  t.deepEqual([...file.optimizer!.keys()], ['exp_avg/w'])
  t.deepEqual(file.extras.get('scheduler')?.attributes, { last_epoch: 40 })
  t.is(file.extras.get('trainer_state')?.attributes.note, '[NaN]')
  file.close()
  await t.throwsAsync(file.model.get('w').read(), { code: 'CKPT_CLOSED' })
  await writeFile(join(folder, 'trainer_state.json'), '{')
  await t.throwsAsync(loadPytorch(join(folder, 'optimizer.pt')), { code: 'CKPT_FOREIGN_FILE' })
})

test('a file is known by its content, whatever it is called', async (t) => {
  const folder = await scratchFolder(t)
  const file = archive(pickleOf(op.text('w'), tensor(six, 0, [6], [1])), {
    0: floats(0, 1, 2, 3, 4, 5),
  })
  await writeFile(join(folder, 'lightning.ckpt'), file)
  const { code, err } = await runFake([
    'convert',
    join(folder, 'lightning.ckpt'),
    join(folder, 'a.ckpt'),
  ])
  t.is(code, 0, err)
  const { model } = await loadCheckpoint(join(folder, 'a.ckpt'))
  t.deepEqual(model.get('w').data, Float32Array.of(0, 1, 2, 3, 4, 5))
})
