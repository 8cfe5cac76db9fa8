/**
 * The thread that writes: runs a file sink on the bytes that another thread has staged, and makes
 * their checksums, so that a trainer that keeps its own thread busy holds up neither.
 */

import * as fs from 'node:fs'
import { crc32 } from '../format/checksum.js'
import { FirstFailure } from '../io/concurrency.js'
import { FileSink } from '../io/file/file-sink.js'
import { type FileSystem, nodeFileSystem } from '../io/file/file-system.js'
import { libc } from '../io/file/libc.js'
import { helpToCopy } from './shared-copies.js'
import type { SinkRequest } from './sink-thread.js'
import { answerCalls } from './thread.js'

let sink: FileSink | undefined
/** Of the save under way. The calls that were on their way by then fail with the same. */
let failure = new FirstFailure()

const fileSystem: FileSystem = {
  ...nodeFileSystem,
  // This thread has nothing else to do, and others that wrote for it would be on the trainer's core.
  async write(fd, bytes, position) {
    return fs.writeSync(fd, bytes, 0, bytes.byteLength, position)
  },
}

async function run(request: SinkRequest): Promise<unknown> {
  if (request.call === 'copy') {
    const { memory: calls } = await libc()
    return calls && helpToCopy(request.list, calls)
  }
  if (request.call === 'begin') {
    const { path, name, durable, length } = request
    failure = new FirstFailure()
    sink = new FileSink(path, { name, fileSystem, durable })
    await sink.begin(length)
    // If this thread dies, the other one removes it.
    return sink.temporary
  }
  if (sink === undefined) throw new Error('begin comes first')
  if (request.call === 'abort') return sink.abort()
  failure.throwIfAny()
  switch (request.call) {
    case 'write': {
      const { bytes, position, ranges } = request
      // One after the other: two threads at work would be one too many beside a trainer on two cores.
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

answerCalls(async (request: SinkRequest) => {
  try {
    return await run(request)
  } catch (error) {
    failure.keep(error)
    throw error
  }
})
