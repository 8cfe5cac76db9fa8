import test from 'ava'
import { givenOptions, type OptionNames } from '../src/options.js'

interface Options {
  readonly step?: number | undefined
  readonly epoch?: number | undefined
  readonly onWarning?: (() => void) | undefined
}

const NAMES: OptionNames<Options> = { step: true, epoch: true, onWarning: true }

const given = (options: unknown) => givenOptions('train', NAMES, options as Options)

test('what was given is a new object, with nothing in it that is undefined', (t) => {
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

test('a name that there is not is refused, with the closest one and all that there are', (t) => {
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

test('what is not an object of options is refused', (t) => {
  for (const options of [null, 5, 'step', [], () => {}]) {
    t.throws(() => given(options), {
      instanceOf: TypeError,
      message: /^the options of train must be/,
    })
  }
})
