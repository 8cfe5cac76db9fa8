import { join } from 'node:path'
import test from 'ava'
import { saveCheckpoint } from '../../src/index.js'
import { runFake } from '../support/cli/fake-terminal.js'
import { damage, saveSample, stateful } from '../support/cli/sample-checkpoint.js'
import { scratchFolder } from '../support/scratch.js'

const weights = (scale: number) => ({
  'h.0.weight': { shape: [4], data: Float32Array.of(1, 2, 3, 4).map((x) => x * scale) },
  'h.0.bias': { shape: [2], data: Float32Array.of(1, 1 * scale) },
  'h.1.weight': { shape: [2], data: Float32Array.of(5, 5 * scale) },
  head: { shape: [1], data: Float32Array.of(1) },
})

test('a table says by layer how far the numbers are apart', async (t) => {
  const folder = await scratchFolder(t)
  const [a, b] = [join(folder, 'a.ckpt'), join(folder, 'b.ckpt')]
  await saveCheckpoint(a, stateful(weights(1)), null, { step: 1, loss: 1, config: { lr: 0.1 } })
  await saveCheckpoint(
    b,
    stateful({ ...weights(2), extra: { shape: [2], data: new Int8Array(2) } }),
    null,
    {
      step: 2,
      loss: Number.NaN,
      config: { lr: 0.2 },
    },
  )
  const { code, out, err } = await runFake(['diff', a, b])
  t.is(err, '')
  t.is(code, 0)
  t.is(
    out,
    `- ${a}
+ ${b}

progress
  ~ step: 1 → 2
  ~ loss: 1 → NaN

config
  ~ lr: 0.1 → 0.2

model: 3 changed, 1 added, 1 equal
  + extra: int8 [2]
  changed     largest  mean  relative  differ
  h.0            4.00  1.83     0.984   83.3%  2 tensors
  h.1.weight     5.00  2.50     0.707     50%
`,
  )
  const { out: byTensor } = await runFake(['diff', '--tensors', a, b])
  t.regex(byTensor, /^ {2}h\.0\.bias +1\.00 +0\.500 +0\.707 +50%$/m)
})

test('--exit-code tells whether they differ, and damage is an error of its own', async (t) => {
  const folder = await scratchFolder(t)
  const [a, b] = [join(folder, 'a.ckpt'), join(folder, 'b.ckpt')]
  await saveSample(a)
  await saveSample(b)
  const equal = await runFake(['diff', '--exit-code', a, b])
  t.is(equal.code, 0)
  t.regex(equal.out, /the same training/)
  await saveCheckpoint(b, stateful(weights(1)))
  t.is((await runFake(['diff', a, b])).code, 0)
  t.is((await runFake(['diff', '--exit-code', a, b])).code, 3)
  const c = join(folder, 'c.ckpt')
  await saveCheckpoint(c, stateful(weights(2)))
  await damage(c, 'model', 'h.0.weight')
  const broken = await runFake(['diff', '--exit-code', b, c])
  t.is(broken.code, 1)
  t.regex(broken.err, /damaged/)
  t.is((await runFake(['diff', '--exit-code', '--quick', b, c])).code, 3)
})

test('--json has every difference, and what JSON cannot hold as text', async (t) => {
  const folder = await scratchFolder(t)
  const [a, b] = [join(folder, 'a.ckpt'), join(folder, 'b.ckpt')]
  await saveCheckpoint(a, stateful({ w: { shape: [1], data: Float32Array.of(0) } }), null, {
    loss: 1,
  })
  await saveCheckpoint(b, stateful({ w: { shape: [1], data: Float32Array.of(2) } }), null, {
    loss: Number.POSITIVE_INFINITY,
  })
  const { out } = await runFake(['diff', '--json', a, b])
  const found = JSON.parse(out)
  t.like(found, { before: a, after: b, equal: false })
  t.deepEqual(found.progress, [{ path: 'loss', before: 1, after: { $number: 'Infinity' } }])
  t.like(found.states[0].tensors[0], {
    name: 'w',
    change: 'bytes',
    before: { dtype: 'float32', shape: [1], byteLength: 4 },
    difference: { largest: 2, relativeNorm: 'Infinity', share: 1 },
  })
})

test('two files are taken, no fewer and no more', async (t) => {
  for (const argv of [
    ['diff', 'a'],
    ['diff', 'a', 'b', 'c'],
  ]) {
    const { code, err } = await runFake(argv)
    t.is(code, 2)
    t.regex(err, /diff takes two files, not \d/)
  }
})
