import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { loadCheckpoint } from '../../src/index.js'
import { openFile } from '../../src/io/file/file-source.js'
import { mapFile } from '../../src/io/file/map-source.js'
import { goldens, tied } from '../support/hostile/goldens.js'
import { requires } from '../support/requires.js'
import { scratchFolder } from '../support/scratch.js'
import { isAtOnce, loadBy, type Way, ways } from '../support/ways-to-load.js'

/** A file whose every byte that is no tensor's is known for what it is. */
const SECRET = 0xa5

/** The array of a tensor, in the way that its source has. */
async function arrayOf(way: Way, checkpoint: Awaited<ReturnType<typeof loadBy>>, name: string) {
  const tensor = checkpoint.model.get(name)
  return isAtOnce(way) ? tensor.data : tensor.read()
}

for (const way of ways) {
  test(`${way}: an array shows no bytes except those of its tensor`, async (t) => {
    const folder = await scratchFolder(t)
    for (const [i, { bytes }] of goldens.entries()) {
      const path = join(folder, `${i}.ckpt`)
      await writeFile(path, bytes)
      await using checkpoint = await loadBy(way, path)
      for (const state of checkpoint.states) {
        for (const [name, tensor] of state) {
          const arrays = [await tensor.read(), ...(isAtOnce(way) ? [tensor.data] : [])]
          for (const array of arrays) {
            t.is(array.byteLength, tensor.byteLength, name)
            // Memory that the caller gave is read in place: its buffer is the caller's own.
            if (way === 'memory') continue
            t.is(array.buffer.byteLength, tensor.byteLength, name)
            t.is(array.byteOffset, 0, name)
          }
        }
      }
    }
  })

  test(`${way}: writing to an array changes neither the file nor what others load`, async (t) => {
    const path = join(await scratchFolder(t), 'golden.ckpt')
    await writeFile(path, tied.bytes)
    await using first = await loadBy(way, path)
    const array = await arrayOf(way, first, 'scalar')
    array.fill(-1 as never)
    t.deepEqual(new Uint8Array(await readFile(path)), tied.bytes)
    await using second = await loadBy(way, path)
    t.is((await arrayOf(way, second, 'scalar'))[0], Math.PI)
  })
}

test('memory: an array lies in the memory that was given, where the tensor stands', async (t) => {
  const memory = new Uint8Array(tied.bytes.length + 256).fill(SECRET)
  const file = memory.subarray(64, 64 + tied.bytes.length)
  file.set(tied.bytes)
  await using checkpoint = await loadCheckpoint(file)
  for (const [name, tensor] of checkpoint.model) {
    const { data } = tensor
    t.is(data.buffer, memory.buffer, name)
    const offset = data.byteOffset - file.byteOffset
    t.is(offset % 64, 0, name)
    t.true(offset >= tied.metadataLength, name)
    t.true(offset + data.byteLength <= file.byteLength, name)
  }
})

test('memory that is not aligned: an array is a copy, of the tensor alone', async (t) => {
  for (const start of [1, 2, 4, 7, 63]) {
    // A Buffer as well: its `slice` makes no copy, and small ones share their memory with others.
    const pool = Buffer.alloc(tied.bytes.length + 128, SECRET)
    const buffer = pool.subarray(start, start + tied.bytes.length)
    buffer.set(tied.bytes)
    const plain = new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength)
    for (const memory of [buffer, plain]) {
      await using checkpoint = await loadCheckpoint(memory)
      for (const [name, tensor] of checkpoint.model) {
        const { data } = tensor
        t.is(data.byteLength, tensor.byteLength)
        if (data.buffer === memory.buffer) continue
        t.is(data.buffer.byteLength, tensor.byteLength, `${name} at ${start}`)
      }
      t.is(checkpoint.model.get('scalar').data[0], Math.PI)
      t.deepEqual([...checkpoint.model.get('half').data], [0x7e01, 0x8000, 0x3c00])
    }
  }
})

test('memory that is shared between threads is read like any other', async (t) => {
  const memory = new Uint8Array(new SharedArrayBuffer(tied.bytes.length))
  memory.set(tied.bytes)
  await using checkpoint = await loadCheckpoint(memory)
  await checkpoint.verify()
  t.is(checkpoint.model.get('scalar').data[0], Math.PI)
})

requires(test, 'memory maps')('map: no range beyond the file is ever shown', async (t) => {
  const path = join(await scratchFolder(t), 'golden.ckpt')
  await writeFile(path, tied.bytes)
  const source = (await mapFile(await openFile(path)))!
  const { size } = source
  for (const [position, length] of [
    [0, size + 1],
    [size, 1],
    [size - 1, 2],
    [-1, 2],
    [-4096, 4096],
    [2 ** 53 - 1, 1],
    [Number.NaN, 1],
  ] as const) {
    t.throws(() => source.view(position, length), { instanceOf: RangeError })
  }
  t.is(source.view(size - 1, 1)?.byteLength, 1)
  source.close()
})
