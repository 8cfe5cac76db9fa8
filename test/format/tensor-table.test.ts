import test from 'ava'
import { Tensor } from '../../generated/lightwatch/format/tensor.js'
import { CheckpointError } from '../../src/errors.js'
import { decode } from '../../src/format/decode.js'
import { checkRules } from '../../src/format/rules.js'
import type { TensorTable } from '../../src/format/tensor-table.js'
import { modelContent, seal, type TensorSpec } from '../support/format/contents.js'
import { forge, state, tensor } from '../support/hostile/forge.js'

function tableOf(tensors: readonly TensorSpec[]): TensorTable {
  return decode(seal(modelContent(tensors))).model.tensors
}

test('a record is made once, and all of them come in the order of the file', (t) => {
  const tensors = tableOf([
    { name: 'b', dtype: 'float32', shape: [2, 3] },
    { name: 'a', dtype: 'bool', shape: [] },
  ])
  t.is(tensors.length, 2)
  t.is(tensors.at(1), tensors.at(1))
  t.deepEqual([...tensors], [tensors.at(0), tensors.at(1)])
  t.like(tensors.at(0), { name: 'b', dtype: 'float32', shape: [2, 3], byteLength: 24 })
  t.like(tensors.at(1), { name: 'a', dtype: 'bool', shape: [], byteLength: 1 })
})

test('each table is read by its own set of fields, and what is absent has its default', (t) => {
  const numbers = { dtype: 20, shape: [2], offset: 64, byteLength: 2, crc32: 7 }
  const metadata = forge((b) => {
    const all = tensor(b, { name: 'all', ...numbers })
    const noData = tensor(b, { name: 'no data', ...numbers }, false)
    const shape = Tensor.createShapeVector(b, [])
    const name = b.createString('the least')
    Tensor.startTensor(b)
    Tensor.addShape(b, shape)
    Tensor.addName(b, name)
    Tensor.addDtype(b, 20)
    const least = Tensor.endTensor(b)
    const again = tensor(b, { name: 'all again', ...numbers })
    return { model: state(b, 'model', [all, noData, least, again]) }
  })
  const [all, noData, least, again] = decode(metadata).model.tensors
  const shared = { dtype: 'uint8', shape: [2], offset: 64, byteLength: 2, crc32: 7 } as const
  t.like(all, { name: 'all', ...shared })
  t.not(all!.vectorOffset, null)
  t.deepEqual(noData, { name: 'no data', ...shared, vectorOffset: null })
  t.deepEqual(least, {
    name: 'the least',
    dtype: 'uint8',
    shape: [],
    offset: 0,
    byteLength: 0,
    crc32: 0,
    vectorOffset: null,
  })
  t.like(again, { name: 'all again', ...shared })
})

test('a tensor without a dtype has the dtype 0, which is none', (t) => {
  const metadata = forge((b) => {
    const shape = Tensor.createShapeVector(b, [])
    const name = b.createString('a')
    Tensor.startTensor(b)
    Tensor.addShape(b, shape)
    Tensor.addName(b, name)
    return { model: state(b, 'model', [Tensor.endTensor(b)]) }
  })
  const error = t.throws(() => decode(metadata), { instanceOf: CheckpointError })
  t.like(error, { rule: 'tensor.dtype', actual: 0 })
})

test.serial(
  'of the names of tensors, where they are short ones of ASCII, a string is made of none',
  (t) => {
    const { decode: decodeBytes } = TextDecoder.prototype
    t.teardown(() => {
      TextDecoder.prototype.decode = decodeBytes
    })
    let made = 0
    TextDecoder.prototype.decode = function (...bytes) {
      made++
      return decodeBytes.apply(this, bytes)
    }
    /** How many strings are made for a file whose tensors have these names. */
    const stringsOf = (names: readonly string[]): number => {
      const metadata = seal(
        modelContent(names.map((name) => ({ name, dtype: 'int8', shape: [2, 3] }))),
      )
      made = 0
      checkRules(decode(metadata))
      return made
    }
    const none = stringsOf([])
    const plain = ['a', 'layers.0.weight', '\x01', '\x7f', 'n'.repeat(255)]
    t.is(stringsOf(plain), none)
    t.true(stringsOf([...plain, 'é']) > none)
  },
)

test('the index of names can be begun again', (t) => {
  const tensors = tableOf(['x', 'y'].map((name) => ({ name, dtype: 'int8', shape: [1] })))
  t.is(tensors.indexOf('x'), -1)
  for (let times = 0; times < 2; times++) {
    t.true(tensors.index(0))
    t.is(tensors.indexOf('y'), -1)
    t.true(tensors.index(1))
    t.is(tensors.indexOf('y'), 1)
  }
})
