import test from 'ava'
import { loadCheckpoint } from '../../src/load/load.js'
import { restoreCheckpoint } from '../../src/restore/restore.js'
import { serve } from '../support/http-server.js'
import { memoryState } from '../support/memory-state.js'
import { inMemory } from '../support/saved.js'

const MIB = 2 ** 20

test('a restore from a server asks for all segments twice, in as few requests, and for hardly more bytes', async (t) => {
  const weights = () => ({
    a: new Float32Array(MIB),
    b: new Float32Array(3 * MIB).fill(1),
    c: new Float32Array(2 * MIB).fill(2),
  })
  const bytes = await inMemory(memoryState(weights()))
  const served = await serve(t, bytes)
  const checkpoint = await loadCheckpoint(served.url)
  t.is(served.requests.length, 1)
  const target = weights()
  for (const array of Object.values(target)) array.fill(7)
  await restoreCheckpoint(checkpoint, memoryState(target))
  for (const [name, array] of Object.entries(weights())) {
    const found = target[name as keyof typeof target]
    t.is(Buffer.compare(Buffer.from(found.buffer), Buffer.from(array.buffer)), 0, name)
  }
  const lengths = served.requests.map(({ range }) => {
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(range!)!
    return Number(to) + 1 - Number(from)
  })
  // 24 MiB are two requests each time, and each time one byte tells whether the file was changed.
  t.is(served.requests.length, 1 + 2 * (2 + 1))
  const total = lengths.slice(1).reduce((sum, length) => sum + length, 0)
  t.true(total <= 1.01 * 2 * bytes.byteLength, `${total} bytes of ${bytes.byteLength} twice`)
  checkpoint.close()
})
