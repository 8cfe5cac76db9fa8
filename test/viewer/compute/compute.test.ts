import test from 'ava'
import { loadCheckpoint, MemorySink, saveCheckpoint } from '../../../src/browser.js'
import { diffCheckpoints } from '../../../src/diff/diff.js'
import { convertCheckpoint } from '../../../src/exchange/convert-checkpoint.js'
import { Compute } from '../../../viewer/src/compute/compute.js'
import type { FileFacts, TensorFacts, ViewedFile } from '../../../viewer/src/compute/facts.js'
import { type PackedTensors, unpackTensors } from '../../../viewer/src/compute/packed-facts.js'
import { type KeptResults, Results } from '../../../viewer/src/compute/results.js'
import { type Computing, ways } from '../../support/viewer/ways.js'

interface Saved {
  readonly file: ViewedFile
  readonly bytes: Uint8Array<ArrayBuffer>
}

async function saved(
  here: Computing,
  step: number,
  weights: Record<string, Float32Array>,
): Promise<Saved> {
  const sink = new MemorySink()
  const stateDict = () =>
    Object.fromEntries(
      Object.entries(weights).map(([name, data]) => [name, { data, shape: [data.length] }]),
    )
  await saveCheckpoint(sink, { stateDict }, null, { step, loss: 1 / step, epoch: 0 })
  const bytes = sink.bytes.slice()
  return { file: await here.fileOf(`step-${step}.ckpt`, bytes), bytes }
}

async function factsOf(compute: Compute, file: ViewedFile): Promise<FileFacts> {
  let found: FileFacts | undefined
  await compute.facts([file], (_, { value, error }) => {
    if (error !== undefined) throw new Error(error.message)
    found = value
  })
  return found!
}

const wave = (length: number, at: number) =>
  Float32Array.from({ length }, (_, i) => Math.sin(i + at))

for (const way of ways) {
  test(`${way.name}: the facts of a file come from a worker, and statistics follow from them`, async (t) => {
    const here = await way.begin(t)
    const pool = here.pool()
    const compute = new Compute(pool, new Results())
    const { file } = await saved(here, 10, {
      a: wave(1000, 0),
      b: Float32Array.of(1, -2, Number.NaN),
    })
    const facts = await factsOf(compute, file)
    t.is(facts.step, 10)
    t.is(facts.loss, 0.1)
    const [model] = facts.states
    t.deepEqual(
      model!.tensors.map(({ name }) => name),
      ['a', 'b'],
    )
    const found = new Map<string, unknown>()
    await compute.statistics(file, model!.tensors, ({ name }, { value }) => {
      found.set(name, value)
    })
    t.like(found.get('b'), { elements: 3, nan: 1, min: -2, max: 1, mean: -0.5 })
    t.like(found.get('a'), { elements: 1000, nan: 0 })
    t.like(compute.knownStatistics(file, model!.tensors[1]!), { nan: 1 })
    pool.close()
  })

  test(`${way.name}: what is known of a checksum is not asked of a worker again, in any file`, async (t) => {
    const here = await way.begin(t)
    const posted: { job: { tensors: PackedTensors } }[] = []
    const pool = here.pool(2, posted)
    const compute = new Compute(pool, new Results())
    const weights = { frozen: wave(500, 1), moving: wave(500, 2) }
    const [first, second] = [
      await saved(here, 1, weights),
      await saved(here, 2, { ...weights, moving: wave(500, 3) }),
    ]
    const before = await factsOf(compute, first.file)
    const after = await factsOf(compute, second.file)
    await compute.statistics(first.file, before.states[0]!.tensors, () => {})
    posted.length = 0
    const asked: TensorFacts[] = []
    await compute.statistics(second.file, after.states[0]!.tensors, () => {})
    for (const { job } of posted) asked.push(...unpackTensors(job.tensors))
    t.deepEqual(
      asked.map(({ name }) => name),
      ['moving'],
    )
    pool.close()
  })

  test(`${way.name}: results that are kept are there for the next page, without a look at the file`, async (t) => {
    const here = await way.begin(t)
    const kept = new Map<string, unknown>()
    const database: KeptResults = {
      get: async (keys) =>
        new Map(keys.filter((key) => kept.has(key)).map((key) => [key, kept.get(key)])),
      put: async (entries) => {
        for (const [key, value] of entries) kept.set(key, structuredClone(value))
      },
    }
    const { file } = await saved(here, 1, { w: wave(100, 0) })
    const results = new Results(database)
    const pool = here.pool()
    const facts = await factsOf(new Compute(pool, results), file)
    const tensors = facts.states[0]!.tensors
    const found: unknown[] = []
    await new Compute(pool, results).statistics(file, tensors, (_, { value }) => found.push(value))
    await results.flush()

    const posted: unknown[] = []
    const next = here.pool(2, posted)
    await new Compute(next, new Results(database)).statistics(file, tensors, (_, { value }) =>
      found.push(value),
    )
    t.deepEqual(found[0], found[1])
    t.is(found.length, 2)
    t.deepEqual(posted, [])
    pool.close()
    next.close()
  })

  test(`${way.name}: differences of a run are those of ckpt diff, and equal checksums are told without a read`, async (t) => {
    const here = await way.begin(t)
    const pool = here.pool()
    const compute = new Compute(pool, new Results())
    const frozen = wave(300, 9)
    const run = await Promise.all(
      [1, 2, 3, 4, 5].map((step) => saved(here, step, { frozen, moving: wave(5_000, step / 100) })),
    )
    const facts = await Promise.all(run.map(({ file }) => factsOf(compute, file)))
    const pairs = run.slice(1).map(({ file }, i) => ({
      before: run[i]!.file,
      after: file,
      tensors: facts[i]!.states[0]!.tensors.map((before, k) => ({
        before,
        after: facts[i + 1]!.states[0]!.tensors[k]!,
      })),
    }))
    const found = new Map<string, unknown>()
    await compute.differences(pairs, (at, { value }) => {
      found.set(at.join(), value)
    })
    t.is(found.size, 8)
    for (const [i, { bytes }] of run.slice(1).entries()) {
      t.is(found.get(`${i},0`), null)
      const { states } = await diffCheckpoints(
        await loadCheckpoint(run[i]!.bytes),
        await loadCheckpoint(bytes),
      )
      t.deepEqual(found.get(`${i},1`), states[0]!.tensors[0]!.difference)
    }
    pool.close()
  })

  test(`${way.name}: damage is the result of its tensor alone, and it is not kept`, async (t) => {
    const here = await way.begin(t)
    const pool = here.pool()
    const compute = new Compute(pool, new Results())
    const { bytes, file } = await saved(here, 1, { a: wave(100, 0), b: wave(100, 1) })
    const { tensors } = (await factsOf(compute, file)).states[0]!
    const damaged = bytes.slice()
    damaged[tensors[0]!.segment!.offset + 7]! ^= 1
    const bad = await here.fileOf('bad.ckpt', damaged)
    const outcomes = new Map<string, string>()
    const note = ({ name }: TensorFacts, { error }: { error?: { code?: string } | undefined }) => {
      outcomes.set(name, error?.code ?? 'valid')
    }
    await compute.statistics(bad, tensors, note)
    t.deepEqual([...outcomes].sort(), [
      ['a', 'CKPT_TENSOR_CHECKSUM'],
      ['b', 'valid'],
    ])
    await compute.statistics(file, tensors, note)
    t.is(outcomes.get('a'), 'valid')
    pool.close()
  })

  test(`${way.name}: a file that is no checkpoint is an outcome of its own`, async (t) => {
    const here = await way.begin(t)
    const pool = here.pool()
    const compute = new Compute(pool, new Results())
    const { file } = await saved(here, 3, { w: wave(3, 0) })
    const outcomes: (string | undefined)[] = []
    await compute.facts(
      [await here.fileOf('text.ckpt', new Uint8Array(500)), file],
      (i, { value, error }) => {
        outcomes[i] = error?.code ?? `step ${value!.step}`
      },
    )
    t.deepEqual(outcomes, ['CKPT_NOT_A_CHECKPOINT', 'step 3'])
    pool.close()
  })

  test(`${way.name}: the facts of a run are kept by the versions of its files, and those of one file are not`, async (t) => {
    const here = await way.begin(t)
    const kept = new Map<string, unknown>()
    const database: KeptResults = {
      get: async (keys) =>
        new Map(keys.filter((key) => kept.has(key)).map((k) => [k, kept.get(k)])),
      put: async (entries) => {
        for (const [key, value] of entries) kept.set(key, structuredClone(value))
      },
    }
    const run = await Promise.all([1, 2, 3].map((step) => saved(here, step, { w: wave(10, step) })))
    const files = run.map(({ file }, i) => ({ version: `v${i}`, ...file }))
    const read = async (
      some: readonly ViewedFile[],
    ): Promise<[steps: unknown[], asked: number]> => {
      const posted: unknown[] = []
      const pool = here.pool(1, posted)
      const results = new Results(database)
      const steps: unknown[] = []
      await new Compute(pool, results).facts(some, (i, { value }) => {
        steps[i] = value!.step
      })
      await results.flush()
      pool.close()
      return [steps, posted.length]
    }
    t.deepEqual(await read(files.slice(0, 1)), [[1], 1])
    t.is(kept.size, 0)
    t.deepEqual(await read(files), [[1, 2, 3], 1])
    t.deepEqual(await read(files), [[1, 2, 3], 0])
    const other = await saved(here, 3, { w: wave(10, 4) })
    t.deepEqual(await read([...files.slice(0, 2), { version: 'other', ...other.file }]), [
      [1, 2, 3],
      1,
    ])
  })

  test(`${way.name}: files of other formats have statistics too; they have no checksums`, async (t) => {
    const here = await way.begin(t)
    const pool = here.pool()
    const compute = new Compute(pool, new Results())
    const { bytes } = await saved(here, 1, { w: Float32Array.of(3, 4) })
    const sink = new MemorySink()
    await convertCheckpoint(bytes, sink, { to: 'safetensors' } as never)
    const file = await here.fileOf('w.safetensors', sink.bytes.slice())
    const facts = await factsOf(compute, file)
    t.is(facts.format, 'safetensors')
    const found: unknown[] = []
    const { tensors } = facts.states[0]!
    await compute.statistics(file, tensors, (_, { value }) => found.push(value))
    t.like(found[0], { norm: 5, elements: 2 })
    t.is(tensors[0]!.segment, null)
    pool.close()
  })

  test(`${way.name}: work that is no longer wanted ends with the reason of its signal, and the worker goes on`, async (t) => {
    const here = await way.begin(t)
    const pool = here.pool(1)
    const compute = new Compute(pool, new Results())
    const { file } = await saved(here, 1, { a: wave(500_000, 0), b: wave(500_000, 1) })
    const { tensors } = (await factsOf(compute, file)).states[0]!
    const controller = new AbortController()
    const aborted = compute.statistics(file, tensors, () => t.fail(), { signal: controller.signal })
    controller.abort(new Error('another view'))
    await t.throwsAsync(aborted, { message: 'another view' })
    const found: unknown[] = []
    await compute.statistics(file, tensors, (_, { value }) => found.push(value))
    t.is(found.length, 2)
    pool.close()
  })
}

test('both ways give equal results, bit for bit', async (t) => {
  const { NaN: nan, POSITIVE_INFINITY: infinite } = Number
  const tensorsOf = (by: number) => ({
    tensors: {
      floats: { shape: [5001], data: wave(5001, by) },
      odd: { shape: [5], data: Float32Array.of(nan, infinite, -infinite, -0, 1e-45 * by) },
      zeros: { shape: [2], data: Float32Array.of(-0, -0) },
      none: { shape: [0], data: new Float32Array(0) },
      doubles: { shape: [3], data: Float64Array.of(1e300, -1e-300, by) },
      longs: { shape: [2], data: BigInt64Array.of(2n ** 62n, -BigInt(by)) },
      halves: { shape: [4], dtype: 'bfloat16', data: Uint16Array.of(1, 0x8000, 0x7fc0, by) },
    } as const,
    attributes: { big: 2n ** 63n, small: -0, missing: nan, $: 'number', of: [{ $: null }] },
  })
  const bytesOf = async (by: number): Promise<Uint8Array<ArrayBuffer>> => {
    const sink = new MemorySink()
    await saveCheckpoint(sink, { stateDict: () => tensorsOf(by) }, null, { metrics: { a: nan } })
    return sink.bytes.slice()
  }
  const [first, second] = [await bytesOf(1), await bytesOf(2)]
  const results: unknown[] = []
  for (const way of ways) {
    const here = await way.begin(t)
    const pool = here.pool()
    const compute = new Compute(pool, new Results())
    const [before, after] = [
      await here.fileOf('1.ckpt', first),
      await here.fileOf('2.ckpt', second),
    ]
    const facts = [await factsOf(compute, before), await factsOf(compute, after)] as const
    const [left, right] = facts.map(({ states }) => states[0]!.tensors) as [
      readonly TensorFacts[],
      readonly TensorFacts[],
    ]
    const found: Record<string, unknown> = { facts }
    await compute.statistics(before, left, ({ name }, outcome) => {
      found[name] = outcome
    })
    const tensors = left.map((tensor, k) => ({ before: tensor, after: right[k]! }))
    await compute.differences([{ before, after, tensors }], (at, outcome) => {
      found[at.join()] = outcome
    })
    const [floats, odd] = left as [TensorFacts, TensorFacts]
    const plane = { start: 0, rows: 3, columns: 1667, rowStep: 1667, columnStep: 1 }
    const region = { row: 0, column: 0, rows: 3, columns: 1667 }
    found.picture = await compute.picture(before, floats, { plane, region, width: 90, height: 3 })
    found.extremes = await compute.extremes(before, odd)
    await compute.faults(before, (part) => {
      found.faults = part
    })
    results.push(found)
    pool.close()
  }
  t.deepEqual(results[0], results[1])
})
