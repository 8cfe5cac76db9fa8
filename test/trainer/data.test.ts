import test from 'ava'
import { batchOf, gaussianMixture, split } from '../support/trainer/data.js'
import { Rng } from '../support/trainer/rng.js'

const OPTIONS = { length: 60, width: 3, classes: 4 }

test('the same seed draws the same data set, and another seed another', (t) => {
  t.deepEqual(gaussianMixture(OPTIONS, new Rng(1)), gaussianMixture(OPTIONS, new Rng(1)))
  t.notDeepEqual(gaussianMixture(OPTIONS, new Rng(1)), gaussianMixture(OPTIONS, new Rng(2)))
})

test('every class has as many samples', (t) => {
  const { labels } = gaussianMixture(OPTIONS, new Rng(1))
  for (let label = 0; label < 4; label++) {
    t.is(labels.filter((other) => other === label).length, 15)
  }
})

test('a split is the samples before and after, over the same memory', (t) => {
  const data = gaussianMixture(OPTIONS, new Rng(1))
  const [first, rest] = split(data, 45)
  t.deepEqual([first.length, rest.length], [45, 15])
  t.deepEqual([...first.inputs, ...rest.inputs], [...data.inputs])
  t.deepEqual([...first.labels, ...rest.labels], [...data.labels])
  t.is(rest.inputs.buffer, data.inputs.buffer)
})

test('a batch has the rows and labels of its indices, in their order', (t) => {
  const data = gaussianMixture(OPTIONS, new Rng(1))
  const { inputs, labels } = batchOf(data, Uint32Array.of(5, 0))
  t.deepEqual(inputs.shape, [2, 3])
  t.deepEqual([...inputs.data], [...data.inputs.slice(15, 18), ...data.inputs.slice(0, 3)])
  t.deepEqual([...labels], [data.labels[5]!, data.labels[0]!])
})
