import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { loadNpz, saveNpz } from '../../src/exchange/node/numpy.js'
import { loadSafetensors, saveSafetensors } from '../../src/exchange/node/safetensors.js'
import * as browser from '../../src/exchange/safetensors.js'
import { runFake } from '../support/cli/fake-terminal.js'
import { serve } from '../support/http-server.js'
import { scratchFolder } from '../support/scratch.js'

const model = {
  w: { shape: [300_000], data: Float32Array.from({ length: 300_000 }, (_, i) => i) },
  b: { shape: [2], data: Int8Array.of(1, -2) },
}

// Element by element it would take long.
const isW = (data: unknown): boolean =>
  data instanceof Float32Array &&
  Buffer.from(data.buffer, data.byteOffset, data.byteLength).equals(
    Buffer.from(model.w.data.buffer),
  )

test('a tensor of a file on a server is read by its range', async (t) => {
  const path = join(await scratchFolder(t), 'a.safetensors')
  await saveSafetensors(path, model)
  const served = await serve(t, await readFile(path))
  for (const { loadSafetensors: load } of [{ loadSafetensors }, browser]) {
    served.requests.length = 0
    const file = await load(served.url)
    t.deepEqual([...file.model.keys()].sort(), ['b', 'w'])
    t.deepEqual(await file.model.get('b').read(), model.b.data)
    t.true(isW(await file.model.get('w').read()))
    file.close()
    t.true(served.requests.length <= 3, `${served.requests.length} requests`)
  }
})

test('the shards of an index are next to it, also on a server', async (t) => {
  const folder = await scratchFolder(t)
  const map: { [name: string]: string } = {}
  const index = Buffer.from(
    JSON.stringify({
      weight_map: Object.assign(map, { w: 'one w.safetensors', b: 'b.safetensors' }),
    }),
  )
  const served = await serve(t, index)
  for (const name of ['w', 'b'] as const) {
    await saveSafetensors(join(folder, map[name]!), { [name]: model[name] })
    served.others.set(
      `/run/${encodeURIComponent(map[name]!)}`,
      await readFile(join(folder, map[name]!)),
    )
  }
  const file = await loadSafetensors(new URL('model.safetensors.index.json', served.url))
  t.true(isW(await file.model.get('w').read()))
  t.deepEqual(await file.model.get('b').read(), model.b.data)
  file.close()
})

test('an archive of NumPy is read on a server', async (t) => {
  const path = join(await scratchFolder(t), 'a.npz')
  await saveNpz(path, model)
  const served = await serve(t, await readFile(path))
  const file = await loadNpz(served.url.href)
  t.true(isW(await file.model.get('w').read()))
  file.close()
})

test('ckpt convert takes an address, and an error names it without its query', async (t) => {
  const folder = await scratchFolder(t)
  await mkdir(join(folder, 'out'))
  const path = join(folder, 'a.safetensors')
  await saveSafetensors(path, model)
  const served = await serve(t, await readFile(path))
  const url = new URL('a.safetensors?signature=secret', served.url)
  const { code, err } = await runFake(['convert', url.href, join(folder, 'out', 'a.npz')])
  t.is(code, 0, err)
  const file = await loadNpz(join(folder, 'out', 'a.npz'))
  t.true(isW(await file.model.get('w').read()))
  file.close()
  served.fault = () => ({ status: 404 })
  const error = await t.throwsAsync(loadSafetensors(url), { code: 'CKPT_READ' })
  t.regex(error.message, /a\.safetensors.*404/)
  t.notRegex(error.message, /secret/)
})
