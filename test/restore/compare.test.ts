import test from 'ava'
import { CheckpointError } from '../../src/errors.js'
import { loadCheckpoint } from '../../src/load/load.js'
import {
  compareState,
  comparisonLines,
  mergeComparisons,
  StateMismatchError,
} from '../../src/restore/compare.js'
import { collectState } from '../../src/save/collect.js'
import { memoryState, type Tensors } from '../support/memory-state.js'
import { inMemory } from '../support/saved.js'

/** Compares a model that was saved with one that is there. */
async function compare(saved: Tensors, here: Tensors, createsTensors = false) {
  await using checkpoint = await loadCheckpoint(await inMemory(memoryState(saved)))
  const collected = await collectState(memoryState(here), 'model')
  return compareState(checkpoint.model, collected, createsTensors)
}

const NOTHING = { missing: [], unexpected: [], mismatched: [], missingStates: [] }
const key = (tensor: string) => ({ state: 'model', tensor })
const matrix = (rows: number, columns: number) => ({
  shape: [rows, columns],
  data: new Float32Array(rows * columns),
})

test('states with the same names, dtypes and shapes fit, in whatever order', async (t) => {
  const a = matrix(2, 3)
  const b = new Int8Array(4)
  t.deepEqual(await compare({ a, b }, { b, a }), NOTHING)
  t.deepEqual(await compare({}, {}), NOTHING)
})

test('what only one of them has is missing or unexpected, each in its order', async (t) => {
  const a = matrix(1, 1)
  const found = await compare({ x: a, both: a, y: a }, { p: a, both: a, q: a })
  t.deepEqual(found, {
    ...NOTHING,
    missing: [key('p'), key('q')],
    unexpected: [key('x'), key('y')],
  })
})

test('an object that creates tensors gets tensors that do not exist yet, but still misses those that are not saved', async (t) => {
  const a = matrix(1, 1)
  t.deepEqual(await compare({ x: a, both: a }, { both: a, q: a }, true), {
    ...NOTHING,
    missing: [key('q')],
  })
})

test('another dtype or shape is a mismatch that says both', async (t) => {
  const saved = { a: matrix(2, 3), b: new Float32Array(1), c: matrix(1, 2), d: new Float32Array(4) }
  const here = {
    // As many elements, in another arrangement.
    a: matrix(3, 2),
    b: { shape: [], data: new Float32Array(1) },
    c: matrix(1, 2),
    // As many bytes, of another kind.
    d: new Int32Array(4),
  }
  t.deepEqual((await compare(saved, here)).mismatched, [
    { ...key('a'), expected: 'float32 [3, 2]', actual: 'float32 [2, 3]' },
    { ...key('b'), expected: 'float32 []', actual: 'float32 [1]' },
    { ...key('d'), expected: 'int32 [4]', actual: 'float32 [4]' },
  ])
})

test('names that are properties of every object are names like any other', async (t) => {
  const a = matrix(1, 1)
  t.deepEqual(await compare({ a }, { constructor: a, toString: a } as unknown as Tensors), {
    ...NOTHING,
    missing: [key('constructor'), key('toString')],
    unexpected: [key('a')],
  })
})

test('comparisons of several states are put together in order, a line for each key', async (t) => {
  const a = matrix(1, 1)
  const all = mergeComparisons([
    await compare({ x: a, m: a }, { p: a, m: matrix(1, 2) }),
    { ...NOTHING, missingStates: ['ema\u001b'] },
    await compare({ 'y\n': a }, {}),
  ])
  t.deepEqual(comparisonLines(all), [
    'missing from the checkpoint: all of "ema\\u{1b}"',
    'missing from the checkpoint: model: "p"',
    'unexpected in the checkpoint: model: "x"',
    'unexpected in the checkpoint: model: "y\\u{a}"',
    'mismatched: model: "m" is float32 [1, 2] here and float32 [1, 1] in the checkpoint',
  ])
  t.deepEqual(comparisonLines(mergeComparisons([])), [])
})

test('the error carries the comparison', (t) => {
  const comparison = { ...NOTHING, missing: [key('p')], missingStates: ['ema'] }
  const error = new StateMismatchError('does not fit', comparison)
  t.true(error instanceof CheckpointError)
  t.is(error.code, 'CKPT_STATE_MISMATCH')
  t.like(error, comparison)
})
