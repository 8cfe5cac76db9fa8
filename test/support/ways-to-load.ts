/** The ways to open one checkpoint file. Each has to give the same results. */

import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Checkpoint } from '../../src/load/checkpoint.js'
import { loadCheckpoint } from '../../src/load/load.js'
import type { OpenOptions } from '../../src/load/open.js'

/** Whether this machine can map files: koffi is optional, and Windows reads. */
export const canMap =
  process.platform !== 'win32' &&
  (await import('koffi').then(
    () => true,
    () => false,
  ))

export type Way = 'map' | 'file' | 'memory' | 'blob' | 'http'

export const ways: readonly Way[] = canMap
  ? ['map', 'file', 'memory', 'blob', 'http']
  : ['file', 'memory', 'blob', 'http']

/** Whether a tensor of that kind of source has its bytes at once. */
export function isAtOnce(way: Way): boolean {
  return way !== 'blob' && way !== 'http'
}

/** Opens the file at `path` through a source of that kind. */
export async function loadBy(
  way: Way,
  path: string,
  options: OpenOptions = {},
): Promise<Checkpoint> {
  switch (way) {
    case 'map':
      return loadCheckpoint(path, options)
    case 'file':
      return loadCheckpoint(path, { ...options, map: false })
    case 'memory':
      return loadCheckpoint(await readFile(path), options)
    case 'blob':
      return loadCheckpoint(new Blob([await readFile(path)]), options)
    case 'http':
      return loadCheckpoint(await addressOf(path), options)
  }
}

let server: Promise<AddressInfo> | undefined

/** The address of a file, on a server that ends with the process. */
async function addressOf(path: string): Promise<URL> {
  server ??= new Promise((resolve) => {
    const files = createServer(async (request, response) => {
      const bytes = await readFile(decodeURIComponent(request.url!.slice(1)))
      const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range!)!
      const part = bytes.subarray(Number(from), Number(to) + 1)
      if (part.byteLength === 0) {
        response.writeHead(416).end()
        return
      }
      const last = Number(from) + part.byteLength - 1
      response.writeHead(206, { 'content-range': `bytes ${from}-${last}/${bytes.byteLength}` })
      response.end(part)
    })
    files.listen(0, '127.0.0.1', () => resolve(files.address() as AddressInfo))
    files.unref()
  })
  const { port } = await server
  return new URL(encodeURIComponent(path), `http://127.0.0.1:${port}/`)
}
