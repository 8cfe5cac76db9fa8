/** A server of one file, with what real ones do to a reader: redirects, changes, and faults by request. */

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gzipSync } from 'node:zlib'
import type { ExecutionContext } from 'ava'

/** What the server does to a request in place of a good answer. */
export type Fault =
  | { readonly status: number; readonly headers?: Readonly<Record<string, string>> }
  | 'reset'
  | 'truncate'
  | 'stall'
  | 'overflow'
  | 'compress'

export interface Served {
  readonly url: URL
  /** The headers of each request, in order, with what it asked for. */
  readonly requests: (IncomingMessage['headers'] & { readonly path: string })[]
  bytes: Uint8Array
  /** Other files, by their paths. */
  readonly others: Map<string, Uint8Array>
  etag: string | undefined
  /** What happens to the request of that number, from 0; undefined: a good answer. */
  fault: (request: number) => Fault | undefined
  /** Whether it knows ranges. */
  ranges: boolean
  /** Whether the condition of a request is looked at. */
  conditions: boolean
  type: string
}

/** Serves `bytes` at `url` until the test has ended. */
export async function serve(t: ExecutionContext, bytes: Uint8Array): Promise<Served> {
  const server = createServer((request, response) => answer(served, request, response))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  const served: Served = {
    url: new URL(`http://127.0.0.1:${port}/run/a.ckpt`),
    requests: [],
    bytes,
    others: new Map(),
    etag: '"1"',
    fault: () => undefined,
    ranges: true,
    conditions: true,
    type: 'application/octet-stream',
  }
  return served
}

function answer(served: Served, request: IncomingMessage, response: ServerResponse): void {
  const fault = served.fault(served.requests.length)
  served.requests.push({ ...request.headers, path: request.url! })
  if (fault === 'reset') {
    request.socket.destroy()
    return
  }
  if (typeof fault === 'object') {
    response.writeHead(fault.status, fault.headers ?? {}).end('<html>no</html>')
    return
  }
  const { etag } = served
  const bytes = served.others.get(request.url!) ?? served.bytes
  const headers: Record<string, string | number> = { 'content-type': served.type }
  if (etag !== undefined) headers.etag = etag
  const condition = request.headers['if-match']
  if (served.conditions && condition !== undefined && condition !== etag) {
    response.writeHead(412).end()
    return
  }
  const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '')
  if (range === null || !served.ranges) {
    response.writeHead(200, { ...headers, 'content-length': bytes.byteLength }).end(bytes)
    return
  }
  const start = Number(range[1])
  const end = Math.min(Number(range[2]) + 1, bytes.byteLength)
  if (start >= bytes.byteLength) {
    response.writeHead(416, { 'content-range': `bytes */${bytes.byteLength}` }).end()
    return
  }
  let body: Uint8Array = bytes.subarray(start, end)
  headers['content-range'] = `bytes ${start}-${end - 1}/${bytes.byteLength}`
  if (fault === 'compress') {
    body = gzipSync(body)
    headers['content-encoding'] = 'gzip'
  }
  if (fault === 'overflow') body = bytes.subarray(start, end + 10)
  else headers['content-length'] = body.byteLength
  response.writeHead(206, headers)
  if (fault === 'stall') {
    response.write(body.subarray(0, body.byteLength >> 1))
  } else if (fault === 'truncate') {
    response.write(body.subarray(0, body.byteLength >> 1), () => request.socket.destroy())
  } else {
    response.end(body)
  }
}
