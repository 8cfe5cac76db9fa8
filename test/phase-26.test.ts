/** What this library has to do, in five tests, on the real modules and optimizers of test/trainer. */

import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { loadCheckpoint } from '../src/load/load.js'
import type { StateMismatchError } from '../src/restore/compare.js'
import { restoreCheckpoint } from '../src/restore/restore.js'
import { saveCheckpoint } from '../src/save/save.js'
import { type Child, startChild } from './support/child.js'
import { times } from './support/effort.js'
import { Generations } from './support/generations.js'
import { Random } from './support/random.js'
import { scratchFolder } from './support/scratch.js'
import { SEED } from './support/seed.js'
import { MLP } from './support/trainer/mlp.js'
import { Rng } from './support/trainer/rng.js'
import { createRun, type Run } from './support/trainer/run.js'

const OPTIMIZERS = ['SGD', 'AdamW'] as const

/** Everything that decides how a run goes on. */
const stateOf = ({ model, optimizer, sampler, rng }: Run) =>
  structuredClone([
    model.stateDict(),
    optimizer.stateDict(),
    sampler.stateDict(),
    rng.stateDict(),
  ] as const)

/** The bits of an array, so that one NaN differs from another and 0 from -0. */
const bits = (data: Float32Array) => Array.from(new Uint32Array(data.slice().buffer))

test('test_phase_26_save_load', async (t) => {
  const folder = await scratchFolder(t)
  for (const optimizer of OPTIMIZERS) {
    const path = join(folder, `${optimizer}.ckpt`)
    const run = createRun({ optimizer })
    const losses = run.train(25)
    const extras = { sampler: run.sampler, rng: run.rng }
    await saveCheckpoint(path, run.model, run.optimizer, { step: 25, loss: losses[24]!, extras })
    const saved = stateOf(run)

    // As in a new process, except that this run has already gone some other way.
    const resumed = createRun({ optimizer })
    resumed.train(3)
    t.notDeepEqual(stateOf(resumed), saved)
    await using checkpoint = await loadCheckpoint(path)
    await restoreCheckpoint(checkpoint, resumed.model, resumed.optimizer, {
      extras: { sampler: resumed.sampler, rng: resumed.rng },
    })
    t.deepEqual(stateOf(resumed), saved)

    // And it goes on, bit for bit, as if it had never stopped.
    t.deepEqual(resumed.train(40), run.train(40))
    t.deepEqual(stateOf(resumed), stateOf(run))
  }
})

test('test_phase_26_optimizer_state', async (t) => {
  const folder = await scratchFolder(t)
  for (const optimizer of OPTIMIZERS) {
    const path = join(folder, `${optimizer}.ckpt`)
    const run = createRun({ optimizer })
    run.train(25)
    run.optimizer.lr /= 3
    await saveCheckpoint(path, run.model, run.optimizer)
    const { tensors: buffers, attributes } = run.optimizer.stateDict()
    for (const [name, { data }] of buffers) {
      t.true(
        data.some((value) => value !== 0),
        `${name} has to hold something, or it proves nothing`,
      )
    }
    const saved = structuredClone(buffers)

    await using checkpoint = await loadCheckpoint(path)
    t.is(checkpoint.optimizer?.kind, optimizer)
    t.deepEqual([...checkpoint.optimizer!.keys()], [...buffers.keys()])
    const kind = optimizer === 'SGD' ? ['momentum_buffer'] : ['exp_avg', 'exp_avg_sq']
    for (const buffer of kind) {
      for (const [parameter] of run.model.namedParameters()) {
        t.true(checkpoint.optimizer!.has(`${buffer}/${parameter}`))
      }
    }

    const resumed = createRun({ optimizer })
    await restoreCheckpoint(checkpoint, resumed.model, resumed.optimizer)
    const restored = resumed.optimizer.stateDict()
    t.deepEqual(restored.attributes, attributes)
    for (const [name, { data }] of restored.tensors) {
      t.deepEqual(bits(data), bits(saved.get(name)!.data), name)
    }

    // What the buffers are worth: the same batches, with the model restored and they not.
    const forgetful = createRun({ optimizer })
    await restoreCheckpoint(checkpoint, forgetful.model)
    t.notDeepEqual(forgetful.train(5), resumed.train(5))
  }
})

test('test_phase_26_metadata', async (t) => {
  const path = join(await scratchFolder(t), 'run.ckpt')
  const run = createRun()
  const losses = run.train(25)
  const loss = losses[24]!
  const config = { model: { sizes: [3, 32, 4], activation: 'tanh' }, 'batch size': 28 }
  const metrics = { accuracy: 0.1 + 0.2, 'perplexity/val': Infinity, diverged: NaN, delta: -0 }
  await saveCheckpoint(path, run.model, run.optimizer, {
    epoch: 3,
    step: 25,
    loss,
    metrics,
    config,
  })
  {
    await using checkpoint = await loadCheckpoint(path)
    t.is(checkpoint.epoch, 3)
    t.is(checkpoint.step, 25)
    t.is(checkpoint.loss, loss)
    t.deepEqual(checkpoint.metrics, metrics)
    t.deepEqual(checkpoint.config, config)
    const report = await restoreCheckpoint(checkpoint, run.model, run.optimizer)
    t.deepEqual([report.epoch, report.step, report.loss], [3, 25, loss])
  }
  for (const unusual of [null, NaN, Infinity, -Infinity, -0, Number.MIN_VALUE]) {
    const progress = { epoch: 2 ** 53 - 1, step: -(2 ** 53 - 1), loss: unusual }
    await saveCheckpoint(path, run.model, null, progress)
    await using checkpoint = await loadCheckpoint(path)
    t.is(checkpoint.loss, unusual)
    t.deepEqual([checkpoint.epoch, checkpoint.step], [2 ** 53 - 1, -(2 ** 53 - 1)])
    t.deepEqual([checkpoint.metrics, checkpoint.config], [{}, null])
  }
})

/** The generation in the file at `path`, all of whose bytes have been looked at; null for no file. */
async function generationAt(t: ExecutionContext, path: string): Promise<number | null> {
  const there = await stat(path).then(
    () => true,
    () => false,
  )
  if (!there) return null
  await using checkpoint = await loadCheckpoint(path)
  await checkpoint.verify()
  const expected = new Generations().set(checkpoint.step)
  const found = new Generations()
  await restoreCheckpoint(checkpoint, found.model, found.optimizer)
  const arrays = found.arrays()
  for (const [name, data] of expected.arrays()) {
    const same = Buffer.from(data.buffer).equals(Buffer.from(arrays.get(name)!.buffer))
    t.true(same, `${name} is not that of generation ${checkpoint.step}`)
  }
  return checkpoint.step
}

async function kill(child: Child): Promise<string[]> {
  child.process.kill('SIGKILL')
  const lines: string[] = []
  for await (const line of child.lines) lines.push(line)
  const { signal, errors } = await child.ended
  if (signal !== 'SIGKILL') throw new Error(`the child ended by itself: ${errors}`)
  return lines
}

test('test_phase_26_atomic', async (t) => {
  t.timeout(120_000)
  const folder = await scratchFolder(t)
  const path = join(folder, 'run.ckpt')
  const temporaries = async () => (await readdir(folder)).filter((name) => name !== 'run.ckpt')

  // Killed while it stands inside a save: nothing is to be seen of it, first without a file there.
  for (const [old, fraction] of [
    [null, 0.5],
    [1, 0],
    [1, 0.3],
    [1, 0.7],
    // All is written and synced, and only the rename is left.
    [1, 1],
  ] as const) {
    if (old !== null) {
      const { model, optimizer } = new Generations().set(old)
      await saveCheckpoint(path, model, optimizer, { step: old })
      t.deepEqual(await temporaries(), [], 'a save removes what killed ones have left')
    }
    const child = startChild(t, 'save-generations', [path, '2', String(fraction)])
    let inside = ''
    for await (const line of child.lines) {
      inside = line
      if (line.startsWith('inside')) break
    }
    const [, done, total] = inside.split(' ').map(Number)
    t.true(done! / total! >= fraction && total! > 90e6, inside)
    t.deepEqual(await kill(child), [])
    t.is((await temporaries()).length, 1, 'it was killed between creating and renaming its file')
    t.is(await generationAt(t, path), old)
  }

  // Killed at any moment: the last one that was committed is there, or the next one as a whole.
  const random = new Random(SEED, 0)
  let latest = 1
  for (let round = 0; round < times(2); round++) {
    const child = startChild(t, 'save-generations', [path, String(latest + 1), 'forever'])
    await child.lines.next()
    await setTimeout(random.below(400))
    for (const line of await kill(child)) {
      const [what, generation] = line.split(' ')
      if (what === 'committed') latest = Number(generation)
    }
    const found = await generationAt(t, path)
    t.true(found === latest || found === latest + 1, `${found} after ${latest} was committed`)
    latest = found!
  }
  const { model, optimizer } = new Generations().set(9_999)
  await saveCheckpoint(path, model, optimizer, { step: 9_999 })
  t.is(await generationAt(t, path), 9_999)
  t.deepEqual(await readdir(folder), ['run.ckpt'])
})

test('test_phase_26_missing_key', async (t) => {
  const path = join(await scratchFolder(t), 'partial.ckpt')
  const saved = new MLP([3, 8, 4], 'tanh', new Rng(1))
  const partial = saved.stateDict()
  partial.delete('layers.1.weight')
  partial.set('head.scale', { shape: [2], data: Float32Array.of(1, 2) })
  await saveCheckpoint(path, { stateDict: () => partial })
  await using checkpoint = await loadCheckpoint(path)

  // Strict, and that is the default: an error that lists every key, and nothing has changed.
  const model = new MLP([3, 8, 4], 'tanh', new Rng(2))
  const before = structuredClone(model.stateDict())
  const error = await t.throwsAsync<StateMismatchError>(restoreCheckpoint(checkpoint, model), {
    code: 'CKPT_STATE_MISMATCH',
  })
  t.deepEqual(error?.missing, [{ state: 'model', tensor: 'layers.1.weight' }])
  t.deepEqual(error?.unexpected, [{ state: 'model', tensor: 'head.scale' }])
  t.regex(error!.message, /missing from the checkpoint: model: "layers\.1\.weight"/)
  t.regex(error!.message, /unexpected in the checkpoint: model: "head\.scale"/)
  t.deepEqual(model.stateDict(), before)

  // Not strict: one warning, the keys are skipped, and all others are restored.
  const warnings: Error[] = []
  const onWarning = (warning: Error) => warnings.push(warning)
  process.on('warning', onWarning)
  t.teardown(() => process.off('warning', onWarning))
  const report = await restoreCheckpoint(checkpoint, model, null, { strict: false })
  // Warnings are emitted in the next turn of the event loop.
  await setTimeout(0)
  // Those of other tests of this process apart.
  const ours = warnings.filter(({ message }) => message.startsWith('not everything was restored'))
  t.is(ours.length, 1)
  t.is(ours[0]!.name, 'CheckpointWarning')
  t.regex(ours[0]!.message, /model: "layers\.1\.weight".*model: "head\.scale"/s)
  t.deepEqual(report.missing, [{ state: 'model', tensor: 'layers.1.weight' }])
  t.deepEqual(report.unexpected, [{ state: 'model', tensor: 'head.scale' }])
  t.is(report.tensors, 3)
  for (const [name, { data }] of model.stateDict()) {
    const kept = name === 'layers.1.weight'
    t.deepEqual(data, (kept ? before : saved.stateDict()).get(name)!.data, name)
  }
})
