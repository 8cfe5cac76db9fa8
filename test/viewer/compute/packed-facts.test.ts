import test from 'ava'
import type { FileFacts } from '../../../viewer/src/compute/facts.js'
import { packFacts, unpackFacts } from '../../../viewer/src/compute/packed-facts.js'

test('facts are the same after they were packed and sent', (t) => {
  const tensor = (state: string, name: string, shape: number[], offset: number) => ({
    ...{ state, name, shape, byteLength: 4 * shape.reduce((a, b) => a * b, 1) },
    dtype: 'bfloat16' as const,
    segment: { offset, crc32: 0xffffffff },
  })
  const facts: FileFacts = {
    format: 'ckpt',
    ...{ epoch: 1, step: 2, loss: Number.NaN, metrics: { a: 1 }, config: '{}', sequence: null },
    ...{ savedAt: 3, byteLength: 2 ** 40, metadataLength: 500 },
    states: [
      {
        name: 'model',
        kind: null,
        attributes: { layers: [1, { deep: true }] },
        tensors: [
          tensor('model', 'scalar', [], 64),
          tensor('model', '<b>\u202e', [2, 3, 2 ** 33], 2 ** 40),
          tensor('model', 'none', [0], 128),
        ],
      },
      {
        name: 'foreign',
        kind: 'AdamW',
        attributes: {},
        tensors: [{ ...tensor('foreign', 'a', [5], 0), dtype: 'int4', segment: null }],
      },
      { name: 'empty', kind: null, attributes: {}, tensors: [] },
    ],
  }
  t.deepEqual(unpackFacts(structuredClone(packFacts(facts))), facts)
})
