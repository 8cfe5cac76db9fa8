import test from 'ava'
import fc from 'fast-check'
import {
  type ArbitraryCheckpoint,
  arbitraryCheckpoint,
  statefulOf,
} from '../support/arbitrary-state.js'
import { times } from '../support/effort.js'
import { converted } from '../support/exchange/places.js'
import { inMemory } from '../support/saved.js'

function saved({ model, optimizer, extras, progress }: ArbitraryCheckpoint) {
  return inMemory(statefulOf(model), optimizer === null ? null : statefulOf(optimizer), {
    ...progress,
    // One that is nothing but a model's tensors has no description, and loses their order and ties.
    step: progress.step || 1,
    extras: Object.fromEntries(extras.map(([name, state]) => [name, statefulOf(state)])),
  })
}

for (const format of ['safetensors', 'npz']) {
  test(`any checkpoint of a run that goes through ${format} comes back byte for byte`, async (t) => {
    await fc.assert(
      fc.asyncProperty(arbitraryCheckpoint, async (given) => {
        const bytes = await saved(given)
        const foreign = await converted(bytes, `x.${format}`, { raw: true })
        const back = await converted(foreign, 'x.ckpt')
        if (Buffer.compare(bytes, back) !== 0) throw new Error('it came back as another one')
      }),
      { numRuns: times(100) },
    )
    t.pass()
  })
}
