/** The browser's entry, bundled and run in a real browser. Needs Chromium. */

import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { build } from 'esbuild'

const CHROMIUM = [process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/google-chrome'].find(
  (path) => path !== undefined && existsSync(path),
)

// CI has one, so a missing one is a failure there.
const inBrowser = CHROMIUM === undefined && process.env.CI === undefined ? test.skip : test

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

inBrowser(
  'a browser saves to its private file system, restores every bit, and keeps the old file when a save is aborted (needs Chromium)',
  async (t) => {
    t.timeout(60_000)
    const script = await bundle()
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
      } else if (request.url === '/page.js') {
        response.setHeader('content-type', 'text/javascript').end(script)
      } else {
        response
          .setHeader('content-type', 'text/html')
          .end('<!doctype html><script type="module" src="/page.js"></script>')
      }
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const profile = await mkdtemp(join(tmpdir(), 'ckpt-browser-'))
    const { port } = server.address() as AddressInfo
    const browser = spawn(
      CHROMIUM!,
      [
        '--headless',
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
        `--user-data-dir=${profile}`,
        '--remote-debugging-port=0',
        `http://localhost:${port}/`,
      ],
      { stdio: 'ignore' },
    )
    t.teardown(async () => {
      browser.kill('SIGKILL')
      server.close()
      server.closeAllConnections()
      await rm(profile, { recursive: true, force: true, maxRetries: 10 })
    })
    const ended = new Promise<unknown>((_, reject) => {
      browser.on('error', reject)
      browser.on('exit', (code) => reject(new Error(`the browser ended early, with ${code}`)))
    })
    t.deepEqual(await Promise.race([delivered, ended]), {
      source: 'blob',
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
