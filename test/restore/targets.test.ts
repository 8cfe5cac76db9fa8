import { setImmediate, setTimeout } from 'node:timers/promises'
import test from 'ava'
import type { CheckpointError } from '../../src/errors.js'
import type { Checkpoint } from '../../src/load/checkpoint.js'
import { loadCheckpoint } from '../../src/load/load.js'
import type { StateMismatchError } from '../../src/restore/compare.js'
import { restoreCheckpoint } from '../../src/restore/restore.js'
import type { LoadedState, Stateful } from '../../src/state.js'
import fc from '../support/fast-check.js'
import { memoryState } from '../support/memory-state.js'
import { inMemory } from '../support/saved.js'

const floats = (...values: number[]) => Float32Array.from(values)

async function saved(
  model: Stateful,
  optimizer?: Stateful,
  extras?: { readonly [name: string]: Stateful },
): Promise<Checkpoint> {
  return loadCheckpoint(await inMemory(model, optimizer, { ...(extras && { extras }) }))
}

const mismatch = { code: 'CKPT_STATE_MISMATCH' }

test('two names over the same memory cannot take different bytes: both are named, nothing is restored', async (t) => {
  const checkpoint = await saved(memoryState({ embed: floats(1, 2), head: floats(3, 4) }))
  const one = floats(9, 9)
  const tied = memoryState({ embed: one, head: one })
  for (const strict of [true, false]) {
    const error = await t.throwsAsync<StateMismatchError>(
      restoreCheckpoint(checkpoint, tied, null, { strict }),
      mismatch,
    )
    t.deepEqual(error!.mismatched, [
      {
        state: 'model',
        tensor: 'head',
        expected: 'the same memory as model: "embed"',
        actual: 'other bytes than it',
      },
    ])
    t.regex(error!.message, /"head".*"embed"/)
  }
  t.deepEqual(one, floats(9, 9))
})

test('memory that overlaps in part cannot take bytes that disagree there, and can those that agree', async (t) => {
  const three = floats(9, 9, 9)
  const overlapping = memoryState({ a: three.subarray(0, 2), b: three.subarray(1) })
  await t.throwsAsync(
    restoreCheckpoint(await saved(memoryState({ a: floats(1, 2), b: floats(3, 4) })), overlapping),
    mismatch,
  )
  t.deepEqual(three, floats(9, 9, 9))
  await restoreCheckpoint(
    await saved(memoryState({ a: floats(1, 2), b: floats(2, 3) })),
    overlapping,
  )
  t.deepEqual(three, floats(1, 2, 3))
})

test('a model and its optimizer, or an extra, over one array are refused alike', async (t) => {
  const checkpoint = await saved(memoryState({ w: floats(1) }), memoryState({ m: floats(2) }), {
    ema: memoryState({ w: floats(3) }),
  })
  const shared = floats(0)
  await t.throwsAsync(
    restoreCheckpoint(checkpoint, memoryState({ w: shared }), memoryState({ m: shared })),
    { ...mismatch, message: /optimizer: "m" is the same memory as model: "w"/ },
  )
  const extras = { ema: memoryState({ w: shared }) }
  await t.throwsAsync(restoreCheckpoint(checkpoint, memoryState({ w: shared }), null, { extras }), {
    ...mismatch,
    message: /"ema": "w"/,
  })
  t.deepEqual(shared, floats(0))
})

test('weights that are tied in the file, or equal in it, may be tied in the model', async (t) => {
  const w = floats(1, 2)
  for (const model of [
    { embed: w, head: w },
    { embed: w, head: w.slice() },
  ]) {
    const one = floats(0, 0)
    await restoreCheckpoint(await saved(memoryState(model)), memoryState({ embed: one, head: one }))
    t.deepEqual(one, w)
  }
  // Tied in the file, and not in the model.
  const [a, b] = [floats(0, 0), floats(0, 0)]
  await restoreCheckpoint(
    await saved(memoryState({ embed: w, head: w })),
    memoryState({ embed: a, head: b }),
  )
  t.deepEqual([a, b], [w, w])
})

test('a restore either puts every tensor in, bit for bit, or is refused and changes nothing', async (t) => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.nat(12), fc.integer({ min: 0, max: 5 })), { maxLength: 5 }),
      fc.boolean(),
      async (places, equal) => {
        const memory = new Uint8Array(17).fill(99)
        const views = places.map(([at, length]) => memory.subarray(at, at + length))
        const files = places.map(([at, length], i) =>
          Uint8Array.from({ length }, (_, k) => (equal ? at + k : 10 * i + k)),
        )
        const named = (arrays: Uint8Array[]) =>
          memoryState(Object.fromEntries(arrays.map((array, i) => [`w${i}`, array])))
        const checkpoint = await saved(named(files))
        const before = memory.slice()
        try {
          await restoreCheckpoint(checkpoint, named(views))
        } catch (error) {
          t.is((error as StateMismatchError).code, 'CKPT_STATE_MISMATCH')
          t.false(equal)
          t.deepEqual(memory, before)
          return
        }
        t.deepEqual(views, files)
      },
    ),
    { numRuns: 300 },
  )
})

test('a stateDict() that returns copies is refused: nothing would reach the model', async (t) => {
  const checkpoint = await saved(memoryState({ w: floats(1, 2) }), memoryState({ m: floats(3) }))
  const weights = [0.5, 0.25]
  const copies: Stateful = {
    stateDict: () => ({ w: { shape: [2], data: Float32Array.from(weights) } }),
  }
  await t.throwsAsync(restoreCheckpoint(checkpoint, copies), {
    instanceOf: TypeError,
    message: /stateDict\(\) of model gave other memory for "w".*copies.*loadStateDict\(\)/,
  })
  // Of one state alone: the others stay as they were.
  const w = floats(0, 0)
  const optimizer: Stateful = { stateDict: () => ({ m: { shape: [1], data: floats(7) } }) }
  await t.throwsAsync(restoreCheckpoint(checkpoint, memoryState({ w }), optimizer), {
    instanceOf: TypeError,
    message: /optimizer/,
  })
  t.deepEqual(w, floats(0, 0))
  // With a loadStateDict() its arrays may be copies: they are not what is restored into.
  let taken: LoadedState | undefined
  const taking: Stateful = {
    ...copies,
    loadStateDict(state) {
      taken = state
    },
  }
  await restoreCheckpoint(checkpoint, taking, null, { readBack: false })
  t.deepEqual(await taken!.get('w').read(), floats(1, 2))
})

test('new arrays over the same memory are the same memory, and an empty tensor has none', async (t) => {
  const checkpoint = await saved(memoryState({ w: floats(1, 2), empty: floats() }))
  const buffer = new ArrayBuffer(16)
  await restoreCheckpoint(checkpoint, {
    stateDict: () => ({
      w: { shape: [2], data: new Float32Array(buffer, 4, 2) },
      empty: { shape: [0], data: floats() },
    }),
  })
  t.deepEqual(new Float32Array(buffer), floats(0, 1, 2, 0))
})

test('memory that is transferred during the verification is an error before the first byte is written', async (t) => {
  const checkpoint = await saved(memoryState({ a: floats(1), b: floats(2) }))
  const [a, b] = [floats(0), floats(0)]
  const model = memoryState({ a, b })
  let first = true
  const error = await t.throwsAsync(
    restoreCheckpoint(checkpoint, model, null, {
      onProgress() {
        if (first) structuredClone(b.buffer, { transfer: [b.buffer] })
        first = false
      },
    }),
    { code: 'CKPT_TENSOR_CHANGED' },
  )
  t.like(error, { state: 'model', tensor: 'b', expected: 4, actual: 0 })
  t.deepEqual(a, floats(0))
})

test('an asynchronous loadAttributes() is awaited, and put back when it rejects', async (t) => {
  const checkpoint = await saved(memoryState({ w: floats(1) }), memoryState({}, { lr: 0.1 }))
  const model = memoryState({ w: floats(0) })
  const slow = memoryState({}, { lr: 9 })
  slow.loadAttributes = async (attributes) => {
    await setTimeout(20)
    slow.attributes = attributes
  }
  await restoreCheckpoint(checkpoint, model, slow)
  t.deepEqual(slow.attributes, { lr: 0.1 })

  const handed: unknown[] = []
  const refusing = memoryState({}, { lr: 9 })
  refusing.loadAttributes = async (attributes) => {
    handed.push(attributes)
    await setImmediate()
    if (handed.length === 1) throw new Error('no such group')
  }
  const other = memoryState({ w: floats(0) })
  await t.throwsAsync(restoreCheckpoint(checkpoint, other, refusing), {
    code: 'CKPT_RESTORE_INCOMPLETE',
    message: /loadAttributes\(\) of optimizer failed: no such group/,
  })
  t.deepEqual(handed, [{ lr: 0.1 }, { lr: 9 }])
  t.deepEqual(other.tensors.w!.data, floats(0))
})

test('the report names the states that the checkpoint has and nothing was given for', async (t) => {
  const w = memoryState({ w: floats(1) })
  const checkpoint = await saved(w, w, { ema: w, sampler: w })
  const model = memoryState({ w: floats(0) })
  const { unusedStates } = await restoreCheckpoint(checkpoint, model)
  t.deepEqual(unusedStates, ['optimizer', 'ema', 'sampler'])
  const report = await restoreCheckpoint(checkpoint, model, memoryState({ w: floats(0) }), {
    extras: { sampler: memoryState({ w: floats(0) }) },
  })
  t.deepEqual(report.unusedStates, ['ema'])
})

test('a state that is not mentioned is warned of; null and an object of extras say that it is meant', async (t) => {
  const w = memoryState({ w: floats(1) })
  const checkpoint = await saved(w, w, { ema: w })
  const warnings: string[] = []
  const onWarning = (message: string) => warnings.push(message)
  const model = () => memoryState({ w: floats(0) })

  await restoreCheckpoint(checkpoint, model(), undefined, { onWarning })
  t.is(warnings.length, 1)
  t.regex(warnings[0]!, /not restored: "optimizer", "ema"\. Pass them/)
  await restoreCheckpoint(checkpoint, model(), null, { onWarning })
  t.regex(warnings[1]!, /not restored: "ema"\./)
  await restoreCheckpoint(checkpoint, model(), null, { onWarning, extras: {} })
  await restoreCheckpoint(checkpoint, model(), model(), { onWarning, extras: { ema: model() } })
  t.is(warnings.length, 2)
})

test('a restore asks whether model and optimizer are swapped if the names say so', async (t) => {
  const checkpoint = await saved(memoryState({ w: floats(1) }), memoryState({ 'm/w': floats(1) }))
  const [model, optimizer] = [memoryState({ w: floats(0) }), memoryState({ 'm/w': floats(0) })]
  await t.throwsAsync(restoreCheckpoint(checkpoint, optimizer, model), {
    code: 'CKPT_STATE_MISMATCH',
    message: /are the two arguments swapped\?/,
  })
  await t.throwsAsync(restoreCheckpoint(checkpoint, memoryState({ b: floats(0) }), optimizer), {
    code: 'CKPT_STATE_MISMATCH',
    message: /^((?!swapped).)*$/s,
  })
})

test('an abort ends a restore whose stateDict() or compareStateDict() never settles, with its reason', async (t) => {
  const checkpoint = await saved(memoryState({ w: floats(1) }))
  const never = new Promise<never>(() => {})
  const w = memoryState({ w: floats(0) })
  let asked = 0
  const hanging: Record<string, Stateful> = {
    'the first stateDict()': { stateDict: () => never },
    'the second one': { stateDict: () => (++asked === 1 ? w.stateDict() : never) },
    'a generator': {
      stateDict: async function* () {
        yield ['w', w.tensors.w!] as const
        await never
      },
    },
    'compareStateDict()': { ...w, compareStateDict: () => never, loadStateDict: () => t.fail() },
  }
  for (const [what, model] of Object.entries(hanging)) {
    const controller = new AbortController()
    const reason = new Error(what)
    const restoring = restoreCheckpoint(checkpoint, model, null, { signal: controller.signal })
    setTimeout(10).then(() => controller.abort(reason))
    t.is(await t.throwsAsync(restoring), reason, what)
  }
  t.deepEqual(w.tensors.w!.data, floats(0))
})

test('an abort ends the wait for a loadStateDict() that never settles, and says what holds what', async (t) => {
  const first = memoryState({ a: floats(1) })
  const checkpoint = await saved(first, undefined, {
    ema: memoryState({ w: floats(2) }),
    rng: memoryState({ r: floats(3) }),
  })
  const controller = new AbortController()
  const reason = new Error('the device hangs')
  const rng = memoryState({ r: floats(0) })
  let taken: LoadedState | undefined
  const error = await t.throwsAsync<CheckpointError>(
    restoreCheckpoint(
      checkpoint,
      {
        ...memoryState({ a: floats(0) }),
        loadStateDict: async (state) => {
          taken = state
        },
      },
      null,
      {
        signal: controller.signal,
        extras: {
          ema: {
            ...memoryState({ w: floats(0) }),
            loadStateDict: () => {
              setTimeout(5).then(() => controller.abort(reason))
              return new Promise(() => {})
            },
          },
          rng,
        },
      },
    ),
    { code: 'CKPT_RESTORE_INCOMPLETE', message: /aborted during loadStateDict\(\) of "ema"/ },
  )
  t.is(error!.cause, reason)
  t.deepEqual(error!.restored, ['model'])
  t.is(taken?.get('a').data[0], 1)
  t.deepEqual(rng.tensors.r!.data, floats(0))
})

test('an abort ends the wait for a loadAttributes() that never settles; what others got is put back', async (t) => {
  const withStep = (step: number) => ({
    ...memoryState({ w: floats(step) }),
    attributes: { step },
  })
  const checkpoint = await saved({ stateDict: () => withStep(1) }, { stateDict: () => withStep(2) })
  const controller = new AbortController()
  const reason = new Error('enough')
  const given: unknown[] = []
  let calls = 0
  const model = {
    state: withStep(10),
    stateDict: () => model.state,
    loadAttributes: (attributes: unknown) => void given.push(attributes),
  }
  const optimizer = {
    state: withStep(20),
    stateDict: () => optimizer.state,
    loadAttributes: () => {
      if (++calls === 1) setTimeout(5).then(() => controller.abort(reason))
      return new Promise<void>(() => {})
    },
  }
  const error = await t.throwsAsync<CheckpointError>(
    restoreCheckpoint(checkpoint, model, optimizer, { signal: controller.signal }),
    {
      code: 'CKPT_RESTORE_INCOMPLETE',
      message: /aborted during loadAttributes\(\) of .*optimizer/,
    },
  )
  t.is(error!.cause, reason)
  t.deepEqual(error!.restored, [])
  t.deepEqual(given, [{ step: 1 }, { step: 10 }])
  t.is(calls, 2)
  t.deepEqual(model.state.tensors.w!.data, floats(10))
  t.deepEqual(optimizer.state.tensors.w!.data, floats(20))
})

test('an abort by a loadStateDict() that has nothing to wait for does not keep the restore from its end', async (t) => {
  const checkpoint = await saved(memoryState({ a: floats(1) }), undefined, {
    ema: memoryState({ w: floats(2) }),
  })
  const controller = new AbortController()
  const ema = memoryState({ w: floats(0) })
  const model = { ...memoryState({ a: floats(0) }), loadStateDict: () => controller.abort() }
  const options = { signal: controller.signal, extras: { ema }, readBack: false }
  t.is((await restoreCheckpoint(checkpoint, model, null, options)).tensors, 2)
  t.deepEqual(ema.tensors.w!.data, floats(2))
})

test('an abort ends the wait for a state that is read back: all was restored, and is not compared', async (t) => {
  const checkpoint = await saved(memoryState({ a: floats(1) }))
  for (const what of ['stateDict', 'data'] as const) {
    const controller = new AbortController()
    const reason = new Error(what)
    let isLoaded = false
    const never = (): Promise<never> => {
      setTimeout(5).then(() => controller.abort(reason))
      return new Promise(() => {})
    }
    const shape = [1]
    const model: Stateful = {
      stateDict: () => {
        if (!isLoaded) return { a: { shape, data: floats(0) } }
        return what === 'stateDict' ? never() : { a: { shape, dtype: 'float32', data: never } }
      },
      loadStateDict: () => {
        isLoaded = true
      },
    }
    const { signal } = controller
    const error = await t.throwsAsync<CheckpointError>(
      restoreCheckpoint(checkpoint, model, null, { signal }),
      { code: 'CKPT_RESTORE_INCOMPLETE', message: /aborted while the trainer was asked/ },
    )
    t.is(error!.cause, reason)
    t.deepEqual(error!.restored, ['model'])
  }
})
