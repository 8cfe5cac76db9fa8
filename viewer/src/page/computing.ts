/** The workers of this page, which run its own script, or those of `ckpt view`; and what they have computed. */

import { Compute } from '../compute/compute.js'
import { WorkerPool } from '../compute/pool.js'
import { databaseResults, Results } from '../compute/results.js'
import { ServerWorker } from '../compute/server-worker.js'
import { jobsAddress } from '../open/session.js'

// A browser has at most six connections to a server, of which two are for the bytes that a view shows.
const JOBS_AT_ONCE = 4

// Only while the script itself runs.
const script = globalThis.document?.currentScript?.textContent ?? ''

let address: string | undefined

function startWorker(): Worker {
  address ??= URL.createObjectURL(new Blob([script], { type: 'text/javascript' }))
  return new Worker(address)
}

const server = globalThis.document && jobsAddress()
const cores = globalThis.navigator?.hardwareConcurrency ?? 2

/** Computes for all views. */
export const compute = new Compute(
  server === undefined
    ? new WorkerPool(startWorker, cores)
    : new WorkerPool(() => new ServerWorker(server), Math.min(JOBS_AT_ONCE, cores)),
  new Results(globalThis.document === undefined ? undefined : databaseResults()),
)
