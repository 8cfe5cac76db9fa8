import test from 'ava'
import { openHttp } from '../../../src/io/http/http-source.js'
import { serve } from '../../support/http-server.js'

test('an answer that stalls is given up after half a minute, and asked for again from there', async (t) => {
  t.timeout(120_000)
  const served = await serve(t, new Uint8Array(100_000).fill(7))
  served.fault = (request) => (request === 1 ? 'stall' : undefined)
  const source = await openHttp(served.url)
  const target = new Uint8Array(30_000)
  await source.read(target, 70_000)
  t.true(target.every((byte) => byte === 7))
  t.is(served.requests.length, 3)
  source.close()
})
