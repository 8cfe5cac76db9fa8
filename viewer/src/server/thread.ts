/**
 * A thread of `ckpt view`, which computes what its page shows. Bytes cross into a browser more slowly than any disk reads
 * them; results are few. The page's own workers run the same jobs where there is no `ckpt view`.
 */

import { parentPort, workerData } from 'node:worker_threads'
import type { ThreadData } from '../../../src/cli/view/job-threads.js'
import { type ViewedPlace, viewedPlace } from '../../../src/cli/view/places.js'
import { CheckpointError } from '../../../src/errors.js'
import { siblingName } from '../../../src/exchange/places.js'
import type { Source } from '../../../src/io/source.js'
import { quote } from '../../../src/printable.js'
import type { Job, Request } from '../compute/jobs.js'
import { type OpenFile, openPlace } from '../compute/open-file.js'
import { packFacts } from '../compute/packed-facts.js'
import { fromText, toText } from '../compute/wire.js'
import { serveJobs } from '../compute/worker.js'

/** From the server: a job as the text of a request, or that its reader has left. */
type Asked =
  | { readonly id: number; readonly text: string }
  | { readonly id: number; readonly cancel: true }

const port = parentPort!
const { location, readsAhead } = workerData as ThreadData
const place = viewedPlace(location)
// The first job tells.
place.catch(() => {})

serveJobs(
  {
    postMessage: ({ id, ...answer }) =>
      port.postMessage({ id, text: toText(answer), isEnd: 'end' in answer }),
    addEventListener(_, listener) {
      port.on('message', (asked: Asked) => {
        try {
          const data = 'cancel' in asked ? asked : requestOf(asked)
          listener({ data })
        } catch {
          const error = { message: 'the request is not a job' }
          port.postMessage({ id: asked.id, text: toText({ end: true, error }), isEnd: true })
        }
      })
    },
  },
  async ({ from, version }) =>
    openServed(await place, typeof from === 'string' ? nameIn(from) : '', version),
)
if (readsAhead) readAhead().catch(() => {})

/**
 * Reads what a file that is alone says of itself, before the page asks for it: code that has run once is several times as
 * fast, and the browser starts meanwhile.
 */
async function readAhead(): Promise<void> {
  const served = await place
  const [file, ...more] = served.isLocal ? await served.list() : []
  if (file === undefined || more.length > 0) return
  const opened = await openServed(served, file.name, file.version)
  try {
    toText(packFacts(await opened.facts()))
  } finally {
    opened.close()
  }
}

/** Throws an Error for text that holds no job. What a job asks for is told apart where it is carried out. */
function requestOf({ id, text }: { readonly id: number; readonly text: string }): Request {
  const job = fromText(text) as Job | null
  if (typeof job !== 'object' || job === null) throw new TypeError('expected a job')
  return { id, job }
}

/** Opens a file by the rules of the server: only what was named on the command line, in the version that was listed. */
async function openServed(
  place: ViewedPlace,
  name: string,
  version: string | undefined,
): Promise<OpenFile> {
  const file = await place.open(name)
  if (file === undefined) throw notServed(name)
  if (version !== undefined && version !== file.version) {
    file.source.close()
    throw new CheckpointError('CKPT_FILE_CHANGED', 'the file has been replaced or changed')
  }
  const sibling = async (other: string): Promise<Source> => {
    const found = await place.open(siblingName(other))
    if (found === undefined) throw notServed(other)
    return found.source
  }
  return openPlace({ name, source: file.source, sibling })
}

/** The name of a file in its address; empty, which no file is called, for another address. */
function nameIn(address: string): string {
  const [, name = ''] = /^http:\/\/[^/]+\/[\w-]+\/files\/([^/?#]+)$/.exec(address) ?? []
  try {
    return decodeURIComponent(name)
  } catch {
    return ''
  }
}

function notServed(name: string): CheckpointError {
  return new CheckpointError('CKPT_READ', `ckpt view was not given the file ${quote(name)}`)
}
