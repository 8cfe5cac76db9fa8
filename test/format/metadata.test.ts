import test from 'ava'
import { decode } from '../../src/format/decode.js'
import { allStates } from '../../src/format/metadata.js'
import { modelContent, seal } from '../support/format/contents.js'
import { sampleFile } from '../support/format/sample.js'

test('the states of a checkpoint are the model, the optimizer, then the extras in their order', async (t) => {
  const metadata = decode(await sampleFile())
  t.deepEqual(
    allStates(metadata).map(({ name }) => name),
    ['model', 'optimizer', 'other', 'extra'],
  )
})

test('a checkpoint may be a model alone', (t) => {
  const states = allStates(decode(seal(modelContent([]))))
  t.deepEqual(
    states.map(({ name }) => name),
    ['model'],
  )
})
