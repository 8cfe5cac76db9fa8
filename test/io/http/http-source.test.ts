import test, { type ExecutionContext } from 'ava'
import { httpAddress, openHttp } from '../../../src/io/http/http-source.js'
import { publicAddress } from '../../../src/io/http/requests.js'
import { type Fault, type Served, serve } from '../../support/http-server.js'
import { scattered } from '../../support/patterns.js'
import { sourceConforms } from '../../support/source-conformance.js'

sourceConforms('a server', async (t, bytes) => {
  const served = await serve(t, bytes)
  return {
    source: await openHttp(served.url),
    change() {
      served.bytes = served.bytes.slice()
      served.etag = '"2"'
    },
    truncate(length) {
      served.bytes = served.bytes.subarray(0, length)
      served.etag = '"2"'
    },
  }
})

const MIB = 2 ** 20
/** Reads a range and compares it. */
async function readsRight(t: ExecutionContext, served: Served, position: number, length: number) {
  const source = await openHttp(served.url)
  const target = new Uint8Array(length)
  await source.read(target, position)
  t.is(Buffer.compare(target, served.bytes.subarray(position, position + length)), 0)
  source.close()
}

test('the first answer is kept: a short file takes one request', async (t) => {
  const served = await serve(t, scattered(5000))
  await readsRight(t, served, 0, 5000)
  t.deepEqual(
    served.requests.map(({ range }) => range),
    ['bytes=0-65535'],
  )
})

test('up to 16 MiB are one request, with the bytes before them; more are several at once', async (t) => {
  const served = await serve(t, scattered(40 * MIB))
  const source = await openHttp(served.url)
  const target = new Uint8Array(16 * MIB)
  await source.read(target, MIB)
  t.is(served.requests.length, 2)
  await source.read(new Uint8Array(60), MIB - 60)
  t.is(served.requests.length, 2)
  await source.read(new Uint8Array(33 * MIB), 7 * MIB)
  t.is(served.requests.length, 5)
  source.close()
})

test('nothing is asked for in a compressed form', async (t) => {
  const served = await serve(t, scattered(100))
  await readsRight(t, served, 0, 100)
  t.is(served.requests[0]!['accept-encoding'], 'identity')
})

const passing: readonly Fault[] = [
  'reset',
  'truncate',
  { status: 500 },
  { status: 503, headers: { 'retry-after': '0' } },
  { status: 429 },
]
for (const fault of passing) {
  test(`what passes is asked for again, from where it ended: ${JSON.stringify(fault)}`, async (t) => {
    const served = await serve(t, scattered(4 * MIB))
    served.fault = (request) => (request < 4 && request % 2 === 0 ? fault : undefined)
    await readsRight(t, served, 0, 4 * MIB)
    t.true(served.requests.length >= 3)
  })
}

test('what does not pass is an error after five attempts, with what the server said', async (t) => {
  const served = await serve(t, scattered(100))
  served.fault = () => ({ status: 503 })
  const error = await t.throwsAsync(openHttp(served.url), { code: 'CKPT_READ' })
  t.regex(error.message, /503/)
  t.is(served.requests.length, 5)
})

test('a server that is not there is an error', async (t) => {
  await t.throwsAsync(openHttp(new URL('http://127.0.0.1:1/a.ckpt')), { code: 'CKPT_READ' })
})

for (const [status, remedy] of [
  [404, /404/],
  [401, /headers/],
  [403, /expired/],
] as const) {
  test(`the server's answer ${status} is an error at once`, async (t) => {
    const served = await serve(t, scattered(100))
    served.fault = () => ({ status })
    const error = await t.throwsAsync(openHttp(served.url), { code: 'CKPT_READ', message: remedy })
    t.like(error, { actual: status })
    t.is(served.requests.length, 1)
  })
}

test('a file that is changed is told by the condition, by its ETag, and by its length', async (t) => {
  for (const { conditions, etags } of [
    { conditions: true, etags: ['"1"', '"2"'] },
    { conditions: false, etags: ['"1"', '"2"'] },
    { conditions: true, etags: ['W/"1"', 'W/"2"'] },
    { conditions: true, etags: [undefined, undefined] },
  ] as const) {
    const served = await serve(t, scattered(MIB))
    served.conditions = conditions
    served.etag = etags[0]
    const source = await openHttp(served.url)
    served.etag = etags[1]
    served.bytes = scattered(MIB + 64)
    const changed = { code: 'CKPT_FILE_CHANGED' }
    await t.throwsAsync(source.read(new Uint8Array(1000), 100_000), changed)
    await t.throwsAsync(source.checkUnchanged(), changed)
    source.close()
  }
})

test('a server without ranges gives the whole file', async (t) => {
  const served = await serve(t, scattered(300_000))
  served.ranges = false
  await readsRight(t, served, 100_000, 200_000)
  t.is(served.requests.length, 1)
})

test('a whole file of more than 256 MiB is refused before it is taken', async (t) => {
  const served = await serve(t, new Uint8Array(257 * MIB))
  served.ranges = false
  await t.throwsAsync(openHttp(served.url), { code: 'CKPT_READ', message: /download it/ })
})

test('an empty file has no bytes', async (t) => {
  const served = await serve(t, new Uint8Array(0))
  t.is((await openHttp(served.url)).size, 0)
})

test('a compressed range, and more bytes than were asked for, are errors', async (t) => {
  for (const fault of ['compress', 'overflow'] as const) {
    const served = await serve(t, scattered(MIB))
    served.fault = () => fault
    await t.throwsAsync(openHttp(served.url), { code: 'CKPT_READ' })
  }
})

test('after a redirect the target is asked, without the headers, and the address again when it expires', async (t) => {
  const target = await serve(t, scattered(MIB))
  const hub = await serve(t, new Uint8Array(0))
  let signature = 0
  hub.fault = () => ({
    status: 302,
    headers: { location: `${target.url}?signature=${++signature}` },
  })
  target.fault = (request) =>
    request > 1 && target.requests.at(-1)!.path.endsWith('=1') && signature === 1
      ? { status: 403 }
      : undefined
  const headers = { authorization: 'Bearer secret', 'private-token': 'secret' }
  const source = await openHttp(hub.url, headers)
  t.like(hub.requests[0], headers)
  await source.read(new Uint8Array(1000), 200_000)
  t.is(hub.requests.length, 1)
  await source.read(new Uint8Array(1000), 400_000)
  t.is(hub.requests.length, 2)
  t.true(target.requests.length >= 3)
  for (const name of Object.keys(headers)) {
    t.true(target.requests.every((request) => request[name] === undefined))
  }
  source.close()
})

test('a redirect within the address’s own origin gets the headers', async (t) => {
  const served = await serve(t, scattered(1000))
  served.fault = (request) =>
    request === 0 ? { status: 301, headers: { location: '../other/b.ckpt' } } : undefined
  const source = await openHttp(served.url, { 'private-token': 'secret' })
  t.deepEqual(
    served.requests.map((request) => [request.path, request['private-token']]),
    [
      ['/run/a.ckpt', 'secret'],
      ['/other/b.ckpt', 'secret'],
    ],
  )
  source.close()
})

test('an address that redirects without end, or to what is not HTTP, is an error at once', async (t) => {
  for (const location of ['/run/a.ckpt', 'file:///etc/passwd', 'http://[']) {
    const served = await serve(t, scattered(1000))
    served.fault = () => ({ status: 302, headers: { location } })
    await t.throwsAsync(openHttp(served.url), { code: 'CKPT_READ', message: /302/ })
    t.is(served.requests.length, location.startsWith('/') ? 21 : 1)
  }
})

test('an address is one of HTTP, and is shown without what may be secret', (t) => {
  t.is(httpAddress('https://a.org/b.ckpt?s=1')?.pathname, '/b.ckpt')
  t.is(httpAddress(new URL('http://a.org/b'))?.host, 'a.org')
  for (const other of ['a.ckpt', 's3://b/a.ckpt', new URL('file:///a.ckpt'), '/http://a']) {
    t.is(httpAddress(other), undefined)
  }
  t.throws(() => httpAddress('https://'), { instanceOf: TypeError })
  t.is(publicAddress('https://me:word@a.org/b.ckpt?s=1#x'), 'https://a.org/b.ckpt')
})
