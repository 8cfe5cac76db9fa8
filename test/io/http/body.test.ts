import test from 'ava'
import { receive } from '../../../src/io/attempts.js'
import { bodyReader } from '../../../src/io/http/body.js'

const bytes = Uint8Array.from({ length: 3_000_000 }, (_, i) => (i * 2654435761) >>> 13)

/** A stream of chunks of some length; `type`: whether it can fill memory of its reader. */
function streamed(length: number, type?: 'bytes'): ReadableStream<Uint8Array> {
  let at = 0
  return new ReadableStream({
    type: type as never,
    pull(controller: ReadableByteStreamController) {
      if (at === bytes.length) {
        controller.close()
        controller.byobRequest?.respond(0)
      } else {
        const end = Math.min(at + length, bytes.length)
        controller.enqueue(bytes.slice(at, end))
        at = end
      }
    },
  })
}

async function received(body: ReadableStream<Uint8Array>, reuses: boolean): Promise<Uint8Array> {
  const target = new Uint8Array(bytes.length)
  let done = 0
  await receive(bodyReader(body, reuses), bytes.length, (chunk) => {
    target.set(chunk, done)
    done += chunk.byteLength
  })
  return target
}

for (const type of [undefined, 'bytes'] as const) {
  for (const reuses of [true, false]) {
    const how = `${type ?? 'any'} stream, ${reuses ? 'into memory that is used again' : 'as it comes'}`
    test(`every byte of a body is read: ${how}`, async (t) => {
      for (const length of [100_000, 524_288, 1_000_000]) {
        t.is(Buffer.compare(await received(streamed(length, type), reuses), bytes), 0)
      }
    })
  }
}

test('bodies that are read at once have memory of their own', async (t) => {
  const all = await Promise.all(
    Array.from({ length: 12 }, () => received(streamed(200_000, 'bytes'), true)),
  )
  for (const each of all) t.is(Buffer.compare(each, bytes), 0)
})

test('a reader that leaves early ends the body', async (t) => {
  let ended: unknown
  const body = new ReadableStream({
    type: 'bytes',
    pull: (controller) => controller.enqueue(new Uint8Array(1000)),
    cancel: () => {
      ended = true
    },
  })
  const reader = bodyReader(body, true)
  t.is((await reader.read()).value?.byteLength, 1000)
  await reader.cancel()
  t.true(ended)
})
