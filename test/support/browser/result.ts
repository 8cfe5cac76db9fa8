/** What a page finds out in a real browser: it is served to it, and it posts its result. */

import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { ExecutionContext } from 'ava'
import { type Browser, openPage } from './browsers.js'

/** What is served at a path. */
export interface Served {
  readonly type: string
  readonly body: string | Uint8Array
}

/** Where a page posts its result, as JSON: `fetch('/result', { method: 'POST', body })`. */
const RESULT = '/result'

/**
 * Serves what `serve` has for each path, opens `start` in a browser, and resolves to the result that its page posts. What
 * it posts to another path goes to `keep`. Rejects if the browser ends before the result. Both end with the test.
 */
export async function resultOf(
  t: ExecutionContext,
  browser: Browser,
  start: string,
  serve: (path: string) => Served | undefined,
  keep: (path: string, bytes: Uint8Array) => void = () => {},
): Promise<unknown> {
  let deliver: (result: unknown) => void = () => {}
  const delivered = new Promise<unknown>((resolve) => {
    deliver = resolve
  })
  const server = createServer((request, response) => {
    const path = decodeURI(new URL(request.url!, 'http://localhost').pathname)
    if (request.method === 'POST') {
      const pieces: Buffer[] = []
      request.on('data', (piece) => pieces.push(piece))
      request.on('end', () => {
        const posted = Buffer.concat(pieces)
        if (path === RESULT) deliver(JSON.parse(posted.toString()))
        else keep(path, posted)
        response.end()
      })
      return
    }
    const served = serve(path)
    const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '')
    if (served === undefined) response.writeHead(path === '/favicon.ico' ? 204 : 404).end()
    else if (range !== null && typeof served.body !== 'string') {
      const [start, end] = [Number(range[1]), Number(range[2])]
      const part = served.body.subarray(start, end + 1)
      const length = served.body.byteLength
      const of = `bytes ${start}-${start + part.byteLength - 1}/${length}`
      response.writeHead(206, { 'content-range': of, etag: '"1"' }).end(part)
    } else response.setHeader('content-type', served.type).end(served.body)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const page = await openPage(browser, browser.program!, `http://localhost:${port}${start}`)
  t.teardown(async () => {
    server.close()
    server.closeAllConnections()
    await page.end()
  })
  const ended = new Promise<never>((_, reject) => {
    page.process.on('error', reject)
    page.process.on('exit', (code) =>
      reject(new Error(`${browser.name} ended early, with ${code}`)),
    )
  })
  return Promise.race([delivered, ended])
}

/** A page that runs a module. */
export const pageOf = (script: string): Served => ({
  type: 'text/html',
  body: `<!doctype html><meta charset="utf-8"><body><script type="module">${script.replaceAll('</script', '<\\/script')}</script>`,
})
