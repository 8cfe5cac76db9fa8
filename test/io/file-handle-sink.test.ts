import test from 'ava'
import { FileHandleSink, type WritableFileHandle } from '../../src/io/file-handle-sink.js'
import { loadCheckpoint } from '../../src/load/load.js'
import { saveCheckpoint } from '../../src/save/save.js'
import { sinkConforms } from '../support/sink-conformance.js'

const model = {
  stateDict: () => ({
    w: { shape: [3], data: Float32Array.of(1, 2, 3) },
    b: { shape: [2], data: new Float32Array(new SharedArrayBuffer(8)) },
  }),
}

type Step = 'createWritable' | 'write' | 'close'

/** A handle in memory. Like WebKit's, it writes the whole buffer of a view; `fails` fails with `error`. */
function memoryHandle(fails?: Step, error?: unknown) {
  let bytes = new Uint8Array(0)
  let aborts = 0
  let closes = 0
  const may = (step: Step) => {
    if (step === fails) throw error
  }
  const handle = {
    name: 'a.ckpt',
    kind: 'file',
    async createWritable() {
      may('createWritable')
      let draft = new Uint8Array(0)
      return {
        async write(chunk: unknown) {
          may('write')
          const { position, data } = chunk as { position: number; data: Uint8Array }
          if (data.buffer instanceof SharedArrayBuffer) throw new TypeError('shared memory')
          const whole = new Uint8Array(data.buffer)
          const longer = new Uint8Array(Math.max(draft.length, position + whole.length))
          longer.set(draft)
          longer.set(whole, position)
          draft = longer
        },
        async close() {
          may('close')
          bytes = draft
          closes++
        },
        async abort() {
          aborts++
        },
      }
    },
  } satisfies WritableFileHandle & { kind: string }
  return { handle, bytes: () => bytes, aborts: () => aborts, closes: () => closes }
}

sinkConforms('a sink over a file handle', async () => {
  const { handle, bytes, closes } = memoryHandle()
  const read = async () => (closes() === 0 ? undefined : bytes())
  return { sink: () => new FileHandleSink(handle), read }
})

test('a checkpoint is written right where a browser writes the whole buffer of a view', async (t) => {
  const file = memoryHandle()
  await saveCheckpoint(new FileHandleSink(file.handle), model)
  const { model: saved } = await loadCheckpoint(file.bytes())
  t.deepEqual(saved.get('w').data, Float32Array.of(1, 2, 3))
  t.deepEqual(saved.get('b').data, new Float32Array(2))
})

for (const step of ['createWritable', 'write', 'close'] as const) {
  test(`what a browser refuses in ${step}() is a CheckpointError with the name of the file`, async (t) => {
    const cause = new DOMException('The quota has been exceeded.', 'QuotaExceededError')
    const file = memoryHandle(step, cause)
    const error = await t.throwsAsync(saveCheckpoint(new FileHandleSink(file.handle), model))
    t.like(error, { code: 'CKPT_NOT_COMMITTED', path: 'a.ckpt', cause })
    t.regex(error!.message, /quota.*remove old checkpoints/)
    t.is(file.aborts(), step === 'createWritable' ? 0 : 1)
    t.is(file.bytes().length, 0)
  })
}

test('a browser without createWritable() gets an error with a remedy', async (t) => {
  const handle = { name: 'a.ckpt' } as WritableFileHandle
  const error = await t.throwsAsync(saveCheckpoint(new FileHandleSink(handle), model))
  t.like(error, { code: 'CKPT_NOT_COMMITTED', path: 'a.ckpt' })
  t.regex(error!.message, /createWritable.*MemorySink/)
})

test('a value that is not the handle of a file is refused at once', (t) => {
  for (const handle of [
    { name: 'run', kind: 'directory' },
    Promise.resolve(memoryHandle().handle),
    undefined,
    'a.ckpt',
  ]) {
    t.throws(() => new FileHandleSink(handle as never), {
      instanceOf: TypeError,
      message: /await directory\.getFileHandle/,
    })
  }
})
