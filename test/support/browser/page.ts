/**
 * What runs in the browser: saves to the origin's private file system, loads, restores, continues,
 * and sends what it found to the server that the page came from.
 */

import {
  CheckpointError,
  FileHandleSink,
  loadCheckpoint,
  MemorySink,
  restoreCheckpoint,
  saveCheckpoint,
} from '../../../src/browser.js'

async function run(): Promise<object> {
  const weight = Float32Array.from({ length: 100_000 }, (_, i) => Math.sin(i))
  const expected = weight.slice()
  const moments = new Float64Array([1, -0, Number.NaN, Number.POSITIVE_INFINITY])
  const model = { stateDict: () => ({ weight: { shape: [100, 1000], data: weight } }) }
  const optimizer = { stateDict: () => ({ tensors: { m: { shape: [4], data: moments } } }) }

  const folder = await navigator.storage.getDirectory()
  const handle = await folder.getFileHandle('run.ckpt', { create: true })
  const saved = await saveCheckpoint(new FileHandleSink(handle), model, optimizer, {
    epoch: 2,
    step: 7,
    loss: 0.25,
  })
  weight.fill(0)
  moments.fill(0)
  const file = await handle.getFile()
  const checkpoint = await loadCheckpoint(file)
  const report = await restoreCheckpoint(checkpoint, model, optimizer)
  await checkpoint.verify()

  // An aborted save leaves the file that was there.
  const controller = new AbortController()
  const aborted = await saveCheckpoint(new FileHandleSink(handle), model, null, {
    signal: controller.signal,
    onProgress: () => controller.abort(new Error('enough')),
  }).then(
    () => 'saved',
    (error: Error) => error.message,
  )
  const after = await handle.getFile()

  const memory = new MemorySink()
  await saveCheckpoint(memory, model, optimizer, { epoch: 2, step: 7, loss: 0.25 })
  const bytes = new Uint8Array(await file.arrayBuffer())

  // From the server that the page came from.
  await fetch('/a.ckpt', { method: 'POST', body: memory.bytes })
  weight.fill(0)
  const remote = await loadCheckpoint(new URL('/a.ckpt', location.href))
  await restoreCheckpoint(remote, model, optimizer)
  await remote.verify()

  const damaged = memory.bytes.slice()
  damaged[damaged.length - 1]! ^= 1
  const refused = await loadCheckpoint(damaged)
    .then((bad) => bad.verify())
    .then(
      () => 'accepted',
      (error) => (error instanceof CheckpointError ? error.code : String(error)),
    )
  return {
    sources: [checkpoint.source, remote.source],
    durability: saved.durability,
    report,
    identical: weight.every((value, i) => Object.is(value, expected[i])),
    moments: [...moments].map(String),
    negativeZero: Object.is(moments[1], -0),
    aborted,
    untouched: after.size === saved.byteLength,
    sameBytes:
      bytes.length === memory.bytes.length && bytes.every((byte, i) => byte === memory.bytes[i]),
    refused,
  }
}

run()
  .catch((error) => ({ error: String(error?.stack ?? error) }))
  .then((result) => fetch('/result', { method: 'POST', body: JSON.stringify(result) }))
