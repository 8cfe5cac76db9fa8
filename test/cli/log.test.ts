import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { sparkLine } from '../../src/cli/log.js'
import { saveCheckpoint } from '../../src/index.js'
import { runFake } from '../support/cli/fake-terminal.js'
import { stateful } from '../support/cli/sample-checkpoint.js'
import { scratchFolder } from '../support/scratch.js'

async function saveRun(folder: string): Promise<void> {
  for (const [i, loss] of [4, 2, Number.NaN, 1].entries()) {
    const step = (i + 1) * 10
    const model = {
      embed: { shape: [2], data: Float32Array.of(1, 2) },
      head: { shape: [2], data: Float32Array.of(i, i === 2 ? Number.NaN : 0) },
    }
    await saveCheckpoint(join(folder, `step-${step}.ckpt`), stateful(model), null, {
      epoch: i,
      step,
      loss,
      metrics: i === 0 ? {} : { accuracy: 0.5 },
    })
  }
}

test('a line for each checkpoint says how far it is and what has changed', async (t) => {
  const folder = await scratchFolder(t)
  await saveRun(folder)
  await writeFile(join(folder, 'notes.txt'), 'not a checkpoint')
  const { code, out } = await runFake(['log', folder])
  t.is(code, 0)
  t.is(
    out.replace(/\d+ B/g, 'N B'),
    `file          epoch  step  loss  accuracy   size  changed
step-10.ckpt      0    10     4            N B
step-20.ckpt      1    20     2       0.5  N B  model 1 of 2
step-30.ckpt      2    30   NaN       0.5  N B  model 1 of 2
step-40.ckpt      3    40     1       0.5  N B  model 1 of 2

loss  █▃×▁
`,
  )
})

test('--health finds NaN, and says so with the exit code', async (t) => {
  const folder = await scratchFolder(t)
  await saveRun(folder)
  const { code, out } = await runFake(['log', '--health', folder])
  t.is(code, 1)
  t.deepEqual(
    out
      .split('\n')
      .slice(1, 5)
      .map((line) => /healthy$|1 NaN in model: head$/.test(line)),
    [true, true, true, true],
  )
  t.is(out.match(/healthy$/gm)?.length, 3)
  const { checkpoints } = JSON.parse((await runFake(['log', '--health', '--json', folder])).out)
  t.deepEqual(checkpoints[2].nonFinite, [{ state: 'model', tensor: 'head', nan: 1, infinite: 0 }])
  t.like(checkpoints[2], { loss: 'NaN', step: 30, changed: 'model 1 of 2', tensors: 2 })
})

test('a damaged file is reported below the others, which are listed all the same', async (t) => {
  const folder = await scratchFolder(t)
  await saveRun(folder)
  await writeFile(join(folder, 'step-20.ckpt'), 'torn')
  const { code, out } = await runFake(['log', folder])
  t.is(code, 1)
  t.regex(out, /step-10.*\n.*step-30.*\n.*step-40/)
  t.regex(out, /step-20\.ckpt: /)
})

test('a folder without checkpoints says so, and one that is not there is an error', async (t) => {
  const folder = await scratchFolder(t)
  t.regex((await runFake(['log', folder])).out, /no \.ckpt files/)
  const absent = join(folder, 'absent')
  const { code, err } = await runFake(['log', absent])
  t.is(code, 1)
  t.true(err.startsWith(`ckpt: ${absent}: the folder could not be read: ENOENT: no such file`), err)
  t.notRegex(err, /scandir/)
})

test('the line of bars goes from the lowest loss to the highest', (t) => {
  t.is(sparkLine([1, 2, 3, 4, 5, 6, 7, 8]), '▁▂▃▄▅▆▇█')
  t.is(sparkLine([1, 1]), '▁▁')
  t.is(sparkLine([0, null, Number.POSITIVE_INFINITY, 1]), '▁ ×█')
  t.is(sparkLine([-Number.MAX_VALUE, Number.MAX_VALUE]), '▁█')
  t.is(sparkLine([1]), '')
})
