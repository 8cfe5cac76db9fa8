/** The browser's entry, bundled and run in real browsers. */

import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { build } from 'esbuild'
import { browsers, openPage } from '../support/browser/browsers.js'
import { requires } from '../support/requires.js'

async function bundle(): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL('../support/browser/page.ts', import.meta.url))],
    bundle: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    write: false,
  })
  return outputFiles[0]!.text
}

test('the entry for browsers bundles without any module of Node', async (t) => {
  t.notRegex(await bundle(), /from ?"node:|require\("(node:|fs|koffi)/)
})

for (const browser of browsers) {
  const { name, program, needs } = browser
  const inBrowser = requires(test.serial, { what: needs, here: program !== undefined })
  inBrowser(
    `${name} saves to its private file system, restores every bit, and keeps the old file when a save is aborted`,
    async (t) => {
      t.timeout(120_000)
      const script = await bundle()
      let saved = Buffer.alloc(0)
      let deliver: (result: unknown) => void = () => {}
      const delivered = new Promise<unknown>((resolve) => {
        deliver = resolve
      })
      const server = createServer((request, response) => {
        if (request.url === '/result') {
          let body = ''
          request.on('data', (piece) => {
            body += piece
          })
          request.on('end', () => {
            deliver(JSON.parse(body))
            response.end()
          })
        } else if (request.url === '/a.ckpt' && request.method === 'POST') {
          const pieces: Buffer[] = []
          request.on('data', (piece) => pieces.push(piece))
          request.on('end', () => {
            saved = Buffer.concat(pieces)
            response.end()
          })
        } else if (request.url === '/a.ckpt') {
          const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range!)!
          const part = saved.subarray(Number(from), Number(to) + 1)
          const range = `bytes ${from}-${Number(from) + part.length - 1}/${saved.length}`
          response.writeHead(206, { 'content-range': range, etag: '"1"' }).end(part)
        } else if (request.url === '/page.js') {
          response.setHeader('content-type', 'text/javascript').end(script)
        } else {
          response
            .setHeader('content-type', 'text/html')
            .end('<!doctype html><script type="module" src="/page.js"></script>')
        }
      })
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      const { port } = server.address() as AddressInfo
      const page = await openPage(browser, program!, `http://localhost:${port}/`)
      t.teardown(async () => {
        server.close()
        server.closeAllConnections()
        await page.end()
      })
      const ended = new Promise<unknown>((_, reject) => {
        page.process.on('error', reject)
        page.process.on('exit', (code) => reject(new Error(`${name} ended early, with ${code}`)))
      })
      t.deepEqual(await Promise.race([delivered, ended]), {
        sources: ['blob', 'http'],
        durability: 'none',
        report: {
          epoch: 2,
          step: 7,
          loss: 0.25,
          tensors: 2,
          byteLength: 400_032,
          missing: [],
          unexpected: [],
          missingStates: [],
          renamed: [],
          converted: [],
          leftOut: [],
          unusedStates: [],
          warnings: [],
        },
        identical: true,
        moments: ['1', '0', 'NaN', 'Infinity'],
        negativeZero: true,
        aborted: 'enough',
        untouched: true,
        sameBytes: true,
        refused: 'CKPT_TENSOR_CHECKSUM',
      })
    },
  )
}
