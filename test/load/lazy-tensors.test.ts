import test from 'ava'
import { decode } from '../../src/format/decode.js'
import { checkRules } from '../../src/format/rules.js'
import { LazyTensors } from '../../src/load/lazy-tensors.js'
import { CheckpointTensor } from '../../src/load/state.js'
import { modelContent, seal } from '../support/format/contents.js'

function lazyTensors(names: readonly string[]) {
  const content = modelContent(names.map((name) => ({ name, dtype: 'int8', shape: [2] })))
  const metadata = decode(seal(content))
  checkRules(metadata)
  const made: string[] = []
  const tensors = new LazyTensors(metadata.model, (state, tensor) => {
    made.push(`${state} ${tensor.name}`)
    return new CheckpointTensor(tensor, () => {
      throw new Error('not to be read here')
    })
  })
  return { tensors, made }
}

test('no tensor is made before it is asked for', (t) => {
  const { tensors, made } = lazyTensors(['a', 'b', 'c'])
  t.is(tensors.size, 3)
  t.true(tensors.has('b'))
  t.false(tensors.has('d'))
  t.deepEqual([...tensors.keys()], ['a', 'b', 'c'])
  t.is(tensors.get('d'), undefined)
  t.deepEqual(made, [])
})

test('a tensor is the same one however it is come by', (t) => {
  const { tensors, made } = lazyTensors(['a', 'b', 'c'])
  const b = tensors.get('b')
  t.is(b?.name, 'b')
  t.is(tensors.get('b'), b)
  t.is(new Map(tensors.entries()).get('b'), b)
  t.deepEqual(made, ['model b', 'model a', 'model c'])
  t.deepEqual(
    [...tensors.entries()].map(([name]) => name),
    ['a', 'b', 'c'],
  )
})
