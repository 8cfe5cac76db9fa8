import test from 'ava'
import {
  CheckpointError,
  type LoadedState,
  loadCheckpoint,
  MemorySink,
  type Stateful,
  saveCheckpoint,
} from '../../src/index.js'
import { restoreCheckpoint } from '../../src/restore/restore.js'

/** A model on a device: its tensors are fetched, and `load` takes them over. */
function model(
  weights: { a: Float32Array; b: Float32Array },
  load: (state: LoadedState) => void,
  fetched: string[] = [],
): Stateful {
  const tensor = (name: 'a' | 'b') => ({
    dtype: 'float32' as const,
    shape: [2],
    data: () => {
      fetched.push(name)
      return weights[name].slice()
    },
  })
  return { stateDict: () => ({ a: tensor('a'), b: tensor('b') }), loadStateDict: load }
}

const taking = (weights: { a: Float32Array; b: Float32Array }) => (state: LoadedState) => {
  weights.a = (state.get('a').data as Float32Array).slice()
  weights.b = (state.get('b').data as Float32Array).slice()
}
const start = () => ({ a: new Float32Array(2), b: new Float32Array(2) })

async function checkpoint() {
  const sink = new MemorySink()
  const weights = { a: Float32Array.of(0.1, 2), b: Float32Array.of(3, 4) }
  await saveCheckpoint(sink, model(weights, taking(weights)))
  return loadCheckpoint(sink.bytes)
}

test('a trainer that takes what it is given is read once more, and that is all', async (t) => {
  await using saved = await checkpoint()
  const weights = start()
  const fetched: string[] = []
  await restoreCheckpoint(saved, model(weights, taking(weights), fetched))
  t.deepEqual(fetched, ['a', 'b'])
  t.deepEqual([...weights.b], [3, 4])
})

test('one that initialises, swaps, rounds or resizes its weights afterwards is told so, by their names', async (t) => {
  await using saved = await checkpoint()
  for (const [spoil, names] of [
    [(w: ReturnType<typeof start>) => w.a.fill(0), ['a']],
    [(w: ReturnType<typeof start>) => ([w.a, w.b] = [w.b, w.a]), ['a', 'b']],
    [(w: ReturnType<typeof start>) => (w.a[0] = 0.125), ['a']],
  ] as const) {
    const weights = start()
    const spoiling = (state: LoadedState) => {
      taking(weights)(state)
      spoil(weights)
    }
    const error = await t.throwsAsync(restoreCheckpoint(saved, model(weights, spoiling)), {
      instanceOf: CheckpointError,
      code: 'CKPT_RESTORE_INCOMPLETE',
    })
    t.deepEqual(
      (error as CheckpointError).tensors,
      names.map((tensor) => ({ state: 'model', tensor })),
    )
    t.deepEqual((error as CheckpointError).restored, [])
    const again = start()
    const other = (state: LoadedState) => {
      taking(again)(state)
      spoil(again)
    }
    await t.notThrowsAsync(restoreCheckpoint(saved, model(again, other), null, { readBack: false }))
  }
})

test('states that have been restored in full are named', async (t) => {
  const sink = new MemorySink()
  const w = Float32Array.of(1)
  const good = { stateDict: () => ({ w: { shape: [1], data: w } }) }
  const weights = start()
  await saveCheckpoint(sink, model(weights, taking(weights)), good)
  const forgetful = model(weights, () => weights.a.fill(1))
  await using saved = await loadCheckpoint(sink.bytes)
  const error = await t.throwsAsync(restoreCheckpoint(saved, forgetful, good), {
    code: 'CKPT_RESTORE_INCOMPLETE',
  })
  t.deepEqual((error as CheckpointError).restored, ['optimizer'])
})

test('a tensor that is not there any more, or has another shape, is named', async (t) => {
  await using saved = await checkpoint()
  const weights = start()
  let isLoaded = false
  const losing: Stateful = {
    stateDict: () => ({
      a: { shape: isLoaded ? [1, 2] : [2], data: weights.a },
      ...(isLoaded ? {} : { b: { shape: [2], data: weights.b } }),
    }),
    loadStateDict: (state) => {
      isLoaded = true
      weights.a.set(state.get('a').data as Float32Array)
    },
  }
  await t.throwsAsync(restoreCheckpoint(saved, losing), {
    code: 'CKPT_RESTORE_INCOMPLETE',
    message: /model: "a" is float32 \[1, 2\], and not float32 \[2\]\n {2}model: "b" is not there/,
  })
})

test('plain memory is read again only where that is asked for', async (t) => {
  await using saved = await checkpoint()
  let asked = 0
  const weights = start()
  const memory: Stateful = {
    stateDict: () => {
      asked++
      return { a: { shape: [2], data: weights.a }, b: { shape: [2], data: weights.b } }
    },
  }
  await restoreCheckpoint(saved, memory)
  const usual = asked
  await restoreCheckpoint(saved, memory, null, { readBack: true })
  t.is(asked, 2 * usual + 1)
})

test('damaged bytes that were not verified are the fault of the file, and not of the trainer', async (t) => {
  const sink = new MemorySink()
  const weights = start()
  await saveCheckpoint(
    sink,
    model({ a: Float32Array.of(0.1, 2), b: Float32Array.of(3, 4) }, () => {}),
  )
  const bytes = sink.bytes
  const whole = await loadCheckpoint(bytes)
  bytes[whole.model.get('b').segment().offset]! ^= 1
  await t.throwsAsync(
    restoreCheckpoint(await loadCheckpoint(bytes), model(weights, taking(weights))),
    {
      code: 'CKPT_TENSOR_CHECKSUM',
    },
  )

  const unverified = await loadCheckpoint(bytes, { verify: false })
  const error = await t.throwsAsync(
    restoreCheckpoint(unverified, model(weights, taking(weights)), null, { verify: false }),
    {
      instanceOf: CheckpointError,
      code: 'CKPT_RESTORE_INCOMPLETE',
      message: /damaged bytes.*\n {2}model: "b" is damaged in the file/,
    },
  )
  t.deepEqual((error as CheckpointError).tensors, [{ state: 'model', tensor: 'b' }])
  t.like((error as CheckpointError).cause, {
    code: 'CKPT_TENSOR_CHECKSUM',
    state: 'model',
    tensor: 'b',
  })

  const forgetful = model(weights, (state) => {
    taking(weights)(state)
    weights.a.fill(0)
  })
  const both = await t.throwsAsync(
    restoreCheckpoint(unverified, forgetful, null, { verify: false }),
  )
  t.regex(both?.message ?? '', /"a" has other elements\n {2}model: "b" is damaged in the file/)
  await t.notThrowsAsync(
    restoreCheckpoint(unverified, model(weights, taking(weights)), null, {
      verify: false,
      readBack: false,
    }),
  )
})
