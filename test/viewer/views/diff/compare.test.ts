import test from 'ava'
import { loadCheckpoint, MemorySink, saveCheckpoint } from '../../../../src/browser.js'
import { diffCheckpoints } from '../../../../src/diff/diff.js'
import type { Difference } from '../../../../src/diff/difference.js'
import type { StateDict } from '../../../../src/state.js'
import { openFile } from '../../../../viewer/src/compute/open-file.js'
import { compareFacts, layersOf } from '../../../../viewer/src/views/diff/compare.js'
import { limitOf, requestOf } from '../../../../viewer/src/views/diff/grid-of.js'

async function saved(model: StateDict, options: object, attributes?: object) {
  const sink = new MemorySink()
  const optimizer = attributes && { stateDict: () => ({ tensors: {}, attributes, kind: 'Adam' }) }
  await saveCheckpoint(sink, { stateDict: () => model }, optimizer as never, options)
  const file = { id: 'a', name: 'a.ckpt', from: new Blob([sink.bytes.slice()]) }
  const opened = await openFile(file)
  return { checkpoint: await loadCheckpoint(sink.bytes), facts: await opened.facts() }
}

const vector = (...data: number[]) => ({ data: Float32Array.from(data), shape: [data.length] })

test('two files are compared by their metadata, as by ckpt diff', async (t) => {
  const before = await saved(
    { a: vector(1, 2), same: vector(3), gone: vector(4), wide: vector(5) },
    { step: 1, loss: 2, config: { lr: 0.1, size: 3 } },
    { lr: 0.1 },
  )
  const after = await saved(
    { a: vector(1, 3), same: vector(3), wide: vector(5, 6), added: vector(7) },
    { step: 2, loss: 2, config: { lr: 0.2, size: 3 } },
    { lr: 0.2 },
  )
  const { progress, config, states } = compareFacts(before.facts, after.facts)
  const expected = await diffCheckpoints(before.checkpoint, after.checkpoint)
  t.deepEqual(progress, expected.progress)
  t.deepEqual(config, expected.config)
  const [model, optimizer] = states
  t.deepEqual(
    model!.pairs.map((pair) => pair.before.name),
    ['a'],
  )
  t.is(model!.equal, 1)
  t.deepEqual(
    model!.mismatches.map(({ name, before, after }) => [name, before?.shape, after?.shape]),
    [
      ['gone', [1], undefined],
      ['wide', [1], [2]],
      ['added', undefined, [1]],
    ],
  )
  t.deepEqual(optimizer!.values, expected.states[1]!.attributes)
})

test('a state of one side only is said to be added or removed', async (t) => {
  const without = (await saved({ a: vector(1) }, {})).facts
  const having = (await saved({ a: vector(1) }, {}, { lr: 1 })).facts
  t.like(compareFacts(without, having).states[1], { name: 'optimizer', change: 'added' })
  t.like(compareFacts(having, without).states[1], { name: 'optimizer', change: 'removed' })
  t.like(compareFacts(having, having).states[1], { change: 'both', values: [], equal: 0 })
})

test('layers are sorted by their relative change; NaN comes first, what is not known last', async (t) => {
  const model = (x: number) => ({
    'a.w': vector(x),
    'a.b': vector(x),
    'b.w': vector(x),
    'c.w': vector(x),
    'd.w': vector(x),
  })
  const [before, after] = [await saved(model(1), {}), await saved(model(2), {})]
  const { pairs } = compareFacts(before.facts, after.facts).states[0]!
  const difference = (norm: number, nonFinite = 0) =>
    ({
      elements: 1,
      differing: 1,
      nonFinite,
      largest: norm,
      mean: norm,
      norm,
      baseNorm: 1,
      relativeNorm: norm,
    }) as Difference
  const rows = layersOf(
    pairs,
    new Map([
      ['a.w', difference(0.1)],
      ['a.b', difference(0.5)],
      ['b.w', difference(9)],
      ['c.w', difference(0, 1)],
    ]),
  )
  t.deepEqual(
    rows.map(({ name }) => name),
    ['c.w', 'b.w', 'a', 'd.w'],
  )
  t.deepEqual(
    rows[2]!.tensors.map((pair) => pair.before.name),
    ['a.b', 'a.w'],
  )
  // The norm of both tensors together.
  const together = Math.sqrt((0.01 + 0.25) / 2)
  t.true(Math.abs(rows[2]!.difference!.relativeNorm - together) < 1e-12)
})

test('a picture shows the last two axes, and a vector in rows', (t) => {
  t.like(requestOf([3, 4, 5]).plane, { start: 0, rows: 4, columns: 5, rowStep: 5, columnStep: 1 })
  t.like(requestOf([]).plane, { rows: 1 })
  const { plane } = requestOf([1000])
  t.true(plane.rows * plane.columns >= 1000 && (plane.rows - 1) * plane.columns < 1000)
})

test('one outlier does not take the colours from the others', (t) => {
  const values = Float64Array.from({ length: 1000 }, (_, i) => (i === 7 ? 1e9 : (i % 10) - 5))
  t.is(limitOf({ values }), 5)
  t.is(limitOf({ values: Float64Array.of(Number.NaN, Number.POSITIVE_INFINITY) }), 0)
  t.is(limitOf({ values: Float64Array.of(0, 0, 3) }), 3)
})
