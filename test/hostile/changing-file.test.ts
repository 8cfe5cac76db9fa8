import { open, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { CheckpointError } from '../../src/errors.js'
import { loadCheckpoint, MemorySink, saveCheckpoint } from '../../src/index.js'
import { openCheckpoint } from '../../src/load/open.js'
import { Patch } from '../support/format/patch.js'
import { plainModel } from '../support/hostile/goldens.js'
import { SparseSource } from '../support/hostile/sparse-source.js'
import { memoryState } from '../support/memory-state.js'
import { scratchFolder } from '../support/scratch.js'

test('a file that is cut short under a reader is noticed', async (t) => {
  const path = join(await scratchFolder(t), 'cut.ckpt')
  await writeFile(path, plainModel.bytes)
  await using checkpoint = await loadCheckpoint(path, { map: false })
  await truncate(path, plainModel.metadataLength)
  const changed = { instanceOf: CheckpointError, code: 'CKPT_FILE_CHANGED' }
  const tensor = checkpoint.model.get('layers.0.weight')
  t.throws(() => tensor.data, changed)
  await t.throwsAsync(tensor.read(), changed)
  await t.throwsAsync(checkpoint.verify(), changed)
})

test('a file that is written to under a reader gives no bytes that mismatch their checksums', async (t) => {
  const path = join(await scratchFolder(t), 'rewritten.ckpt')
  await writeFile(path, plainModel.bytes)
  await using checkpoint = await loadCheckpoint(path, { map: false })
  const file = await open(path, 'r+')
  await file.write(Uint8Array.of(0xff), 0, 1, plainModel.bytes.length - 1)
  await file.close()
  const tensors = [...checkpoint.model].map(([, tensor]) => tensor)
  t.throws(() => tensors.at(-1)!.data, { code: 'CKPT_TENSOR_CHECKSUM' })
})

/** A file that is another one from the second read on. */
class Changing extends SparseSource {
  readonly #first: Uint8Array
  readonly #then: Uint8Array
  #reads = 0

  constructor(first: Uint8Array, then: Uint8Array) {
    super(first, first.byteLength)
    this.#first = first
    this.#then = then
  }

  override async read(target: Uint8Array, position: number): Promise<void> {
    const file = this.#reads++ === 0 ? this.#first : this.#then
    target.set(file.subarray(position, position + target.byteLength))
  }
}

test('the bytes of the head are not read again, because they could have changed', async (t) => {
  // Longer than what is read first, so that there is a second read.
  const sink = new MemorySink()
  await saveCheckpoint(sink, memoryState({ w: Uint8Array.of(1) }, { text: 'x'.repeat(8192) }))
  const lying = new Patch(sink.bytes)
  lying.root.set('file_length', 2 ** 40)
  lying.root.set('epoch', 7)
  const checkpoint = await openCheckpoint(new Changing(sink.bytes, lying.seal()))
  t.is(checkpoint.byteLength, sink.bytes.byteLength)
  t.is(checkpoint.epoch, 0)
})
