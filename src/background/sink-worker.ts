/**
 * The thread that writes: runs a file sink on the bytes that another thread has staged, and makes
 * their checksums, so that a trainer that keeps its own thread busy holds up neither.
 */

import { parentPort } from 'node:worker_threads'
import { crc32 } from '../format/checksum.js'
import { FileSink } from '../io/file-sink.js'
import { type SinkReply, type SinkRequest, toPlainError } from './sink-protocol.js'

let sink: FileSink | undefined
let checksums: number[] = []

async function run(request: SinkRequest): Promise<unknown> {
  if (request.call === 'begin') {
    sink = new FileSink(request.path)
    checksums = []
    return sink.begin(request.length)
  }
  if (sink === undefined) throw new Error('begin comes first')
  switch (request.call) {
    case 'write': {
      const { bytes, position, parts } = request
      const writing = sink.write(bytes, position)
      for (const { segment, start, end } of parts) {
        checksums[segment] = crc32(bytes.subarray(start, end), checksums[segment])
      }
      return writing
    }
    case 'checksums':
      return checksums
    case 'sync':
      return sink.sync()
    case 'commit':
      return sink.commit()
    case 'abort':
      return sink.abort()
  }
}

// One after the other, in the order in which they were asked for.
let queue = Promise.resolve()

parentPort?.on('message', ({ id, request }: { id: number; request: SinkRequest }) => {
  queue = queue.then(async () => {
    let reply: SinkReply
    try {
      reply = { id, value: await run(request) }
    } catch (error) {
      reply = { id, error: toPlainError(error) }
    }
    parentPort?.postMessage(reply)
  })
})
