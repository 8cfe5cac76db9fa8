/** The threads that are started in this process, so that a test can end one. */

import { syncBuiltinESMExports } from 'node:module'
import workerThreads from 'node:worker_threads'

/** Every thread from now on, in the order in which they are started. */
export function watchThreads(): workerThreads.Worker[] {
  const threads: workerThreads.Worker[] = []
  workerThreads.Worker = class extends workerThreads.Worker {
    constructor(...values: ConstructorParameters<typeof workerThreads.Worker>) {
      super(...values)
      threads.push(this)
    }
  }
  syncBuiltinESMExports()
  return threads
}
