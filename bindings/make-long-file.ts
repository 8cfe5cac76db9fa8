/**
 * Makes a long file of uint8 tensors, for the readers' tests. It takes little of the disk: what is zero is
 * left out.
 *
 *   tsx make-long-file.ts PATH LENGTH...
 *
 * The tensors are called 0, 1, 2 and so on, and are all zeros but for their last byte, 0xa5.
 */

import { type FileHandle, open } from 'node:fs/promises'
import { type NamedTensors, type Sink, saveCheckpoint } from '../src/index.js'

const PIECE = 2 ** 20
const ZEROS = new Uint8Array(PIECE)

class SparseFile implements Sink {
  readonly path: string
  #file: FileHandle | undefined

  constructor(path: string) {
    this.path = path
  }

  async begin(length: number): Promise<void> {
    this.#file = await open(this.path, 'wx')
    await this.#file.truncate(length)
  }

  async write(bytes: Uint8Array, position: number): Promise<void> {
    for (let done = 0; done < bytes.byteLength; done += PIECE) {
      const piece = bytes.subarray(done, done + PIECE)
      if (Buffer.compare(piece, ZEROS.subarray(0, piece.byteLength)) === 0) continue
      await this.#file?.write(piece, 0, piece.byteLength, position + done)
    }
  }

  async sync(): Promise<void> {}

  async commit(): Promise<'none'> {
    await this.#file?.close()
    return 'none'
  }

  async abort(): Promise<void> {
    await this.#file?.close()
  }
}

const [path, ...lengths] = process.argv.slice(2)
if (path === undefined) throw new TypeError('a path is needed')

const tensors: NamedTensors = Object.fromEntries(
  lengths.map(Number).map((length, i) => [
    String(i),
    {
      dtype: 'uint8',
      shape: [length],
      data: async () => {
        const bytes = new Uint8Array(length)
        bytes[length - 1] = 0xa5
        return bytes
      },
    },
  ]),
)
await saveCheckpoint(new SparseFile(path), { stateDict: () => tensors }, null, { step: 1 })
