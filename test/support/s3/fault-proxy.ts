/** A proxy in front of an S3 server, which damages requests and answers as a test says. */

import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request as requestTo,
  type ServerResponse,
} from 'node:http'
import type { AddressInfo } from 'node:net'

/** What becomes of a request. */
export type Fault =
  /** Answered with this status at once; the server does not see it. */
  | 409
  | 500
  | 501
  | 503
  /** The connection breaks before the server sees the request. */
  | 'reset'
  /** The server sees half of the body, and then the connection breaks. */
  | 'truncated'
  /** The server does not see the request, and no answer comes. */
  | 'stall'
  /** The server carries it out, and the connection breaks before the answer. */
  | 'lost'
  /** The server carries it out, and the answer does not come. */
  | 'unanswered'
  /** The server carries it out, and half of the answer arrives. */
  | 'half'
  /** Answered 307, with this server as the place to go. */
  | { readonly redirect: string }
  /** One bit of the body changes on the way. */
  | { readonly flip: number }

/** A request, as it arrived. */
export interface ProxiedRequest {
  /** From 0, in the order of arrival. */
  readonly index: number
  readonly method: string
  /** Path and query. */
  readonly url: string
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

/** Called for each request before the server sees it, and after it has answered. */
export interface Watcher {
  before?(request: ProxiedRequest): Fault | undefined | Promise<Fault | undefined>
  after?(request: ProxiedRequest, status: number): void | Promise<void>
}

export interface FaultProxy {
  /** `http://127.0.0.1:PORT`. */
  readonly endpoint: string
  /** All requests since the last `reset`. */
  readonly requests: readonly ProxiedRequest[]
  /** Counts from 0 again, and has this watcher from now on. */
  reset(watcher?: Watcher): void
  /** Resolves when the server has answered all requests that have arrived. */
  idle(): Promise<void>
  close(): Promise<void>
}

const CODES = {
  409: 'ConditionalRequestConflict',
  500: 'InternalError',
  501: 'NotImplemented',
  503: 'SlowDown',
} as const

/** Changes a request before the server sees it. Its headers must be signed again. */
export type Rewrite = (
  request: ProxiedRequest,
) => Promise<{ readonly headers: IncomingHttpHeaders; readonly body: Buffer }>

/** Starts a proxy in front of the server at `upstream`. */
export async function startFaultProxy(upstream: string, rewrite?: Rewrite): Promise<FaultProxy> {
  const { hostname, port } = new URL(upstream)
  const requests: ProxiedRequest[] = []
  const underWay = new Set<Promise<void>>()
  let watcher: Watcher = {}
  const server = createServer(async (incoming, outgoing) => {
    // A connection that a client has cut off is not an error of the proxy.
    incoming.on('error', () => {})
    const { method = '', url = '', headers } = incoming
    const of = watcher
    const index = requests.length
    const request = { index, method, url, headers, body: Buffer.alloc(0) as Buffer }
    requests.push(request)
    try {
      request.body = await bodyOf(incoming)
      const handling = handle(incoming, outgoing, request, of)
      underWay.add(handling)
      await handling.finally(() => underWay.delete(handling))
    } catch {
      outgoing.destroy()
    }
  })

  async function handle(
    incoming: IncomingMessage,
    outgoing: ServerResponse,
    request: ProxiedRequest,
    { before, after }: Watcher,
  ): Promise<void> {
    const fault = await before?.(request)
    if (fault === 'stall') return
    if (fault === 'reset') {
      incoming.socket.destroy()
      return
    }
    if (typeof fault === 'number') {
      outgoing.writeHead(fault, { 'content-type': 'application/xml' })
      outgoing.end(`<Error><Code>${CODES[fault]}</Code><Message>by the test</Message></Error>`)
      return
    }
    if (typeof fault === 'object' && 'redirect' in fault) {
      const location = `${fault.redirect}${request.url}`
      outgoing.writeHead(307, { location, 'content-type': 'application/xml' })
      outgoing.end('<Error><Code>TemporaryRedirect</Code><Message>by the test</Message></Error>')
      return
    }
    let { body } = request
    if (typeof fault === 'object') {
      body = Buffer.from(body)
      body[fault.flip % body.byteLength]! ^= 1 << (fault.flip % 8)
    }
    if (fault === 'truncated') {
      const { headers } = incoming
      await forward(incoming, headers, body.subarray(0, body.byteLength >> 1), true).catch(() => {})
      incoming.socket.destroy()
      return
    }
    const sent = (await rewrite?.({ ...request, body })) ?? { headers: incoming.headers, body }
    const answer = await forward(incoming, sent.headers, sent.body, false)
    const content = await bodyOf(answer)
    await after?.(request, answer.statusCode!)
    if (fault === 'unanswered') return
    if (fault === 'lost') {
      incoming.socket.destroy()
      return
    }
    outgoing.writeHead(answer.statusCode!, answer.rawHeaders)
    if (fault === 'half') {
      outgoing.write(content.subarray(0, content.byteLength >> 1))
      setTimeout(() => incoming.socket.destroy(), 10)
    } else outgoing.end(content)
  }

  /** Sends a request on, its headers as they are, because they are signed. */
  function forward(
    incoming: IncomingMessage,
    given: IncomingHttpHeaders,
    body: Buffer,
    isCut: boolean,
  ): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const headers = { ...given }
      delete headers.expect
      // A body without a length would be sent in chunks, which the signature does not allow.
      if (body.byteLength > 0) headers['content-length'] ??= String(body.byteLength)
      const { method, url } = incoming
      const outgoing = requestTo({ hostname, port, method, path: url, headers })
      outgoing.on('response', resolve).on('error', reject)
      if (isCut) outgoing.write(body, () => outgoing.destroy(new Error('cut')))
      else outgoing.end(body)
    })
  }

  server.requestTimeout = 0
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    reset(next = {}) {
      requests.length = 0
      watcher = next
    },
    async idle() {
      await Promise.allSettled(underWay)
    },
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

async function bodyOf(message: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = []
  for await (const piece of message) pieces.push(piece)
  return Buffer.concat(pieces)
}
