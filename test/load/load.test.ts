import { execFileSync } from 'node:child_process'
import * as fs from 'node:fs/promises'
import { join, relative } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath, pathToFileURL } from 'node:url'
import test from 'ava'
import type { CheckpointError } from '../../src/errors.js'
import { dtypes, tensorByteLength } from '../../src/format/dtype.js'
import { loadCheckpoint } from '../../src/load/load.js'
import { pathOf } from '../../src/path.js'
import { restoreCheckpoint } from '../../src/restore/restore.js'
import { saveCheckpoint } from '../../src/save/save.js'
import { runChild } from '../support/child.js'
import { serve } from '../support/http-server.js'
import { memoryState, snapshot } from '../support/memory-state.js'
import { requires } from '../support/requires.js'
import { flipBits, inMemory, positionOf } from '../support/saved.js'
import { scratchFolder } from '../support/scratch.js'
import { canMap, isAtOnce, loadBy, type Way, ways } from '../support/ways-to-load.js'

const w = Float32Array.from({ length: 1_000 }, (_, i) => Math.sin(i))
const momentum = w.map((value) => value / 3)

/** A state of everything that there is to a checkpoint. */
function everything() {
  const all = Object.fromEntries(
    dtypes.map((dtype, i) => [
      `all/${dtype}`,
      {
        dtype,
        shape: [4],
        data: Uint8Array.from({ length: tensorByteLength(dtype, [4])! }, (_, k) => i * 16 + k),
      },
    ]),
  )
  const attributes = { best: Infinity, bad: [NaN, -0, null, true], seed: 2n ** 64n - 1n, ü: 'ü' }
  return {
    model: memoryState({ w, tied: w, scalar: { shape: [], data: Int8Array.of(-5) }, ...all }),
    optimizer: memoryState({ 'momentum_buffer/w': momentum }, { lr: 0.1 }, 'SGD'),
    options: {
      epoch: 3,
      step: 1_000,
      loss: 0.25,
      metrics: { accuracy: 0.5, diverged: NaN },
      config: { sizes: [3, 4] },
      extras: {
        scheduler: memoryState({}, attributes, 'ReduceLROnPlateau'),
        ema: memoryState({ w: momentum, none: { shape: [0, 3], data: new BigInt64Array(0) } }),
      },
    },
  }
}

async function saveEverything(path: string): Promise<void> {
  const { model, optimizer, options } = everything()
  await saveCheckpoint(path, model, optimizer, options)
}

/** All that can be known of a checkpoint, apart from how it is read. */
async function contentsBy(way: Way, path: string) {
  await using checkpoint = await loadBy(way, path)
  const { version, epoch, step, loss, metrics, config, configText } = checkpoint
  const { byteLength, metadataLength } = checkpoint
  const states = []
  for (const state of checkpoint.states) states.push(await snapshot(state))
  return {
    ...{ version, epoch, step, loss, metrics, config, configText, byteLength, metadataLength },
    extras: [...checkpoint.extras.keys()],
    states,
  }
}

// One suite, that every kind of source has to pass.
for (const way of ways) {
  test(`${way}: what was saved is what is loaded`, async (t) => {
    const path = join(await scratchFolder(t), 'a.ckpt')
    await saveEverything(path)
    const { model, optimizer, options } = everything()
    await using checkpoint = await loadBy(way, path)
    t.is(checkpoint.source, way)
    t.like(checkpoint, { version: 1, epoch: 3, step: 1_000, loss: 0.25 })
    t.deepEqual(checkpoint.metrics, options.metrics)
    t.deepEqual(checkpoint.config, options.config)
    t.deepEqual([...checkpoint.model.keys()], Object.keys(model.tensors))
    t.deepEqual(await checkpoint.model.get('w').read(), w)
    t.deepEqual(await checkpoint.model.get('scalar').read(), Int8Array.of(-5))
    t.is(checkpoint.optimizer?.kind, 'SGD')
    t.deepEqual(checkpoint.optimizer?.attributes, optimizer.attributes)
    t.deepEqual(await checkpoint.optimizer!.get('momentum_buffer/w').read(), momentum)
    t.deepEqual([...checkpoint.extras.keys()], ['scheduler', 'ema'])
    const { scheduler } = options.extras
    t.deepEqual(checkpoint.extras.get('scheduler')!.attributes, scheduler.attributes)
    await checkpoint.verify()
  })

  test(`${way}: gives what every other way gives`, async (t) => {
    const path = join(await scratchFolder(t), 'a.ckpt')
    await saveEverything(path)
    t.deepEqual(await contentsBy(way, path), await contentsBy('file', path))
  })

  test(`${way}: data is available synchronously, except from a Blob or a server`, async (t) => {
    const path = join(await scratchFolder(t), 'a.ckpt')
    await saveEverything(path)
    await using checkpoint = await loadBy(way, path)
    for (const state of checkpoint.states) {
      for (const [name, tensor] of state) {
        if (!isAtOnce(way)) {
          t.throws(() => tensor.data, { code: 'CKPT_ASYNC_SOURCE' }, name)
          continue
        }
        t.deepEqual(tensor.data, await tensor.read(), name)
        const { buffer, byteOffset, byteLength } = tensor.data
        t.is(byteLength, tensor.byteLength)
        // Whoever is given an array of a file must not find something else behind it.
        if (way !== 'memory') t.deepEqual([byteOffset, buffer.byteLength], [0, byteLength])
      }
    }
  })

  test(`${way}: restores into what is there, bit for bit`, async (t) => {
    const path = join(await scratchFolder(t), 'a.ckpt')
    await saveEverything(path)
    const { model, optimizer, options } = everything()
    // Other memory of the same kinds, with something else in it.
    const blank = (state: typeof model) =>
      memoryState(
        Object.fromEntries(
          Object.entries(state.tensors).map(([name, { dtype, shape, data }]) => {
            const copy = (data as Uint8Array).slice()
            new Uint8Array(copy.buffer).fill(0xaa)
            return [name, { ...(dtype && { dtype }), shape, data: copy }]
          }),
        ),
        {},
      )
    const there = { model: blank(model), optimizer: blank(optimizer) }
    const extras = {
      scheduler: blank(options.extras.scheduler),
      ema: blank(options.extras.ema),
    }
    await using checkpoint = await loadBy(way, path)
    const report = await restoreCheckpoint(checkpoint, there.model, there.optimizer, { extras })
    t.like(report, { epoch: 3, step: 1_000, loss: 0.25, missing: [], unexpected: [] })
    for (const [state, original] of [
      [there.model, model],
      [there.optimizer, optimizer],
      [extras.scheduler, options.extras.scheduler],
      [extras.ema, options.extras.ema],
    ] as const) {
      t.deepEqual(state.tensors, original.tensors)
      t.deepEqual(state.attributes, original.attributes)
    }
  })

  test(`${way}: reads nothing but the metadata before it is asked to`, async (t) => {
    const path = join(await scratchFolder(t), 'a.ckpt')
    await saveEverything(path)
    const file = await fs.readFile(path)
    flipBits(file, positionOf(file, w), positionOf(file, w) - 1, file.byteLength - 1)
    await fs.writeFile(path, file)
    await using checkpoint = await loadBy(way, path)
    t.is(checkpoint.step, 1_000)
    await t.throwsAsync(checkpoint.model.get('w').read(), { code: 'CKPT_FORMAT' })
    // The last bytes of the file are those of the last tensor that is not empty.
    await t.throwsAsync(checkpoint.verify(), { code: 'CKPT_FORMAT' })
    t.deepEqual(await checkpoint.model.get('scalar').read(), Int8Array.of(-5))
  })

  test(`${way}: a file that is not a complete and valid checkpoint is refused`, async (t) => {
    const path = join(await scratchFolder(t), 'a.ckpt')
    await saveEverything(path)
    const file = await fs.readFile(path)
    const { metadataLength } = await loadCheckpoint(new Uint8Array(file))
    const inMetadata = Buffer.from(file)
    flipBits(inMetadata, metadataLength - 10)
    for (const [bytes, code] of [
      [Buffer.alloc(0), 'CKPT_NOT_A_CHECKPOINT'],
      [Buffer.from('{"format": "json"}'), 'CKPT_NOT_A_CHECKPOINT'],
      [file.subarray(0, 10), 'CKPT_FILE_LENGTH'],
      [file.subarray(0, metadataLength - 1), 'CKPT_FILE_LENGTH'],
      [file.subarray(0, metadataLength), 'CKPT_FILE_LENGTH'],
      [file.subarray(0, file.length - 1), 'CKPT_FILE_LENGTH'],
      [Buffer.concat([file, Buffer.of(0)]), 'CKPT_FILE_LENGTH'],
      [inMetadata, 'CKPT_METADATA_CHECKSUM'],
    ] as const) {
      await fs.writeFile(path, bytes)
      const error = await t.throwsAsync<CheckpointError>(loadBy(way, path), { code })
      if (way === 'http') t.true(decodeURIComponent(error!.path!).endsWith(path))
      else t.is(error?.path, way === 'map' || way === 'file' ? path : undefined)
    }
  })

  test(`${way}: metadata of any length is read`, async (t) => {
    const path = join(await scratchFolder(t), 'a.ckpt')
    // Around the length of the first read, and far beyond it.
    for (const length of [3_000, 3_500, 3_600, 3_700, 3_800, 3_900, 4_000, 4_100, 1_000_000]) {
      const config = JSON.stringify('c'.repeat(length))
      await saveCheckpoint(path, memoryState({ w }), null, { config })
      await using checkpoint = await loadBy(way, path)
      t.is(checkpoint.configText, config)
      t.deepEqual(await checkpoint.model.get('w').read(), w)
    }
  })

  test(`${way}: a checkpoint without tensors ends with its metadata`, async (t) => {
    const path = join(await scratchFolder(t), 'a.ckpt')
    await saveCheckpoint(path, memoryState({}, { lr: 1 }))
    await using checkpoint = await loadBy(way, path)
    t.is(checkpoint.byteLength, checkpoint.metadataLength)
    t.deepEqual(checkpoint.model.attributes, { lr: 1 })
    await checkpoint.verify()
  })

  test(`${way}: the state of a checkpoint can be saved again, to the same bytes`, async (t) => {
    const path = join(await scratchFolder(t), 'a.ckpt')
    await saveEverything(path)
    await using checkpoint = await loadBy(way, path)
    const { model, optimizer, extras, epoch, step, loss, metrics, configText } = checkpoint
    const again = await inMemory(
      { stateDict: () => model },
      { stateDict: () => optimizer! },
      {
        ...{ epoch, step, loss, metrics, config: configText },
        extras: Object.fromEntries(
          Array.from(extras, ([name, state]) => [name, { stateDict: () => state }]),
        ),
      },
    )
    t.deepEqual(Buffer.from(again), await fs.readFile(path))
  })
}

const withMaps = requires(test, 'memory maps')

withMaps('a file is mapped, unless that is not wanted', async (t) => {
  const path = join(await scratchFolder(t), 'a.ckpt')
  await saveEverything(path)
  for (const [options, source] of [
    [undefined, 'map'],
    [{}, 'map'],
    [{ map: true }, 'map'],
    [{ map: false }, 'file'],
  ] as const) {
    await using checkpoint = await loadCheckpoint(path, options)
    t.is(checkpoint.source, source)
  }
})

test('without koffi, which is optional, files are read, with the same results', async (t) => {
  const path = join(await scratchFolder(t), 'a.ckpt')
  await saveEverything(path)
  const hidden = fileURLToPath(new URL('../support/children/without-koffi.mjs', import.meta.url))
  const [without] = await runChild(t, 'load', [path], { nodeArguments: ['--import', hidden] })
  const read = JSON.parse(without!)
  t.is(read.source, 'file')
  await using checkpoint = await loadCheckpoint(path)
  t.deepEqual(read.model, JSON.parse(JSON.stringify(await snapshot(checkpoint.model))))
  if (!canMap) return
  // The same program, with koffi: so it was the lack of it.
  const [as] = await runChild(t, 'load', [path])
  t.deepEqual(JSON.parse(as!), { ...read, source: 'map' })
})

test('bytes may be an array, a part of one, a Buffer, a buffer or a shared one', async (t) => {
  const file = await inMemory(memoryState({ w }))
  const around = new Uint8Array(file.byteLength + 200)
  around.set(file, 100)
  const shared = new Uint8Array(new SharedArrayBuffer(file.byteLength))
  shared.set(file)
  for (const bytes of [
    file,
    around.subarray(100, 100 + file.byteLength),
    Buffer.from(file),
    file.buffer.slice(file.byteOffset, file.byteOffset + file.byteLength),
    shared,
  ]) {
    const checkpoint = await loadCheckpoint(bytes)
    t.deepEqual(checkpoint.model.get('w').data, w)
    await checkpoint.verify()
  }
})

test('a path may be relative, or a file: URL', async (t) => {
  const path = join(await scratchFolder(t), 'größe & 100%.ckpt')
  await saveEverything(path)
  for (const from of [path, relative(process.cwd(), path), pathToFileURL(path)]) {
    await using checkpoint = await loadCheckpoint(from)
    t.is(checkpoint.step, 1_000)
  }
})

test('a checkpoint on a server takes two requests, and a tensor one', async (t) => {
  const w = Float32Array.from({ length: 100_000 }, (_, i) => i)
  const model = {
    stateDict: () => ({ v: { shape: [4], data: w.slice(0, 4) }, w: { shape: [100_000], data: w } }),
  }
  const served = await serve(t, await inMemory(model))
  const checkpoint = await loadCheckpoint(served.url, { headers: { authorization: 'Bearer mine' } })
  t.is(served.requests.length, 1)
  t.is(checkpoint.source, 'http')
  t.deepEqual(await checkpoint.model.get('w').read(), w)
  t.is(served.requests.length, 2)
  t.true(served.requests.every(({ authorization }) => authorization === 'Bearer mine'))
  served.bytes = served.bytes.slice()
  served.etag = '"another"'
  await t.throwsAsync(checkpoint.model.get('w').read(), { code: 'CKPT_FILE_CHANGED' })
  checkpoint.close()
})

test('what a server sends in place of a checkpoint is named', async (t) => {
  const served = await serve(t, Buffer.from('<!DOCTYPE html><title>Log in</title>'))
  served.ranges = false
  const url = new URL('?signature=secret', served.url)
  const error = await t.throwsAsync<CheckpointError>(loadCheckpoint(url), {
    code: 'CKPT_NOT_A_CHECKPOINT',
    message: /HTML/,
  })
  t.is(error?.path, served.url.href)
  t.notRegex(error!.message, /secret/)
})

test('an argument that is not a path, bytes or a Blob is refused', async (t) => {
  for (const [from, message] of [
    ['', /must not be empty/],
    ['a\0.ckpt', /U\+0000/],
    ['https://', /Invalid URL/],
    ['s3://bucket/a.ckpt', /found "s3:.*a\.ckpt": .*https: address/],
    ['file:///a.ckpt', /found "file:.*a\.ckpt": pass it as a URL/],
    [undefined, /found undefined/],
    [null, /found null/],
    [3, /found a number/],
    [{ path: 'a.ckpt' }, /found an object/],
    [new Float32Array(3), /found an instance of Float32Array: pass new Uint8Array\(view\.buffer/],
    [new SharedArrayBuffer(3), /pass new Uint8Array\(buffer\)/],
    [new Response(new Uint8Array(3)), /pass await response\.blob\(\)/],
    [{ name: 'a.ckpt', getFile: async () => new Blob([]) }, /pass await handle\.getFile\(\)/],
    [Promise.resolve('a.ckpt'), /is an await missing\?/],
  ] as const) {
    await t.throwsAsync(
      loadCheckpoint(from as string),
      { instanceOf: TypeError, message },
      String(message),
    )
  }
  t.throws(() => pathOf(3 as unknown as string), { instanceOf: TypeError })
})

test('a missing file is an error with the path as the caller named it', async (t) => {
  const path = relative(process.cwd(), join(await scratchFolder(t), 'missing.ckpt'))
  for (const map of [true, false]) {
    const error = await t.throwsAsync<CheckpointError>(loadCheckpoint(path, { map }), {
      code: 'CKPT_READ',
      message: /^"[^"]*missing\.ckpt": the file could not be opened: ENOENT/,
    })
    t.is(error?.path, path)
    t.like(error?.cause, { code: 'ENOENT' })
  }
})

test('a folder is refused, and so is a pipe, without waiting for a writer', async (t) => {
  const folder = await scratchFolder(t)
  await t.throwsAsync(loadCheckpoint(folder), { code: 'CKPT_READ' })
  if (process.platform === 'win32') return
  const pipe = join(folder, 'pipe')
  execFileSync('mkfifo', [pipe])
  const outcome = await Promise.race([
    loadCheckpoint(pipe).then(
      () => 'loaded',
      (error) => error.code,
    ),
    setTimeout(5_000, 'still waiting', { ref: false }),
  ])
  t.is(outcome, 'CKPT_READ')
})

const onLinux = requires(test, 'linux')

onLinux('a load that fails leaves no descriptor and no map behind', async (t) => {
  const path = await fs.realpath(await scratchFolder(t)).then((folder) => join(folder, 'a.ckpt'))
  await saveEverything(path)
  await fs.truncate(path, 5_000)
  for (const map of [true, false]) {
    await t.throwsAsync(loadCheckpoint(path, { map }), { code: 'CKPT_FILE_LENGTH' })
  }
  const targets = await Promise.all(
    (await fs.readdir('/proc/self/fd')).map((fd) =>
      fs.readlink(`/proc/self/fd/${fd}`).catch(() => ''),
    ),
  )
  t.false(targets.includes(path))
  t.false((await fs.readFile('/proc/self/maps', 'utf8')).includes(path))
})

test('a reader keeps what it opened while a save replaces the file', async (t) => {
  const path = join(await scratchFolder(t), 'a.ckpt')
  for (const map of [true, false]) {
    await saveCheckpoint(path, memoryState({ w }))
    await using old = await loadCheckpoint(path, { map })
    await saveCheckpoint(path, memoryState({ w: momentum }))
    await using replaced = await loadCheckpoint(path, { map })
    t.deepEqual(await old.model.get('w').read(), w)
    await old.verify()
    t.deepEqual(await replaced.model.get('w').read(), momentum)
  }
})
