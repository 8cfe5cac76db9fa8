/**
 * The script of the writing thread. It runs a file sink on the bytes that another thread has staged, and computes their
 * checksums. So a trainer that keeps its own thread busy does not hold up the save.
 */

import * as fs from 'node:fs'
import { libc } from '../io/file/libc.js'
import { nodeFileSystem } from '../io/file/node-file-system.js'
import { copyBy, helpToWork } from './shared-work.js'
import { SinkHost } from './sink-host.js'
import type { ThreadRequest } from './sink-thread.js'
import { answerCalls } from './thread.js'

const host = new SinkHost({
  ...nodeFileSystem,
  // This thread has nothing else to do, and Node's own threads would compete for the trainer's core.
  async write(fd, bytes, position) {
    return fs.writeSync(fd, bytes, 0, bytes.byteLength, position)
  },
})

answerCalls(async (request: ThreadRequest) => {
  if (request.call !== 'copy') return host.answer(request)
  const { memory: calls } = await libc()
  return calls && helpToWork(request.list, copyBy(calls))
})
