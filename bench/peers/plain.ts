/** A program without a library: `fs.writeFile` of one buffer as long as the state. */

import { writeFile } from 'node:fs/promises'
import { seconds, serve, syncSaved } from './serve.js'

let bytes: Uint8Array

await serve({
  load({ length }: { length: number }) {
    bytes = new Uint8Array(length)
    const words = new Uint32Array(bytes.buffer, 0, Math.floor(length / 4))
    for (let k = 0; k < words.length; k++) words[k] = Math.imul(k, 2654435761)
    return length
  },
  save({ path, durable }: { path: string; durable: boolean }) {
    return seconds(async () => {
      await writeFile(path, bytes)
      if (durable) await syncSaved(path)
    })
  },
})
