import test from 'ava'
import { MemorySource } from '../../src/io/memory-source.js'
import { sourceConforms } from '../support/source-conformance.js'

const BYTES = Uint8Array.from({ length: 100 }, (_, i) => i)

test('bytes in memory are viewed where they are', async (t) => {
  const memory = new Uint8Array(200)
  memory.set(BYTES, 50)
  const source = new MemorySource(memory.subarray(50, 150))
  t.is(source.size, 100)
  const view = source.view(10, 20)
  t.deepEqual(view, BYTES.slice(10, 30))
  t.is(view.buffer, memory.buffer)
  t.is(view.byteOffset, 60)
  const target = new Uint8Array(20)
  source.readSync(target, 10)
  t.deepEqual(target, BYTES.slice(10, 30))
  await source.read(target.fill(0), 80)
  t.deepEqual(target, BYTES.slice(80, 100))
  await source.checkUnchanged()
})

test('detached memory is an error, and not zeros', async (t) => {
  const bytes = BYTES.slice()
  const source = new MemorySource(bytes)
  structuredClone(bytes.buffer, { transfer: [bytes.buffer] })
  const changed = { code: 'CKPT_FILE_CHANGED', message: /expected 100 bytes, found 0/ }
  t.throws(() => source.view(0, 10), changed)
  t.throws(() => source.readSync(new Uint8Array(10), 0), changed)
  await t.throwsAsync(source.read(new Uint8Array(10), 0), changed)
  await t.throwsAsync(source.checkUnchanged(), changed)
})

test('memory that shrinks under the source is an error', async (t) => {
  const Resizable = ArrayBuffer as unknown as new (
    length: number,
    options: { maxByteLength: number },
  ) => ArrayBuffer & { resize(length: number): void }
  const buffer = new Resizable(100, { maxByteLength: 200 })
  const source = new MemorySource(new Uint8Array(buffer))
  const target = new Uint8Array(10)
  await source.read(target, 90)
  buffer.resize(95)
  await t.throwsAsync(source.read(target, 90), { code: 'CKPT_FILE_CHANGED' })
  await t.throwsAsync(source.checkUnchanged(), { code: 'CKPT_FILE_CHANGED' })
})

sourceConforms('memory', async (_t, bytes) => {
  const buffer = bytes.slice().buffer
  const source = new MemorySource(new Uint8Array(buffer))
  const change = () => void structuredClone(buffer, { transfer: [buffer] })
  return { source, change, truncate: change }
})
