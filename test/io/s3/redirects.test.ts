/** Where a redirect may lead: a request to an encrypted address is never sent to one that is not. */

import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createServer, type RequestListener } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import ava, { type ExecutionContext } from 'ava'
import { AwsClient } from 'aws4fetch'
import { S3Failure } from '../../../src/io/s3/failures.js'
import { FetchApi } from '../../../src/io/s3/fetch-api.js'
import { requires } from '../../support/requires.js'
import { scratchFolder } from '../../support/scratch.js'

const test = requires(ava.serial, 'program:openssl')

// `fetch` has no option for a certificate of one's own, and Node reads NODE_EXTRA_CA_CERTS only when it starts.
process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0'

type Protocol = 'http' | 'https'

/** A key and a certificate of 127.0.0.1 that nobody has signed. */
async function certificate(t: ExecutionContext): Promise<{ key: Buffer; cert: Buffer }> {
  const folder = await scratchFolder(t)
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')] as const
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  const names = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1']
  const files = ['-keyout', key, '-out', cert, '-days', '1']
  const { status, stderr } = spawnSync('openssl', ['req', '-x509', ...curve, ...names, ...files])
  if (status !== 0) throw new Error(String(stderr))
  return { key: readFileSync(key), cert: readFileSync(cert) }
}

/** Starts a server by this protocol until the test has ended. Resolves to its address. */
async function serve(
  t: ExecutionContext,
  protocol: Protocol,
  identity: { key: Buffer; cert: Buffer },
  listener: RequestListener,
): Promise<string> {
  const server =
    protocol === 'http' ? createServer(listener) : createSecureServer(identity, listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return `${protocol}://127.0.0.1:${(server.address() as AddressInfo).port}`
}

for (const [from, to, isFollowed] of [
  ['https', 'http', false],
  ['https', 'https', true],
  ['http', 'https', true],
  ['http', 'http', true],
] as const) {
  test(`a redirect from ${from} to ${to} is ${isFollowed ? '' : 'not '}followed, with or without a body`, async (t) => {
    const identity = await certificate(t)
    const arrived: { method: string; host: string; body: string; isSigned: boolean }[] = []
    const target = await serve(t, to, identity, async (request, response) => {
      const { method = '', headers } = request
      let body = ''
      for await (const piece of request) body += piece
      const isSigned = headers.authorization?.startsWith('AWS4-HMAC-SHA256 ') ?? false
      arrived.push({ method, host: headers.host!, body, isSigned })
      response.writeHead(200, { etag: '"1"' }).end()
    })
    let status = 307
    let redirects = 0
    const source = await serve(t, from, identity, (request, response) => {
      redirects++
      request.resume()
      request.on('end', () => {
        response.writeHead(status, { location: `${target}${request.url}` }).end()
      })
    })
    const client = new AwsClient({ accessKeyId: 'a', secretAccessKey: 'b', region: 'us-east-1' })
    const api = new FetchApi(client, 'bucket', `${source}/bucket`)
    const part = { Key: 'a', UploadId: '1', PartNumber: 1, Body: new TextEncoder().encode('part') }
    for (status of [307, 308]) {
      for (const send of [
        () => api.send('HeadObject', { Key: 'a' }),
        () => api.send('UploadPart', part),
      ]) {
        if (isFollowed) t.is((await send()).ETag, '"1"')
        else {
          const failure = await t.throwsAsync(send(), { instanceOf: S3Failure })
          t.is(failure.status, status)
          t.regex(failure.message, /name the server that it leads to/)
        }
      }
    }
    t.is(redirects, 4)
    const { host } = new URL(target)
    const all = ['', 'part', '', 'part'].map((body) => ({
      method: body === '' ? 'HEAD' : 'PUT',
      host,
      body,
      isSigned: true,
    }))
    t.deepEqual(arrived, isFollowed ? all : [])
  })
}
