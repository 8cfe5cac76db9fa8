/** `serve.mjs WORK FOLDER`: serves the built application, asks it for one of the works, prints the answer. */

import { createServer } from 'node:http'
import { fileURLToPath } from 'node:url'
import next from 'next'

const [work, folder] = process.argv.slice(-2)
const app = next({
  dev: false,
  dir: fileURLToPath(new URL('.', import.meta.url)),
  hostname: '127.0.0.1',
  port: 0,
})
await app.prepare()
const answer = app.getRequestHandler()
const server = createServer((request, response) => answer(request, response))
server.listen(0, '127.0.0.1', async () => {
  const query = new URLSearchParams({ work, folder })
  const response = await fetch(`http://127.0.0.1:${server.address().port}/work?${query}`)
  console.log(await response.text())
  process.exit(response.ok ? 0 : 1)
})
