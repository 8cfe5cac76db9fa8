/**
 * The thread that writes: runs a file sink on the bytes that another thread has staged, and makes
 * their checksums, so that a trainer that keeps its own thread busy holds up neither.
 */

import * as fs from 'node:fs'
import { nodeFileSystem } from '../io/file/file-system.js'
import { libc } from '../io/file/libc.js'
import { helpToCopy } from './shared-copies.js'
import { SinkHost } from './sink-host.js'
import type { ThreadRequest } from './sink-thread.js'
import { answerCalls } from './thread.js'

const host = new SinkHost({
  ...nodeFileSystem,
  // This thread has nothing else to do, and others that wrote for it would be on the trainer's core.
  async write(fd, bytes, position) {
    return fs.writeSync(fd, bytes, 0, bytes.byteLength, position)
  },
})

answerCalls(async (request: ThreadRequest) => {
  if (request.call !== 'copy') return host.answer(request)
  const { memory: calls } = await libc()
  return calls && helpToCopy(request.list, calls)
})
