/** The viewer's workers in the test's own thread: the same messages through a real port, which copies them. */

import { MessageChannel } from 'node:worker_threads'
import { type WorkerLike, WorkerPool } from '../../../viewer/src/compute/pool.js'
import { type JobPort, serveJobs } from '../../../viewer/src/compute/worker.js'

/** A pool whose workers share the test's thread. `posted` collects the requests. */
export function poolHere(size = 2, posted: unknown[] = []): WorkerPool {
  return new WorkerPool(() => {
    const { port1, port2 } = new MessageChannel()
    serveJobs(port2 as unknown as JobPort)
    const postMessage = port1.postMessage.bind(port1)
    return Object.assign(port1, {
      postMessage(message: unknown) {
        posted.push(message)
        postMessage(message)
      },
      terminate: () => port1.close(),
    }) as unknown as WorkerLike
  }, size)
}
