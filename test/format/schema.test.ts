import test from 'ava'
import { fieldOf, schema } from '../../src/format/schema.js'

test('the schema is that of checkpoints', (t) => {
  t.is(schema.identifier, 'LWCK')
  t.is(schema.root, 'Checkpoint')
})

test('a field is found by its table and its name', (t) => {
  t.is(fieldOf('Checkpoint', 'version').slot, 4)
  t.is(fieldOf('Tensor', 'data').slot, 16)
})

test('a field that the schema does not have is an error of the library', (t) => {
  t.throws(() => fieldOf('Tensor', 'stride'), { message: 'the schema has no field Tensor.stride' })
  t.throws(() => fieldOf('Layer', 'name'), { message: 'the schema has no field Layer.name' })
})

test('only the data of a tensor lies outside the metadata', (t) => {
  const segments = Object.entries(schema.tables).flatMap(([table, fields]) =>
    fields
      .filter(({ type }) => type.base === 'vector' && type.segment)
      .map(({ name }) => `${table}.${name}`),
  )
  t.deepEqual(segments, ['Tensor.data'])
})
