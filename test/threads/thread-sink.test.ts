import { filePlace, sinkConforms } from '../support/sink-conformance.js'

// A thread cannot load TypeScript.
type SinkThreads = typeof import('../../src/threads/sink-thread.js')
const built = new URL('../../dist/src/threads/sink-thread.js', import.meta.url)
const { SinkThread, ThreadSink }: SinkThreads = await import(built.href)

sinkConforms('a file behind a thread', async (t) => {
  const place = await filePlace(t)
  const thread = new SinkThread()
  t.teardown(() => thread.close())
  const target = { path: place.path, name: 'a.ckpt', durable: true }
  return { ...place, sink: () => new ThreadSink(thread, target) }
})
