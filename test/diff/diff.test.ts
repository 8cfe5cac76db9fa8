import test from 'ava'
import { type CheckpointDiff, diffCheckpoints } from '../../src/diff/diff.js'
import { DifferenceSums } from '../../src/diff/difference.js'
import { KERNEL_START, makeKernel } from '../../src/diff/kernel.js'
import { loadCheckpoint } from '../../src/index.js'
import { checkpointOf, one } from '../support/diff.js'
import { times } from '../support/effort.js'
import fc from '../support/fast-check.js'
import { flipBits, inMemory, positionOf } from '../support/saved.js'

const same: CheckpointDiff = { equal: true, progress: [], config: [], save: [], states: [] }

async function differenceOf(...pair: [Parameters<typeof one>, Parameters<typeof one>]) {
  const [a, b] = await Promise.all(pair.map((side) => checkpointOf(one(...side))))
  const { states } = await diffCheckpoints(a!, b!)
  return states[0]?.tensors[0]
}

test('checkpoints of the same training are equal, whatever their place in memory', async (t) => {
  const make = () =>
    checkpointOf(one(Float32Array.of(1, Number.NaN)), {
      step: 3,
      loss: Number.NaN,
      metrics: { accuracy: 0.5 },
      config: { lr: 0.1 },
    })
  t.deepEqual(await diffCheckpoints(await make(), await make()), same)
})

test('progress, config and attributes differ by their paths', async (t) => {
  const state = (lr: number) => ({
    tensors: {},
    attributes: { groups: [{ lr, betas: [0.9, lr] }], best: 0 },
  })
  const a = await checkpointOf(
    {},
    {
      step: 1,
      loss: 0.5,
      metrics: { f1: 0, old: 1 },
      config: { a: { b: 1, c: [1] } },
      optimizer: state(0.1),
    },
  )
  const b = await checkpointOf(
    {},
    {
      step: 2,
      metrics: { f1: -0, fresh: 2 },
      config: { a: { b: 2, c: [1] } },
      optimizer: state(0.2),
    },
  )
  const found = await diffCheckpoints(a, b)
  t.false(found.equal)
  t.deepEqual(found.progress, [
    { path: 'step', before: 1, after: 2 },
    { path: 'loss', before: 0.5, after: null },
    { path: 'metrics.f1', before: 0, after: -0 },
    { path: 'metrics.old', before: 1, after: undefined },
    { path: 'metrics.fresh', before: undefined, after: 2 },
  ])
  t.deepEqual(found.config, [{ path: 'a.b', before: 1, after: 2 }])
  t.deepEqual(found.states[0]?.attributes, [
    { path: 'groups[0].lr', before: 0.1, after: 0.2 },
    { path: 'groups[0].betas', before: [0.9, 0.1], after: [0.9, 0.2] },
  ])
})

test('a save of the same training at another time is equal', async (t) => {
  const a = await checkpointOf({}, { savedAt: 1, sequence: 1 })
  const b = await checkpointOf({}, { savedAt: 2, sequence: 2 })
  const { equal, save } = await diffCheckpoints(a, b)
  t.true(equal)
  t.deepEqual(
    save.map(({ path }) => path),
    ['sequence', 'savedAt'],
  )
})

test('states and tensors that one side lacks are added or removed', async (t) => {
  const two = { ...one(Float32Array.of(1)), x: { shape: [], data: Int8Array.of(1) } }
  const a = await checkpointOf(two, { optimizer: one(Float32Array.of(1)) })
  const b = await checkpointOf(one(Float32Array.of(1)), {
    extras: { ema: { stateDict: () => two } },
  })
  const { states } = await diffCheckpoints(a, b)
  t.deepEqual(
    states.map(({ name, change, tensors, equalTensors }) => [
      name,
      change,
      tensors.map(({ name, change }) => `${change} ${name}`),
      equalTensors,
    ]),
    [
      ['model', 'changed', ['removed x'], 1],
      ['optimizer', 'removed', ['removed w'], 0],
      ['ema', 'added', ['added w', 'added x'], 0],
    ],
  )
})

test('numbers are compared across dtypes, and not across shapes', async (t) => {
  const half = await differenceOf(
    [Float32Array.of(1, 2)],
    [Uint16Array.of(0x3f80, 0x4040), 'bfloat16'],
  )
  t.is(half?.change, 'dtype')
  t.like(half?.difference, { largest: 1, mean: 0.5, differing: 1, share: 0.5 })
  const shaped = await differenceOf(
    [Float32Array.of(1, 2)],
    [Float32Array.of(1, 2), 'float32', [1, 2]],
  )
  t.like(shaped, { change: 'shape', difference: null })
})

test('what is not finite is counted, and spoils no sum', async (t) => {
  const { NaN: nan, POSITIVE_INFINITY: infinity } = Number
  const found = await differenceOf(
    [Float32Array.of(nan, nan, infinity, infinity, 3, 0)],
    [Float32Array.of(nan, 1, infinity, -infinity, 1, -0)],
  )
  t.like(found?.difference, {
    elements: 6,
    differing: 3,
    nonFinite: 2,
    largest: 2,
    mean: 0.5,
    norm: 2,
  })
})

test('integers of 64 bits differ by exactly what they do', async (t) => {
  const found = await differenceOf(
    [BigInt64Array.of(2n ** 62n + 1n, 5n)],
    [BigInt64Array.of(2n ** 62n, 5n)],
  )
  t.like(found?.difference, { differing: 1, largest: 1, mean: 0.5 })
})

test('a complex number differs by the modulus', async (t) => {
  const found = await differenceOf(
    [Float32Array.of(0, 0, 1, 1), 'complex64', [2]],
    [Float32Array.of(3, 4, 1, 1), 'complex64', [2]],
  )
  t.like(found?.difference, { elements: 2, differing: 1, largest: 5, mean: 2.5, norm: 5 })
})

test('the sums are those of a plain loop, whatever the length', async (t) => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.float(), fc.float()), { minLength: 1, maxLength: 20 }),
      fc.integer({ min: 1, max: 700 }),
      async (pairs, repeat) => {
        const a = Float32Array.from(
          { length: pairs.length * repeat },
          (_, i) => pairs[i % pairs.length]![0],
        )
        const b = Float32Array.from(
          { length: pairs.length * repeat },
          (_, i) => pairs[i % pairs.length]![1],
        )
        const found = (await differenceOf([a], [b]))?.difference ?? null
        let differing = 0
        let largest = 0
        let sum = 0
        let finite = 0
        for (const [i, x] of a.entries()) {
          const y = b[i]!
          if (x !== y && !(Number.isNaN(x) && Number.isNaN(y))) differing++
          const distance = x === y || (Number.isNaN(x) && Number.isNaN(y)) ? 0 : Math.abs(x - y)
          if (!Number.isFinite(distance)) continue
          finite++
          largest = Math.max(largest, distance)
          sum += distance
        }
        // Equal bytes are not compared.
        if (found === null) return t.is(differing, 0)
        t.is(found.differing, differing)
        t.is(found.largest, largest)
        t.is(found.nonFinite, a.length - finite)
        const mean = finite === 0 ? 0 : sum / finite
        t.true(Math.abs(found.mean - mean) <= 1e-9 * mean)
      },
    ),
    { numRuns: times(50) },
  )
})

test('the loop in WebAssembly comes to the same as the one in JavaScript', async (t) => {
  const kernel = makeKernel(2 * 4 * 5000)!
  const a = new Float32Array(kernel.memory, KERNEL_START, 5000)
  const b = new Float32Array(kernel.memory, KERNEL_START + 4 * 5000, 5000)
  for (const [i] of a.entries()) {
    a[i] = Math.sin(i) * 10 ** (i % 30)
    b[i] = i % 3 === 0 ? a[i]! : Math.cos(i) * 10 ** (i % 30)
  }
  const compare = () => {
    const [fast, slow] = [new DifferenceSums(kernel), new DifferenceSums()]
    fast.add(a, b, false)
    slow.add(a.slice(), b.slice(), false)
    const { mean, norm, baseNorm, relativeNorm, ...exact } = fast.total
    const { mean: m, norm: n, baseNorm: bn, relativeNorm: r, ...others } = slow.total
    t.deepEqual(exact, others)
    for (const [x, y] of [
      [mean, m],
      [norm, n],
      [baseNorm, bn],
      [relativeNorm, r],
    ] as const) {
      t.true(Math.abs(x - y) <= 1e-12 * Math.abs(y))
    }
    return exact
  }
  t.is(compare().nonFinite, 0)
  a.set([Number.NaN, Number.POSITIVE_INFINITY, 1, -0], 77)
  b.set([Number.NaN, 1, Number.NEGATIVE_INFINITY, 0], 77)
  t.is(compare().nonFinite, 2)
})

test.serial('where there is no WebAssembly, JavaScript compares', async (t) => {
  const { WebAssembly: kept } = globalThis
  Reflect.deleteProperty(globalThis, 'WebAssembly')
  t.teardown(() => Object.assign(globalThis, { WebAssembly: kept }))
  t.is(makeKernel(64), undefined)
  const found = await differenceOf([Float32Array.of(1, 2, 3, 4)], [Float32Array.of(1, 2, 3, 5)])
  t.like(found?.difference, { differing: 1, largest: 1, mean: 0.25 })
})

test('a long tensor is compared in pieces, and progress counts the bytes of both', async (t) => {
  const a = new Float64Array(500_001).fill(1)
  const b = a.slice()
  b[500_000] = 3
  const seen: number[] = []
  const { states } = await diffCheckpoints(await checkpointOf(one(a)), await checkpointOf(one(b)), {
    onProgress: ({ done, total }) => seen.push(done / total),
  })
  t.like(states[0]?.tensors[0]?.difference, { elements: 500_001, differing: 1, largest: 2 })
  t.true(seen.length > 2)
  t.is(seen.at(-1), 1)
})

test('tensors of equal checksums are not read, nor any without `numbers`', async (t) => {
  const data = Float32Array.from({ length: 100 }, (_, i) => i)
  const bytes = await inMemory({ stateDict: () => one(data) })
  const damaged = bytes.slice()
  flipBits(damaged, positionOf(bytes, data))
  t.true((await diffCheckpoints(await loadCheckpoint(bytes), await loadCheckpoint(damaged))).equal)
  const other = await checkpointOf(one(data.map((x) => x + 1)))
  const found = await diffCheckpoints(other, await loadCheckpoint(damaged), { numbers: false })
  t.like(found.states[0]?.tensors[0], { change: 'bytes', difference: null })
})

test('damage is an error, and no difference', async (t) => {
  const data = Float32Array.from({ length: 100 }, (_, i) => i)
  const bytes = await inMemory({ stateDict: () => one(data) })
  const other = await checkpointOf(one(data.map((x) => x + 1)))
  flipBits(bytes, positionOf(bytes, data))
  const damaged = await loadCheckpoint(bytes)
  for (const pair of [
    [damaged, other],
    [other, damaged],
  ] as const) {
    await t.throwsAsync(diffCheckpoints(...pair), { code: 'CKPT_TENSOR_CHECKSUM' })
  }
})

test('an aborted comparison rejects with the reason', async (t) => {
  const signal = AbortSignal.abort(new Error('enough'))
  const [a, b] = [
    await checkpointOf(one(Int8Array.of(1))),
    await checkpointOf(one(Int8Array.of(2))),
  ]
  await t.throwsAsync(diffCheckpoints(a, b, { signal }), { message: 'enough' })
  await t.throwsAsync(diffCheckpoints(a, b, { sinal: signal } as object), { instanceOf: TypeError })
})
