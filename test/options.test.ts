import { join } from 'node:path'
import test from 'ava'
import * as browser from '../src/browser.js'
import { loadCheckpoint, MemorySink, restoreCheckpoint, saveCheckpoint } from '../src/index.js'
import { givenOptions, type OptionNames } from '../src/options.js'
import { BackgroundSaver, CheckpointManager } from './support/built.js'
import { scratchFolder } from './support/scratch.js'

interface Options {
  readonly step?: number | undefined
  readonly epoch?: number | undefined
  readonly onWarning?: (() => void) | undefined
}

const NAMES: OptionNames<Options> = { step: true, epoch: true, onWarning: true }

const given = (options: unknown) => givenOptions('train', NAMES, options as Options)

test('the given options are a new object, without undefined values', (t) => {
  t.deepEqual(given(undefined), {})
  t.deepEqual(given({ step: 1, epoch: undefined }), { step: 1 })
  // A name that is misspelt and not given does nothing that could be missed.
  t.deepEqual(given({ steps: undefined }), {})
  t.deepEqual(given({ step: null, epoch: 0 } as unknown), {
    step: null,
    epoch: 0,
  } as unknown as Options)
})

test('options may come from a prototype, and from getters', (t) => {
  class Defaults {
    get epoch() {
      return 3
    }
  }
  t.deepEqual(given(new Defaults()), { epoch: 3 })
  t.deepEqual(given(Object.create({ step: 2 })), { step: 2 })
})

test('an unknown name is refused, with the closest name and all names', (t) => {
  for (const [name, closest] of [
    ['steps', 'step'],
    ['epcoh', 'epoch'],
    ['STEP', 'step'],
    ['onWarnings', 'onWarning'],
  ] as const) {
    t.throws(() => given({ [name]: 1 }), {
      instanceOf: TypeError,
      message: `train has no option "${name}"; did you mean "${closest}"? It has: step, epoch, onWarning`,
    })
  }
  for (const name of ['learningRate', '', 'toString', '__proto__x', 'ab', 'x'.repeat(1_000_000)]) {
    const error = t.throws(() => given({ [name]: 1 }), { instanceOf: TypeError })!
    t.false(error.message.includes('did you mean'))
    t.true(error.message.endsWith('It has: step, epoch, onWarning'))
    t.true(error.message.length < 400)
  }
})

test('a value that is not an object of options is refused', (t) => {
  for (const options of [null, 5, 'step', [], () => {}]) {
    t.throws(() => given(options), {
      instanceOf: TypeError,
      message: /^the options of train must be/,
    })
  }
})

const data = new Float32Array(1)
const model = { stateDict: () => ({ w: { shape: [1], data } }) }

async function savedBytes(): Promise<Uint8Array> {
  const sink = new MemorySink()
  await saveCheckpoint(sink, model, null, { step: 7, loss: undefined })
  return sink.bytes
}

test('every function that takes options refuses one that it does not know, and ignores undefined', async (t) => {
  const bytes = await savedBytes()
  const checkpoint = await loadCheckpoint(bytes)
  t.is(checkpoint.step, 7)
  const folder = await scratchFolder(t)
  const path = join(folder, 'a.ckpt')
  const saver = new BackgroundSaver({ whenBusy: undefined })
  t.teardown(() => saver.close())
  const manager = new CheckpointManager(folder, { keep: undefined, save: undefined })
  t.teardown(() => manager.close())
  const rules = (options: object) => new CheckpointManager(folder, options as never).close()
  const calls: { readonly [name: string]: (options: never) => unknown } = {
    saveCheckpoint: (options) => saveCheckpoint(new MemorySink(), model, null, options),
    loadCheckpoint: (options) => loadCheckpoint(bytes, options),
    restoreCheckpoint: (options) => restoreCheckpoint(checkpoint, model, null, options),
    verify: (options) => checkpoint.verify(options),
    faults: (options) => checkpoint.faults(options).next(),
    BackgroundSaver: (options) => new BackgroundSaver(options).close(),
    'BackgroundSaver.save': (options) => saver.save(path, model, null, options)?.durable,
    CheckpointManager: rules,
    'CheckpointManager.save': (options) =>
      manager.save(model, null, { step: 1, ...(options as object) }),
    restoreLatest: (options) => manager.restoreLatest(model, null, options),
    save: (options) => rules({ save: options }),
    keep: (options) => rules({ keep: options }),
    'keep.best': (options) =>
      rules({ keep: { best: { count: 1, metric: 'loss', mode: 'min', ...(options as object) } } }),
    'saveCheckpoint ': (options) => browser.saveCheckpoint(new MemorySink(), model, null, options),
    'loadCheckpoint ': (options) => browser.loadCheckpoint(bytes, options),
  }
  for (const [name, call] of Object.entries(calls)) {
    const error = await t.throwsAsync(async () => call({ colour: 1 } as never), {
      instanceOf: TypeError,
    })
    t.true(error!.message.startsWith(`${name.trim()} has no option "colour"`), error!.message)
    await t.notThrowsAsync(async () => call({ onProgress: undefined, verify: undefined } as never))
  }
})

test('a restore says what is not a checkpoint, and what to pass', async (t) => {
  const bytes = await savedBytes()
  for (const [value, words] of [
    ['a.ckpt', /load it first/],
    [bytes, /load it first/],
    [loadCheckpoint(bytes), /is an await missing\?/],
    [model, /pass the checkpoint first, then the model/],
    [undefined, /undefined/],
  ] as const) {
    await t.throwsAsync(restoreCheckpoint(value as never, model), {
      instanceOf: TypeError,
      message: words,
    })
  }
})
