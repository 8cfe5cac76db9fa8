import test from 'ava'
import { MemorySink } from '../../src/io/memory-sink.js'
import { RecordingSink } from '../support/recording-sink.js'
import { sinkConforms } from '../support/sink-conformance.js'

sinkConforms('a sink in memory', async () => {
  const sink = new MemorySink()
  const read = async () => {
    try {
      return sink.bytes
    } catch {
      return undefined
    }
  }
  return { sink: () => sink, read }
})

// The stand-in of other tests, which must be no other kind of sink.
sinkConforms('a sink that records', async () => {
  const sink = new RecordingSink()
  return { sink: () => sink, read: async () => sink.bytes }
})

async function write(sink: MemorySink, text: string): Promise<void> {
  const bytes = new TextEncoder().encode(text)
  await sink.begin(bytes.byteLength)
  await sink.write(bytes.subarray(3), 3)
  await sink.write(bytes.subarray(0, 3), 0)
  await sink.sync()
}

const textOf = (sink: MemorySink) => new TextDecoder().decode(sink.bytes)

test('the written bytes are available after the commit, and not before', async (t) => {
  const sink = new MemorySink()
  t.throws(() => sink.bytes, { instanceOf: TypeError })
  await write(sink, 'first')
  t.throws(() => sink.bytes, { instanceOf: TypeError })
  t.is(await sink.commit(), 'none')
  t.is(textOf(sink), 'first')
})

test('until the next commit, and after an abort, the sink has what it had', async (t) => {
  const sink = new MemorySink()
  await write(sink, 'first')
  await sink.commit()
  await write(sink, 'second')
  t.is(textOf(sink), 'first')
  await sink.abort()
  t.is(textOf(sink), 'first')
  await write(sink, 'third')
  await sink.commit()
  await sink.abort()
  t.is(textOf(sink), 'third')
})

test('the committed bytes are the caller’s, and no later save writes into them', async (t) => {
  const sink = new MemorySink()
  await write(sink, 'first')
  await sink.commit()
  const { bytes } = sink
  await write(sink, 'later')
  await sink.commit()
  t.is(new TextDecoder().decode(bytes), 'first')
})

test('bytes are copied when they are written, so that their owner may change them', async (t) => {
  const sink = new MemorySink()
  const bytes = Uint8Array.of(1, 2, 3)
  await sink.begin(3)
  await sink.write(bytes, 0)
  bytes.fill(0)
  await sink.commit()
  t.deepEqual(sink.bytes, Uint8Array.of(1, 2, 3))
})
