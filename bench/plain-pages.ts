/** The plainest pages that do what the viewer cannot do without: what the rest of it costs is the difference. */

import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A page that asks for the first 64 KiB of a file, and then shows a word. */
const FETCH = `<!doctype html><body><script>
fetch('file/0', { headers: { range: 'bytes=0-65535' } })
  .then((response) => response.arrayBuffer())
  .then(() => { document.body.innerHTML = '<p class="shown">shown</p>' })
</script>`

/** A page without content, as high as 100,000 rows. */
const EMPTY = '<!doctype html><body><div class="shown" style="height: 3187500px">shown</div>'

/** A page whose two workers get all files in pieces of 8 MiB, two at once each, and add up their float32. */
const SUM = `<!doctype html><body><script>
const work = () => {
  onmessage = async ({ data: pieces }) => {
    let sum = 0
    const get = async () => {
      for (let piece = pieces.pop(); piece !== undefined; piece = pieces.pop()) {
        const response = await fetch(piece.url, { headers: { range: piece.range } })
        const values = new Float32Array(await response.arrayBuffer())
        for (let i = 0; i < values.length; i++) sum += values[i]
      }
    }
    await Promise.all([get(), get()])
    postMessage(sum)
  }
}
const address = URL.createObjectURL(new Blob(['(' + work + ')()']))
const PIECE = 8 * 1024 * 1024
fetch('sizes').then((response) => response.json()).then(async (sizes) => {
  const pieces = sizes.flatMap((size, i) =>
    Array.from({ length: Math.ceil(size / PIECE) }, (_, k) => ({
      url: new URL('file/' + i, location.href).href,
      range: 'bytes=' + k * PIECE + '-' + (Math.min(size - (size % 4), (k + 1) * PIECE) - 1),
    })),
  )
  await Promise.all([0, 1].map((half) => new Promise((resolve) => {
    const worker = new Worker(address)
    worker.onmessage = resolve
    worker.postMessage(pieces.filter((_, i) => i % 2 === half))
  })))
  document.body.innerHTML = '<p class="shown">shown</p>'
})
</script>`

const PAGES: { readonly [path: string]: string } = { '/fetch': FETCH, '/empty': EMPTY, '/sum': SUM }

/** A server of those pages, and of files to read by them. */
export interface PlainServer extends AsyncDisposable {
  readonly url: string
}

/** Serves the pages `fetch`, `empty` and `sum`, of `files`: their paths, and lengths in bytes. */
export async function servePlain(
  files: readonly { readonly path: string; readonly byteLength: number }[],
): Promise<PlainServer> {
  const server = createServer((request, response) => {
    const url = request.url ?? '/'
    const page = PAGES[url]
    const file = files[Number(/^\/file\/(\d+)$/.exec(url)?.[1] ?? -1)]
    if (page !== undefined) response.setHeader('content-type', 'text/html').end(page)
    else if (url === '/sizes') response.end(JSON.stringify(files.map((each) => each.byteLength)))
    else if (file !== undefined) {
      const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? []
      const [start, end] = [Number(first), Number(last)]
      response.writeHead(206, {
        'content-range': `bytes ${start}-${end}/${file.byteLength}`,
        'content-length': end - start + 1,
      })
      createReadStream(file.path, { start, end, highWaterMark: 1024 * 1024 }).pipe(response)
    } else response.writeHead(404).end()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
    },
  }
}
