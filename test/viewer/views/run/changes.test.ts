import test from 'ava'
import type { Difference } from '../../../../src/diff/difference.js'
import type { FileFacts, TensorFacts } from '../../../../viewer/src/compute/facts.js'
import {
  ordered,
  RunChanges,
  type RunFile,
  rowOf,
} from '../../../../viewer/src/views/run/changes.js'
import { findingsOf } from '../../../../viewer/src/views/run/findings.js'
import { moved } from '../../../../viewer/src/views/run/place.js'
import { median, summariesOf } from '../../../../viewer/src/views/run/summary.js'

/** A checkpoint whose tensors have these checksums. */
function fileOf(
  step: number,
  crcs: Record<string, number>,
  more: Partial<FileFacts> = {},
): RunFile {
  const tensors = Object.entries(crcs).map(
    ([name, crc32], i): TensorFacts => ({
      state: 'model',
      name,
      dtype: 'float32',
      shape: [2],
      byteLength: 8,
      segment: { offset: i * 64, crc32 },
    }),
  )
  const name = `step-${step}.ckpt`
  const facts: FileFacts = {
    format: 'ckpt',
    epoch: 0,
    step,
    loss: 1,
    metrics: {},
    config: null,
    sequence: null,
    savedAt: null,
    byteLength: 100,
    metadataLength: 50,
    states: [{ name: 'model', kind: null, attributes: {}, tensors }],
    ...more,
  }
  return { file: { id: name, name, from: 'https://example.org/' }, facts }
}

const difference = (norm: number, baseNorm: number, nonFinite = 0): Difference => ({
  elements: 2,
  differing: 2,
  share: 1,
  nonFinite,
  largest: norm,
  mean: norm,
  norm,
  baseNorm,
  relativeNorm: norm / baseNorm,
})

test('a run is in the order of its saves, whatever its files are called', (t) => {
  const files = [fileOf(30, {}), fileOf(10, {}), fileOf(20, {})]
  t.deepEqual(
    ordered(files).map(({ facts }) => facts.step),
    [10, 20, 30],
  )
  const backwards = [fileOf(30, {}, { sequence: 0 }), fileOf(10, {}, { sequence: 1 })]
  t.deepEqual(
    ordered(backwards).map(({ facts }) => facts.step),
    [30, 10],
  )
})

test('a tensor is in the row of its layer or block', (t) => {
  t.is(rowOf('h.0.attn.c_attn.weight', 'tensors'), 'h.0.attn.c_attn.weight')
  t.is(rowOf('h.0.attn.c_attn.weight', 'layers'), 'h.0.attn.c_attn')
  t.is(rowOf('h.0.attn.c_attn.weight', 'blocks'), 'h.0')
  t.is(rowOf('h.10.attn.weight', 'blocks'), 'h.10')
  t.is(rowOf('exp_avg/h.1.w', 'blocks'), 'exp_avg/h.1')
  t.is(rowOf('dense_1/kernel', 'blocks'), 'dense_1')
  t.is(rowOf('wte.weight', 'blocks'), 'wte')
  t.is(rowOf('scale', 'layers'), 'scale')
})

test('only tensors whose checksums differ have to be compared', (t) => {
  const changes = new RunChanges(
    [
      fileOf(1, { 'a.w': 1, 'a.b': 5 }),
      fileOf(2, { 'a.w': 2, 'a.b': 5 }),
      fileOf(3, { 'a.w': 2, c: 1 }),
    ],
    'model',
  )
  t.deepEqual(
    changes
      .pairs()
      .map(({ interval, pair }) => [interval, pair.tensors.map(({ after }) => after.name)]),
    [[0, ['a.w']]],
  )
  changes.set(0, 'a.w', { value: difference(3, 4) })
  const [a, c] = changes.rows('layers')
  t.is(a!.name, 'a')
  t.like(a!.cells[0], { relative: 0.75, isEqual: false, known: 2, tensors: 2 })
  t.like(a!.cells[1], { relative: 0, isEqual: true, known: 1, absent: 1 })
  t.like(c!.cells[1], { absent: 1, known: 0 })
  t.true(Number.isNaN(c!.cells[1]!.relative))
})

test('the change of a layer is that of all its tensors together, those that rest included', (t) => {
  const changes = new RunChanges(
    [
      fileOf(1, { 'a.w': 1, 'a.b': 1 }),
      fileOf(2, { 'a.w': 2, 'a.b': 1 }),
      fileOf(3, { 'a.w': 3, 'a.b': 2 }),
    ],
    'model',
  )
  changes.set(0, 'a.w', { value: difference(1, 3) })
  changes.set(1, 'a.w', { value: difference(1, 3) })
  changes.set(1, 'a.b', { value: difference(1, 4) })
  const [a] = changes.rows('layers')
  // The norm of the bias is known from the interval in which it moves.
  t.is(a!.cells[0]!.relative, 1 / 5)
  t.is(a!.cells[1]!.relative, Math.sqrt(2) / 5)
  t.deepEqual(a!.norms.slice(0, 2), [5, 5])
  t.deepEqual(
    changes.withoutNorm(2).map(({ name }) => name),
    ['a.w', 'a.b'],
  )
  changes.setNorm(2, 'a.w', 6)
  changes.setNorm(2, 'a.b', 8)
  t.is(changes.rows('layers')[0]!.norms[2], 10)
})

/** A run of two layers, of which the second has these relative changes. */
function runOf(moves: readonly (number | 'equal' | 'nan')[]) {
  const files = [...moves, 0].map((_, i) => {
    const rests = moves.slice(0, i).filter((move) => move === 'equal').length
    return fileOf(100 * (i + 1), { 'calm.w': i, 'wild.w': i - rests })
  })
  const changes = new RunChanges(files, 'model')
  for (const [i, move] of moves.entries()) {
    changes.set(i, 'calm.w', { value: difference(0.001, 1) })
    if (move === 'nan') changes.set(i, 'wild.w', { value: difference(0, 1, 7) })
    else if (move !== 'equal') changes.set(i, 'wild.w', { value: difference(move, 1) })
  }
  return { files, rows: changes.rows('layers') }
}

const texts = ({ files, rows }: ReturnType<typeof runOf>) =>
  findingsOf(files, rows).map(({ kind, row, interval }) => [kind, row, interval])

test('a calm run has no findings', (t) => {
  t.deepEqual(texts(runOf([0.002, 0.001, 0.002, 0.001, 0.001])), [])
})

test('a layer that blows up is named, with the interval', (t) => {
  t.deepEqual(texts(runOf([0.001, 0.001, 0.001, 0.5, 2])), [['bad', 'wild.w', 3]])
})

test('the first NaN is named, and what it does to the loss', (t) => {
  const run = runOf([0.001, 0.001, 'nan', 0.001])
  t.deepEqual(texts(run), [['bad', 'wild.w', 2]])
  const files = run.files.map((file, i) =>
    i < 3 ? file : { ...file, facts: { ...file.facts, loss: Number.NaN } },
  )
  t.regex(findingsOf(files, run.rows)[0]!.text, /loss is NaN at step 400/)
})

test('a layer that rests is named, and one that never moved', (t) => {
  t.deepEqual(texts(runOf([0.001, 0.001, 0.001, 'equal', 'equal', 'equal'])), [
    ['warn', 'wild.w', 3],
  ])
  t.deepEqual(texts(runOf(['equal', 'equal', 'equal', 'equal'])), [['warn', 'wild.w', undefined]])
})

test('a layer over the run is summed up', (t) => {
  const [, wild] = summariesOf(runOf([0.001, 0.003, 'equal', 0.002]).rows)
  t.like(wild, { name: 'wild.w', last: 0.002, largest: 0.003, at: 1, unchanged: 1, broken: 0 })
  t.is(median([3, 1, 2]), 2)
  t.true(Number.isNaN(median([])))
})

test('the arrow keys move through the picture and stop at its edges', (t) => {
  const from = { row: 0, interval: 4 }
  t.deepEqual(moved(from, 'ArrowDown', 3, 5), { row: 1, interval: 4 })
  t.deepEqual(moved(from, 'ArrowUp', 3, 5), from)
  t.deepEqual(moved(from, 'ArrowRight', 3, 5), from)
  t.deepEqual(moved(from, 'Home', 3, 5), { row: 0, interval: 0 })
  t.is(moved(from, 'a', 3, 5), undefined)
})
