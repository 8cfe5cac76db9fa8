/**
 * Tries every way of this runtime to detach the memory of a mapped tensor `w`. Then closes the checkpoint, collects
 * garbage, and prints as JSON what it reads from the tensor. Needs `--expose-gc`.
 */

import { setTimeout } from 'node:timers/promises'
import { loadCheckpoint } from '../../../src/load/load.js'

type Take = (buffer: ArrayBuffer) => ArrayBufferLike | Promise<ArrayBufferLike>

const method = (name: string): Take | undefined => {
  const transfer = Reflect.get(ArrayBuffer.prototype, name) as (() => ArrayBuffer) | undefined
  return transfer && ((buffer) => Reflect.apply(transfer, buffer, []))
}

const ways: { readonly [way: string]: Take | undefined } = {
  'the method of all buffers': method('transfer'),
  'the other one': method('transferToFixedLength'),
  structuredClone: (buffer) => structuredClone(buffer, { transfer: [buffer] }),
  'a byte stream': async (buffer) => {
    const stream = new ReadableStream({
      type: 'bytes',
      start: (controller) => controller.enqueue(new Uint8Array(buffer)),
    })
    const { value } = await stream.getReader().read()
    return value!.buffer
  },
}

const [path = ''] = process.argv.slice(2)
const found: { [way: string]: number } = {}
for (const [way, take] of Object.entries(ways)) {
  if (take === undefined) continue
  const memory = await (async () => {
    const checkpoint = await loadCheckpoint(path)
    const { buffer } = checkpoint.model.get('w').data
    try {
      return await take(buffer as ArrayBuffer)
    } catch {
      return buffer
    } finally {
      checkpoint.close()
    }
  })()
  for (let i = 0; i < 10; i++) {
    globalThis.gc?.()
    await setTimeout(10)
  }
  const values = new Float32Array(memory)
  found[way] = values.reduce((sum, value) => sum + value, 0) / values.length
}
console.log(JSON.stringify(found))
