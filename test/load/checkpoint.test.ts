import { closeSync, openSync, writeSync } from 'node:fs'
import * as fs from 'node:fs/promises'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import test from 'ava'
import type { CheckpointError } from '../../src/errors.js'
import type { Checkpoint } from '../../src/load/checkpoint.js'
import { loadCheckpoint } from '../../src/load/load.js'
import type { ByteProgress } from '../../src/progress.js'
import { saveCheckpoint } from '../../src/save/save.js'
import { memoryState } from '../support/memory-state.js'
import { counted } from '../support/patterns.js'
import { flipBits, inMemory, positionOf } from '../support/saved.js'
import { scratchFolder } from '../support/scratch.js'
import { loadBy, ways } from '../support/ways-to-load.js'

const w = Float32Array.of(1, 2, 3)
const b = Float32Array.of(4, 5)
const m = Float32Array.of(6, 7, 8)
const ema = Float32Array.of(9, 10, 11)

const saved = () =>
  inMemory(memoryState({ w, b, tied: w }), memoryState({ m }, { lr: 0.1 }, 'SGD'), {
    extras: { ema: memoryState({ w: ema }), rng: memoryState({}, { seed: 7n }) },
    config: { width: 3 },
  })

async function faultsOf(checkpoint: Checkpoint): Promise<CheckpointError[]> {
  const faults: CheckpointError[] = []
  for await (const fault of checkpoint.faults()) faults.push(fault)
  return faults
}

test('the states of a checkpoint are its model, its optimizer and its extras', async (t) => {
  await using checkpoint = await loadCheckpoint(await saved())
  t.is(checkpoint.version, 1)
  t.deepEqual(
    checkpoint.states.map(({ name }) => name),
    ['model', 'optimizer', 'ema', 'rng'],
  )
  t.is(checkpoint.states[0], checkpoint.model)
  t.is(checkpoint.states[1], checkpoint.optimizer!)
  t.deepEqual([...checkpoint.extras.values()], checkpoint.states.slice(2))
  t.is(checkpoint.optimizer?.kind, 'SGD')
  t.is(checkpoint.model.kind, null)
  t.deepEqual(checkpoint.extras.get('rng')?.attributes, { seed: 7n })

  await using alone = await loadCheckpoint(await inMemory(memoryState({ w })))
  t.is(alone.optimizer, null)
  t.deepEqual(alone.states, [alone.model])
})

test('its lengths are those of the file and of the metadata in it', async (t) => {
  const file = await saved()
  await using checkpoint = await loadCheckpoint(file)
  t.is(checkpoint.byteLength, file.byteLength)
  const first = positionOf(file, w)
  t.true(checkpoint.metadataLength <= first - 4 && checkpoint.metadataLength > first - 68)
})

test('the config is parsed anew each time, and its text is as it was given', async (t) => {
  await using object = await loadCheckpoint(await saved())
  t.is(object.configText, '{"width":3}')
  t.deepEqual(object.config, { width: 3 })
  t.not(object.config, object.config)
  const text = ' { "lr" : 1e-3, "lr" : 2 } '
  await using own = await loadCheckpoint(await inMemory(memoryState({}), null, { config: text }))
  t.is(own.configText, text)
  t.deepEqual(own.config, { lr: 2 })
  await using none = await loadCheckpoint(await inMemory(memoryState({})))
  t.is(none.configText, null)
  t.is(none.config, null)
})

test('verify accepts a valid file, and reports every byte of its tensors once', async (t) => {
  const big = counted(10 * 2 ** 20)
  const folder = await scratchFolder(t)
  const path = join(folder, 'a.ckpt')
  await saveCheckpoint(path, memoryState({ w, big, tied: big, none: new Float32Array(0) }))
  for (const way of ways) {
    await using checkpoint = await loadBy(way, path)
    const reports: ByteProgress[] = []
    await checkpoint.verify({ onProgress: (progress) => reports.push(progress) })
    const total = 12 + big.byteLength
    t.true(reports.length >= 3, way)
    t.true(reports.every((report, i) => i === 0 || report.done > reports[i - 1]!.done))
    t.true(reports.every((report) => report.total === total))
    t.deepEqual(reports.at(-1), { done: total, total })
  }
})

test('the end of a verification is reported also where there is nothing to verify', async (t) => {
  await using checkpoint = await loadCheckpoint(await inMemory(memoryState({})))
  const reports: ByteProgress[] = []
  await checkpoint.verify({ onProgress: (progress) => reports.push(progress) })
  t.deepEqual(reports, [{ done: 0, total: 0 }])
})

test('verify throws the first fault, and faults lists every tensor that is damaged', async (t) => {
  const file = await saved()
  // In the middle of a tensor, in the gap before one, and at the last byte of the file.
  flipBits(file, positionOf(file, w) + 5, positionOf(file, m) - 9, file.byteLength - 1)
  const path = join(await scratchFolder(t), 'a.ckpt')
  await fs.writeFile(path, file)
  for (const way of ways) {
    await using checkpoint = await loadBy(way, path)
    const faults = await faultsOf(checkpoint)
    t.deepEqual(
      faults.map(({ code, state, tensor, rule }) => [code, state, tensor, rule]),
      [
        ['CKPT_TENSOR_CHECKSUM', 'model', 'w', undefined],
        ['CKPT_FORMAT', 'optimizer', 'm', 'gap'],
        ['CKPT_TENSOR_CHECKSUM', 'ema', 'w', undefined],
      ],
      way,
    )
    await t.throwsAsync(checkpoint.verify(), { message: faults[0]!.message })
    // And again: what was found bad once is not taken for checked.
    t.is((await faultsOf(checkpoint)).length, 3)
  }
})

test('every single bit that flips behind the metadata is found', async (t) => {
  const file = await saved()
  const { metadataLength } = await loadCheckpoint(file)
  for (let position = metadataLength; position < file.byteLength; position++) {
    const damaged = file.slice()
    damaged[position]! ^= 1 << (position % 8)
    t.is((await faultsOf(await loadCheckpoint(damaged))).length, 1, `byte ${position}`)
  }
})

test('progress ends at its total also where a tensor was damaged', async (t) => {
  const file = await saved()
  flipBits(file, positionOf(file, b) - 9, positionOf(file, m))
  await using checkpoint = await loadCheckpoint(file)
  const reports: number[] = []
  let faults = 0
  const onProgress = ({ done }: ByteProgress) => reports.push(done)
  for await (const _ of checkpoint.faults({ onProgress })) faults++
  t.is(faults, 2)
  // `w`, `b` (which was damaged before its first byte) and `m`; and the end.
  t.deepEqual(reports, [12, 12 + 8, 12 + 8 + 12, 12 + 8 + 12 + 12])
})

test('verify ends with the reason of its signal, and with what onProgress throws', async (t) => {
  const big = new Float32Array(9 * 2 ** 20)
  await using checkpoint = await loadCheckpoint(await inMemory(memoryState({ big })))
  const reason = new Error('enough')
  const controller = new AbortController()
  const verifying = checkpoint.verify({
    signal: controller.signal,
    onProgress: () => controller.abort(reason),
  })
  t.is(await t.throwsAsync(verifying), reason)
  const thrown = await t.throwsAsync(
    checkpoint.verify({
      onProgress() {
        throw reason
      },
    }),
  )
  t.is(thrown, reason)
  t.is(await t.throwsAsync(checkpoint.verify({ signal: AbortSignal.abort(reason) })), reason)
})

test('a long verification yields to the event loop', async (t) => {
  const big = new Float32Array(20 * 2 ** 20)
  await using checkpoint = await loadCheckpoint(await inMemory(memoryState({ big })))
  let turns = 0
  let running = true
  const others = (async () => {
    while (running) {
      await setImmediate()
      turns++
    }
  })()
  await checkpoint.verify()
  running = false
  await others
  t.true(turns >= 4, `${turns} turns in 80 MiB`)
})

for (const way of ways) {
  test(`a closed checkpoint gives nothing more, and its arrays stay valid: ${way}`, async (t) => {
    const path = join(await scratchFolder(t), 'a.ckpt')
    await fs.writeFile(path, await saved())
    const checkpoint = await loadBy(way, path)
    const tensor = checkpoint.model.get('w')
    const given = await tensor.read()
    checkpoint.close()
    checkpoint.close()
    checkpoint[Symbol.dispose]()
    await checkpoint[Symbol.asyncDispose]()
    await fs.rm(path)

    t.deepEqual(given, w)
    const closed = { code: 'CKPT_CLOSED' }
    for (const old of [tensor, checkpoint.model.get('w'), checkpoint.model.get('b')]) {
      t.throws(() => old.data, closed)
      await t.throwsAsync(old.read(), closed)
      await t.throwsAsync(old.readInto(new Uint8Array(old.byteLength)), closed)
    }
    await t.throwsAsync(checkpoint.verify(), closed)
    // What was in the metadata is still there.
    t.deepEqual([...checkpoint.model.keys()], ['w', 'b', 'tied'])
    t.deepEqual(checkpoint.config, { width: 3 })
  })

  test(`a checkpoint that is closed in the middle of a verification ends it: ${way}`, async (t) => {
    const path = join(await scratchFolder(t), 'a.ckpt')
    await saveCheckpoint(path, memoryState({ big: new Float32Array(9 * 2 ** 20), w }))
    const checkpoint = await loadBy(way, path)
    const verifying = checkpoint.verify({ onProgress: () => checkpoint.close() })
    await t.throwsAsync(verifying, { code: 'CKPT_CLOSED' })
    t.throws(() => checkpoint.model.get('w').data, { code: 'CKPT_CLOSED' })
  })
}

test('`using` and `await using` close the checkpoint', async (t) => {
  const file = await saved()
  let one: Checkpoint
  let other: Checkpoint
  {
    using first = await loadCheckpoint(file)
    await using second = await loadCheckpoint(file)
    one = first
    other = second
    t.deepEqual(one.model.get('w').data, w)
    t.deepEqual(other.model.get('w').data, w)
  }
  t.throws(() => one.model.get('w').data, { code: 'CKPT_CLOSED' })
  t.throws(() => other.model.get('w').data, { code: 'CKPT_CLOSED' })
})

test('a file that changes during its verification does not pass', async (t) => {
  const path = join(await scratchFolder(t), 'a.ckpt')
  const big = new Float32Array(9 * 2 ** 20)
  await saveCheckpoint(path, memoryState({ big, w }))
  // The system's clock for files advances in steps.
  await fs.utimes(path, 0, 0)
  await using checkpoint = await loadCheckpoint(path, { map: false })
  let touched = false
  const verifying = checkpoint.verify({
    onProgress() {
      if (touched) return
      touched = true
      // Behind the back of the reader, in a part that it has already seen.
      const fd = openSync(path, 'r+')
      writeSync(fd, Uint8Array.of(1), 0, 1, checkpoint.metadataLength + 100)
      closeSync(fd)
    },
  })
  await t.throwsAsync(verifying, { code: 'CKPT_FILE_CHANGED' })
})

test('an abort ends a verify() whose read never ends', async (t) => {
  const bytes = await inMemory(memoryState({ w: new Float32Array(1000) }))
  class HangingBlob extends Blob {
    hangs = false
    override slice(start?: number, end?: number): Blob {
      const part = super.slice(start, end)
      if (this.hangs) part.arrayBuffer = () => new Promise(() => {})
      return part
    }
  }
  const blob = new HangingBlob([bytes as Uint8Array<ArrayBuffer>])
  const checkpoint = await loadCheckpoint(blob)
  blob.hangs = true
  const reason = new Error('enough')
  const controller = new AbortController()
  const verifying = checkpoint.verify({ signal: controller.signal })
  setTimeout(() => controller.abort(reason), 10)
  t.is(await t.throwsAsync(verifying), reason)
})
