/**
 * The server of `ckpt view`. It listens on this machine only, reads only, and answers only to who knows its address, of
 * which a random token is part. It never sends what was not named on the command line.
 */

import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { isCheckpointError } from '../../errors.js'
import type { Source } from '../../io/source.js'
import type { JobThreads } from './job-threads.js'
import type { ViewedPlace } from './places.js'

const LOOPBACK = '127.0.0.1'

// Bytes that are read and sent at once.
const PIECE = 1024 * 1024

// Most characters of a job: it names the tensors that it is about.
const LONGEST_JOB = 128 * 1024 * 1024

// The page has a policy of its own. These add what only a header can say, and that only this server is asked.
const HEADERS = {
  'cache-control': 'no-store',
  'content-security-policy': "connect-src 'self' blob:; frame-ancestors 'none'",
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
} as const

/** A server that runs. */
export interface ViewServer {
  /** The address of the page, with the token. */
  readonly url: string
  close(): Promise<void>
}

/**
 * Starts a server for `place`. `page` is the HTML of the viewer. `threads` compute what it shows, on the same place if its
 * bytes are on this machine. Otherwise, and without them, the page computes by itself.
 */
export async function serveView(
  place: ViewedPlace,
  page: string,
  threads?: Pick<JobThreads, 'run'>,
): Promise<ViewServer> {
  const jobs = place.isLocal ? threads : undefined
  const token = randomBytes(24).toString('base64url')
  const html = page
    .replace('name="ckpt-files" content=""', 'name="ckpt-files" content="files.json"')
    .replace('name="ckpt-jobs" content=""', `name="ckpt-jobs" content="${jobs ? 'jobs' : ''}"`)
  const server = createServer((request, response) => {
    answer(request, response).catch((error) => {
      // The reader has left, or the file has changed while it was sent: what is missing tells.
      if (response.headersSent) response.destroy()
      else
        refuse(response, isCheckpointError(error) && error.code === 'CKPT_FILE_CHANGED' ? 412 : 500)
    })
  })

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { port } = server.address() as AddressInfo
    const { host, 'sec-fetch-site': site } = request.headers
    // A page of another site may reach this machine under a name of its own (DNS rebinding), but not hide the name.
    if (host !== `${LOOPBACK}:${port}` && host !== `localhost:${port}`) return refuse(response, 403)
    if (site !== undefined && site !== 'same-origin' && site !== 'none') {
      return refuse(response, 403)
    }
    const { method } = request
    if (method !== 'GET' && method !== 'HEAD' && method !== 'POST') return refuse(response, 405)
    const [, given = '', ...path] = new URL(request.url ?? '/', `http://${host}`).pathname.split(
      '/',
    )
    if (!isSame(given, token)) return refuse(response, 404)
    const [first, name, ...more] = path
    const isJob = jobs !== undefined && first === 'jobs' && name === undefined
    if (isJob !== (method === 'POST')) return refuse(response, 405)
    if (isJob) return sendJob(request, response, jobs)
    if (first === '' && name === undefined) {
      // With the list in it, the page need not ask for it first. Where there is none, it asks, and says what is wrong.
      const listed = attributeOf(await listing(place).catch(() => ''))
      const body = html.replace(
        'name="ckpt-listed" content=""',
        () => `name="ckpt-listed" content="${listed}"`,
      )
      return send(request, response, 'text/html', Buffer.from(body))
    }
    if (first === 'files.json' && name === undefined) {
      return send(request, response, 'application/json', Buffer.from(await listing(place)))
    }
    if (first === 'files' && name !== undefined && more.length === 0) {
      return sendFile(request, response, place, decoded(name))
    }
    refuse(response, 404)
  }

  await listen(server, place.home)
  const { port } = server.address() as AddressInfo
  return {
    url: `http://${LOOPBACK}:${port}/${token}/`,
    async close() {
      server.closeAllConnections()
      server.close()
    },
  }
}

/**
 * Listens on the port of `home`. A browser keeps what was computed by the address of the page without the token, so the
 * same port finds it again. A random port if that one is taken.
 */
async function listen(server: Server, home: string): Promise<void> {
  for (const port of [portOf(home), 0]) {
    try {
      server.listen(port, LOOPBACK)
      await once(server, 'listening')
      return
    } catch (error) {
      if (port === 0) throw error
    }
  }
}

/** A port that depends on the folder alone, in the range that nobody registers (RFC 6335). */
function portOf(home: string): number {
  return 49152 + (createHash('sha256').update(home).digest().readUInt32LE() % 16384)
}

/** A part of a path; empty, which no file is called, if it is not well encoded. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return ''
  }
}

function isSame(given: string, token: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(token)]
  return a.byteLength === b.byteLength && timingSafeEqual(a, b)
}

async function listing(place: ViewedPlace): Promise<string> {
  const { title, isRun, isLocal } = place
  const files = (await place.list()).map(({ name, version }) => ({
    name,
    version,
    path: `files/${encodeURIComponent(name)}`,
  }))
  return JSON.stringify({ title, isRun, isLocal, files })
}

/** Text as the value of an attribute in double quotes. Names of files may hold anything. */
function attributeOf(text: string): string {
  return text.replace(/[&"<>]/g, (char) => `&#${char.charCodeAt(0)};`)
}

function refuse(response: ServerResponse, status: number): void {
  response.writeHead(status, { ...HEADERS, 'content-type': 'text/plain' }).end()
}

function send(
  request: IncomingMessage,
  response: ServerResponse,
  type: string,
  body: Buffer,
): void {
  response.writeHead(200, {
    ...HEADERS,
    'content-type': `${type}; charset=utf-8`,
    'content-length': body.byteLength,
  })
  response.end(request.method === 'HEAD' ? undefined : body)
}

async function sendFile(
  request: IncomingMessage,
  response: ServerResponse,
  place: ViewedPlace,
  name: string,
): Promise<void> {
  const file = await place.open(name)
  if (file === undefined) return refuse(response, 404)
  const { source, version } = file
  try {
    const etag = `"${version}"`
    const condition = request.headers['if-match']
    if (condition !== undefined && condition !== etag) return refuse(response, 412)
    const range = rangeOf(request.headers.range, source.size)
    const headers = { ...HEADERS, etag, 'accept-ranges': 'bytes' }
    if (range === 'beyond') {
      response.writeHead(416, { ...headers, 'content-range': `bytes */${source.size}` }).end()
      return
    }
    const { start, end } = range ?? { start: 0, end: source.size }
    response.writeHead(range === undefined ? 200 : 206, {
      ...headers,
      'content-type': 'application/octet-stream',
      'content-length': end - start,
      ...(range && { 'content-range': `bytes ${start}-${end - 1}/${source.size}` }),
    })
    if (request.method === 'GET') await sendBytes(response, source, start, end)
    response.end()
  } finally {
    source.close()
  }
}

/** Carries out a job, and sends its answer as it comes, a line for each message. Its reader ends it by leaving. */
async function sendJob(
  request: IncomingMessage,
  response: ServerResponse,
  jobs: Pick<JobThreads, 'run'>,
): Promise<void> {
  let job = ''
  for await (const text of request.setEncoding('utf8')) {
    job += text
    if (job.length > LONGEST_JOB) return refuse(response, 413)
  }
  const left = new AbortController()
  response.once('close', () => left.abort())
  response.writeHead(200, { ...HEADERS, 'content-type': 'application/x-ndjson; charset=utf-8' })
  await jobs.run(job, (text) => response.write(`${text}\n`), left.signal)
  response.end()
}

/** Reads a piece into one of two pieces of memory, while the other one is sent. */
async function sendBytes(
  response: ServerResponse,
  source: Source,
  start: number,
  end: number,
): Promise<void> {
  const left = new Promise<never>((_, reject) => {
    response.once('close', () => reject(new Error('the reader has left')))
  })
  // It also comes at the end of an answer.
  left.catch(() => {})
  const memory: Uint8Array[] = []
  let sent: Promise<void> = Promise.resolve()
  for (let at = start, i = 0; at < end; at += PIECE, i++) {
    const length = Math.min(PIECE, end - at)
    memory[i % 2] ??= new Uint8Array(length)
    const piece = memory[i % 2]!.subarray(0, length)
    await source.read(piece, at)
    await Promise.race([sent, left])
    sent = new Promise((resolve, reject) => {
      response.write(piece, (error) => (error ? reject(error) : resolve()))
    })
    // Handled when its turn comes.
    sent.catch(() => {})
  }
  await Promise.race([sent, left])
}

/** The range that was asked for; undefined for the whole file. Only the form that the page uses is understood. */
function rangeOf(
  header: string | undefined,
  size: number,
): { readonly start: number; readonly end: number } | 'beyond' | undefined {
  const [, first, last] = /^bytes=(\d{1,15})-(\d{1,15})$/.exec(header ?? '') ?? []
  if (first === undefined) return undefined
  const [start, end] = [Number(first), Math.min(Number(last) + 1, size)]
  return start < end ? { start, end } : 'beyond'
}
