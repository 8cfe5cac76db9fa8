/**
 * Makes a long file for LongFilesTest.java: `make-long-file.ts PATH LENGTH...`. There is a tensor of bytes
 * for each length, called by its number, of zeros and a last byte of 0xa5. What is zero is not written, so
 * the file takes next to nothing of the disk.
 */

import { open } from 'node:fs/promises'
import { type Sink, saveCheckpoint } from '../../../../../src/index.js'

const PIECE = 1024 * 1024
const ZEROS = Buffer.alloc(PIECE)

async function sparseFile(path: string): Promise<Sink> {
  const file = await open(path, 'w')
  return {
    path,
    begin: (length) => file.truncate(length),
    async write(bytes, position) {
      for (let done = 0; done < bytes.byteLength; done += PIECE) {
        const piece = bytes.subarray(done, done + PIECE)
        if (ZEROS.compare(piece, 0, piece.byteLength, 0, piece.byteLength) === 0) continue
        await file.write(piece, 0, piece.byteLength, position + done)
      }
    },
    async sync() {},
    async commit() {
      await file.close()
      return 'none'
    },
    abort: () => file.close(),
  }
}

const [path, ...lengths] = process.argv.slice(2)
if (path === undefined) throw new TypeError('a path is needed')

function* tensors() {
  for (const [i, length] of lengths.map(Number).entries()) {
    const data = async () => {
      const bytes = new Uint8Array(length)
      if (length > 0) bytes[length - 1] = 0xa5
      return bytes
    }
    yield [String(i), { dtype: 'uint8', shape: [length], data }] as const
  }
}

await saveCheckpoint(await sparseFile(path), { stateDict: () => tensors() }, null, { step: 1 })
