/** The two ways in which the viewer computes: workers of the page, and threads of `ckpt view`. */

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { JobThreads } from '../../../src/cli/view/job-threads.js'
import { viewedPlace } from '../../../src/cli/view/places.js'
import { serveView, type ViewServer } from '../../../src/cli/view/server.js'
import type { ViewedFile } from '../../../viewer/src/compute/facts.js'
import { WorkerPool } from '../../../viewer/src/compute/pool.js'
import { ServerWorker } from '../../../viewer/src/compute/server-worker.js'
import { scratchFolder } from '../scratch.js'
import { poolHere } from './workers.js'

/** One way, ready for a test. */
export interface Computing {
  /** A pool of `size` workers. `posted` collects the requests. */
  pool(size?: number, posted?: unknown[]): WorkerPool
  /** A file that its workers can read, with a name of its own. */
  fileOf(name: string, bytes: Uint8Array<ArrayBuffer>): Promise<ViewedFile>
}

/** Both ways; they give equal results. */
export const ways: readonly {
  readonly name: string
  readonly begin: (t: ExecutionContext) => Promise<Computing>
}[] = [
  { name: 'workers of the page', begin: async () => inPage() },
  { name: 'threads of ckpt view', begin: onServer },
]

// The program as it is packed.
const thread = new URL('../../../dist/viewer/thread.js', import.meta.url)

const PAGE = '<meta name="ckpt-files" content=""><meta name="ckpt-jobs" content="">'

/** Serves a place with threads that compute, as `ckpt view` does; both end with the test. */
export async function servedWithJobs(
  t: ExecutionContext,
  location: string,
  page = PAGE,
): Promise<ViewServer> {
  const jobs = new JobThreads(thread, location)
  const server = await serveView(await viewedPlace(location), page, jobs)
  t.teardown(async () => {
    await server.close()
    await jobs.close()
  })
  return server
}

let files = 0

function inPage(): Computing {
  return {
    pool: poolHere,
    fileOf: async (name, bytes) => ({ id: `${++files}`, name, from: new File([bytes], name) }),
  }
}

async function onServer(t: ExecutionContext): Promise<Computing> {
  const folder = await scratchFolder(t)
  const place = await viewedPlace(folder)
  const { url } = await servedWithJobs(t, folder)
  return {
    pool: (size = 2, posted = []) =>
      new WorkerPool(() => {
        const worker = new ServerWorker(`${url}jobs`)
        const postMessage = worker.postMessage.bind(worker)
        return Object.assign(worker, {
          postMessage(message: Parameters<typeof postMessage>[0]) {
            posted.push(message)
            postMessage(message)
          },
        })
      }, size),
    async fileOf(name, bytes) {
      await writeFile(join(folder, name), bytes)
      const { version } = (await place.list()).find((file) => file.name === name)!
      return { id: `${++files}`, name, from: `${url}files/${encodeURIComponent(name)}`, version }
    },
  }
}
