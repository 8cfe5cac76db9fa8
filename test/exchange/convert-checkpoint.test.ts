import { access, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { convertCheckpoint as convertBytes } from '../../src/exchange/convert-checkpoint.js'
import { convertCheckpoint } from '../../src/exchange/node/convert-checkpoint.js'
import { loadSafetensors, saveSafetensors } from '../../src/exchange/safetensors.js'
import { MemorySink } from '../../src/io/memory-sink.js'
import { inMemory } from '../support/saved.js'
import { scratchFolder } from '../support/scratch.js'

const saved = () =>
  inMemory(
    { stateDict: () => ({ 'module.w': { shape: [2], data: Float32Array.of(1, 2.5) } }) },
    { stateDict: () => ({ 'm/module.w': { shape: [2], data: Float32Array.of(3, 4) } }) },
    { epoch: 1, step: 20, loss: 0.5 },
  )

test('a file goes to another format and back, byte for byte', async (t) => {
  const folder = await scratchFolder(t)
  const at = (name: string) => join(folder, name)
  const bytes = await saved()
  await writeFile(at('a.ckpt'), bytes)
  let previous = at('a.ckpt')
  for (const name of ['b.safetensors', 'c.npz', 'd.ckpt']) {
    const { durability, tensors } = await convertCheckpoint(previous, at(name))
    t.not(durability, 'none')
    t.is(tensors, 2)
    previous = at(name)
  }
  t.true((await readFile(previous)).equals(bytes))
})

test('bytes and Blobs go to a sink, changed as the options say', async (t) => {
  const bytes = await saved()
  for (const from of [bytes, new Blob([bytes])]) {
    const sink = new MemorySink()
    const done: number[] = []
    const report = await convertBytes(from, sink, {
      to: 'safetensors',
      only: 'model',
      rename: [['module.', '']],
      dtype: 'bfloat16',
      onProgress: (progress) => done.push(progress.done),
    })
    t.is(report.byteLength, sink.bytes.byteLength)
    t.is(done.at(-1), report.byteLength)
    const { model } = await loadSafetensors(sink.bytes)
    t.deepEqual([...model.keys()], ['w'])
    t.is(model.get('w').dtype, 'bfloat16')
    t.deepEqual(await model.get('w').read(), Uint16Array.of(0x3f80, 0x4020))
  }
})

test('an error names the file, and leaves nothing behind', async (t) => {
  const folder = await scratchFolder(t)
  const [from, to] = [join(folder, 'a.ckpt'), join(folder, 'b.safetensors')]
  await writeFile(from, await saved())
  await t.throwsAsync(convertCheckpoint(from, to, { only: 'ema' }), {
    code: 'CKPT_NOT_CONVERTIBLE',
    message: /a\.ckpt/,
  })
  await t.throwsAsync(convertCheckpoint(join(folder, 'none'), to), { code: 'CKPT_READ' })
  await t.throwsAsync(convertCheckpoint(from, new MemorySink()), { code: 'CKPT_NOT_CONVERTIBLE' })
  const misspelt = { onlyy: 'model' } as object
  await t.throwsAsync(convertCheckpoint(from, to, misspelt), { instanceOf: TypeError })
  const signal = AbortSignal.abort(new Error('enough'))
  await t.throwsAsync(convertCheckpoint(from, to, { signal }), { message: /enough/ })
  await t.throwsAsync(access(to), { code: 'ENOENT' })
})

/** Memory that takes each byte once, as a part of an upload does. */
class OnceSink extends MemorySink {
  #written = new Uint8Array(0)

  override async begin(length: number): Promise<void> {
    this.#written = new Uint8Array(length)
    await super.begin(length)
  }

  override async write(bytes: Uint8Array, position: number): Promise<void> {
    const range = this.#written.subarray(position, position + bytes.byteLength)
    if (range.includes(1)) throw new Error(`bytes from ${position} on are written twice`)
    range.fill(1)
    await super.write(bytes, position)
  }

  override async sync(): Promise<void> {
    if (this.#written.includes(0)) throw new Error('a byte was not written')
    await super.sync()
  }
}

test('each byte of an output is written once, so that an upload needs no byte again', async (t) => {
  const long = { shape: [100_000], data: Float32Array.from({ length: 100_000 }, (_, i) => i) }
  const model = {
    long,
    short: { shape: [3], data: Int8Array.of(1, 2, 3) },
    none: { shape: [0], data: new Int8Array(0) },
  }
  const safetensors = new MemorySink()
  await saveSafetensors(safetensors, model)
  const sources = new Map([['safetensors', safetensors.bytes]])
  for (const to of ['ckpt', 'npz', 'safetensors']) {
    for (const [from, bytes] of [...sources]) {
      const sink = new OnceSink()
      await convertCheckpoint(bytes, sink, { to })
      sources.set(to, sink.bytes)
      const back = new OnceSink()
      await convertCheckpoint(sink.bytes, back, { to: 'safetensors' })
      t.true(Buffer.compare(back.bytes, safetensors.bytes) === 0, `${from} to ${to}`)
    }
  }
})
