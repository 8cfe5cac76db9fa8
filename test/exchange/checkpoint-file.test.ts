import test from 'ava'
import { trainingOf } from '../../src/exchange/checkpoint-file.js'
import { saveSafetensors } from '../../src/exchange/safetensors.js'
import { MemorySink } from '../../src/io/memory-sink.js'
import { MemorySource } from '../../src/io/memory-source.js'
import type { Source } from '../../src/io/source.js'
import { openCheckpoint } from '../../src/load/open.js'
import { scattered } from '../support/patterns.js'
import { inMemory } from '../support/saved.js'

const LENGTH = 9_000_000
const weights = scattered(LENGTH)

const saved = () =>
  inMemory({ stateDict: () => ({ w: { shape: [LENGTH], data: weights, dtype: 'uint8' } }) }, null)

test('a conversion reads each tensor once', async (t) => {
  const memory = new MemorySource(await saved())
  let count = 0
  const source: Source = {
    kind: 'file',
    size: memory.size,
    read: (target, position) => {
      count += target.byteLength
      return memory.read(target, position)
    },
    checkUnchanged: () => memory.checkUnchanged(),
    close: () => memory.close(),
  }
  const checkpoint = await openCheckpoint(source)
  count = 0
  await saveSafetensors(new MemorySink(), checkpoint)
  t.true(count >= LENGTH)
  t.true(count < LENGTH + 2 * 1024 * 1024, `${count} bytes were read`)
})

test('pieces have the right bytes in any order', async (t) => {
  const training = trainingOf(await openCheckpoint(new MemorySource(await saved())))
  const tensor = training.model.get('w')
  for (const [start, end] of [
    [3_000_000, 6_000_000],
    [0, 3_000_000],
    [6_000_000, LENGTH],
    [0, LENGTH],
    [0, 30],
    [30, 60],
  ] as const) {
    const target = new Uint8Array(end - start)
    await tensor.readBytes(target, start)
    t.true(Buffer.from(target).equals(weights.subarray(start, end)))
  }
})

test('damage is found with the last piece, or at once by a read that skips bytes', async (t) => {
  const bytes = await saved()
  bytes[bytes.length - 5_000_000]! ^= 1
  const training = trainingOf(await openCheckpoint(new MemorySource(bytes)))
  const tensor = training.model.get('w')
  const code = { code: 'CKPT_TENSOR_CHECKSUM' }
  await t.notThrowsAsync(tensor.readBytes(new Uint8Array(6_000_000), 0))
  await t.throwsAsync(tensor.readBytes(new Uint8Array(3_000_000), 6_000_000), code)
  await t.throwsAsync(tensor.readBytes(new Uint8Array(30), 30), code)
  await t.throwsAsync(tensor.read(), code)
})

test('damage ends a conversion before its commit', async (t) => {
  const bytes = await saved()
  bytes[bytes.length - 5_000_000]! ^= 1
  const sink = new MemorySink()
  const checkpoint = await openCheckpoint(new MemorySource(bytes))
  await t.throwsAsync(saveSafetensors(sink, checkpoint), { code: 'CKPT_TENSOR_CHECKSUM' })
  t.throws(() => sink.bytes)
})
