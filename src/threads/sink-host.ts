/** Carries out calls for a file sink, in the writing thread or in the caller's own. */

import { crc32 } from '../format/checksum.js'
import { FirstFailure } from '../io/concurrency.js'
import { FileSink } from '../io/file/file-sink.js'
import type { FileSystem } from '../io/file/file-system.js'
import { nodeFileSystem } from '../io/file/node-file-system.js'
import type { Range } from '../io/source.js'
import type { Condition } from '../io/store.js'

/** A call for a file sink. `bytes` in shared memory are not copied. */
export type SinkRequest =
  /** The answer is the path of the temporary file. `name` is the file's name in messages. */
  | {
      readonly call: 'begin'
      readonly path: string
      readonly name: string
      readonly length: number
      readonly durable: boolean
      readonly condition?: Condition | undefined
    }
  /** The answer is the CRC-32 of each range of the bytes. */
  | {
      readonly call: 'write'
      readonly bytes: Uint8Array
      readonly position: number
      readonly ranges: readonly Range[]
    }
  | { readonly call: 'sync' }
  /** The answer is the durability. */
  | { readonly call: 'commit' }
  | { readonly call: 'abort' }

/** Answers the calls for one file after the other. They must come one at a time. */
export class SinkHost {
  readonly #fs: FileSystem
  #sink: FileSink | undefined
  /** The failure of the save under way. Calls that were already queued fail with the same error. */
  #failure = new FirstFailure()

  constructor(fs: FileSystem = nodeFileSystem) {
    this.#fs = fs
  }

  /** Rejects with the sink's error. */
  async answer(request: SinkRequest): Promise<unknown> {
    try {
      return await this.#run(request)
    } catch (error) {
      this.#failure.keep(error)
      throw error
    }
  }

  async #run(request: SinkRequest): Promise<unknown> {
    if (request.call === 'begin') {
      const { path, name, durable, length, condition } = request
      this.#failure = new FirstFailure()
      this.#sink = new FileSink(path, { name, fileSystem: this.#fs, durable, condition })
      await this.#sink.begin(length)
      // If this thread dies, the caller's thread removes this file.
      return this.#sink.temporary
    }
    const sink = this.#sink
    if (sink === undefined) throw new Error('the first call of a save must be begin')
    if (request.call === 'abort') return sink.abort()
    this.#failure.throwIfAny()
    switch (request.call) {
      case 'write': {
        const { bytes, position, ranges } = request
        // One after the other: two busy threads besides the trainer would be too many on two cores.
        const checksums = ranges.map(({ start, end }) => crc32(bytes.subarray(start, end)))
        await sink.write(bytes, position)
        return checksums
      }
      case 'sync':
        return sink.sync()
      case 'commit':
        return sink.commit()
    }
  }
}
