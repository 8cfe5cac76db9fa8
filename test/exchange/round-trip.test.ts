import test from 'ava'
import {
  type ArbitraryCheckpoint,
  arbitraryCheckpoint,
  statefulOf,
} from '../support/arbitrary-state.js'
import { times } from '../support/effort.js'
import { converted } from '../support/exchange/places.js'
import fc from '../support/fast-check.js'
import { inMemory } from '../support/saved.js'

function saved({ model, optimizer, extras, progress }: ArbitraryCheckpoint, step = progress.step) {
  return inMemory(statefulOf(model), optimizer === null ? null : statefulOf(optimizer), {
    ...progress,
    step,
    extras: Object.fromEntries(extras.map(([name, state]) => [name, statefulOf(state)])),
  })
}

for (const format of ['safetensors', 'npz']) {
  test(`any checkpoint of a run that goes through ${format} comes back byte for byte`, async (t) => {
    await fc.assert(
      fc.asyncProperty(arbitraryCheckpoint, async (given) => {
        // One that is nothing but a model's tensors has no description, and loses their order and ties.
        const bytes = await saved(given, given.progress.step || 1)
        const foreign = await converted(bytes, `x.${format}`, { raw: true })
        const back = await converted(foreign, 'x.ckpt')
        if (Buffer.compare(bytes, back) !== 0) throw new Error('it came back as another one')
      }),
      { numRuns: times(40) },
    )
    t.pass()
  })
}

test('a model alone keeps its order and its ties where that is asked for, under names that other programs read', async (t) => {
  const tied = { shape: [2], data: Float32Array.of(1, 2) }
  const model = {
    'layer.10': { shape: [], data: Int8Array.of(1) },
    'layer.9': tied,
    head: tied,
    as_row: { shape: [1, 2], data: tied.data },
  }
  const bytes = await inMemory({ stateDict: () => model })
  for (const format of ['safetensors', 'npz']) {
    const exact = await converted(bytes, `x.${format}`, { exact: true })
    t.deepEqual(await converted(exact, 'x.ckpt'), bytes, format)
    const plain = await converted(bytes, `x.${format}`)
    t.notDeepEqual(await converted(plain, 'x.ckpt'), bytes, format)
  }
  const file = Buffer.from(await converted(bytes, 'x.safetensors', { exact: true }))
  const header = JSON.parse(file.toString('utf8', 8, 8 + Number(file.readBigUInt64LE())))
  t.deepEqual(Object.keys(header).sort(), ['__metadata__', 'layer.10', 'layer.9'])
  t.deepEqual(Object.keys(header.__metadata__), ['format', 'lightwatch_checkpoint'])
})

for (const format of ['safetensors', 'npz']) {
  test(`any checkpoint that goes exactly through ${format} comes back byte for byte`, async (t) => {
    await fc.assert(
      fc.asyncProperty(arbitraryCheckpoint, async (given) => {
        const model = { ...given, optimizer: null, extras: [], progress: {} }
        for (const bytes of [await saved(given), await saved(model)]) {
          const foreign = await converted(bytes, `x.${format}`, { raw: true, exact: true })
          const back = await converted(foreign, 'x.ckpt')
          if (Buffer.compare(bytes, back) !== 0) throw new Error('it came back as another one')
        }
      }),
      { numRuns: times(12) },
    )
    t.pass()
  })
}
