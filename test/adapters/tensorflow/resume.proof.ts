import { execFile } from 'node:child_process'
import { mkdtempSync } from 'node:fs'
import { readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test from 'ava'
import { weightsOf } from '../../support/adapters/tensorflow-states.js'
import {
  classifier,
  INSTALL_MS,
  optimizers,
  tensorflow,
  train,
  type Untyped,
} from '../../support/adapters/tensorflow-trainings.js'
import { loadsTypeScript } from '../../support/child.js'

const run = promisify(execFile)
const root = fileURLToPath(new URL('../../..', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'tensorflow-'))
test.after.always(() => rm(folder, { recursive: true, force: true }))

// In this process, the cpu backend.
let tf: Untyped
test.before('TensorFlow.js is installed', async (t) => {
  t.timeout(INSTALL_MS, 'npm ci in examples/digits')
  tf = await tensorflow('cpu')
})

for (const backend of ['cpu', 'wasm']) {
  // One process for a part of the runs with all optimizers, and the parts one after another.
  let trained: Promise<void> | undefined
  const trainAll = async (): Promise<void> => {
    const program = fileURLToPath(
      new URL('../../support/adapters/tensorflow-process.ts', import.meta.url),
    )
    for (const part of ['whole', 'first', 'second']) {
      const args = [loadsTypeScript, program, backend, join(folder, backend), part]
      await run(process.execPath, args, { cwd: root })
    }
  }
  for (const name of Object.keys(optimizers)) {
    test(`on ${backend}, a run with ${name} that is resumed in a new process ends bit for bit as the one that never stopped`, async (t) => {
      trained ??= trainAll()
      await trained
      const [whole, first, second] = await Promise.all(
        ['whole', 'first', 'second'].map((part) =>
          readFile(join(folder, backend, `${name}-${part}.ckpt`)),
        ),
      )
      t.notDeepEqual(first, whole)
      t.deepEqual(second, whole)
    })
  }
}

test("TensorFlow.js's own getWeights and setWeights do not resume Adam exactly", async (t) => {
  const optimizer = tf.train.adam(0.01)
  const model = classifier(tf, optimizer)
  // After some steps the two are the same by luck (after 7, for one); mostly they are not.
  await train(tf, model, 0, 5)
  const resumed = tf.train.adam(0.01)
  const copy = classifier(tf, resumed)
  copy.setWeights(model.getWeights())
  await resumed.setWeights(await optimizer.getWeights())
  t.deepEqual(weightsOf(copy), weightsOf(model))
  // What it loses: the running products of the decay rates, which it computes anew.
  t.not(resumed.accBeta2.dataSync()[0], optimizer.accBeta2.dataSync()[0])
  await train(tf, model, 5, 16)
  await train(tf, copy, 5, 16)
  t.notDeepEqual(weightsOf(copy), weightsOf(model))
})
