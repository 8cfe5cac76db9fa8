import test from 'ava'
import { MLP } from '../support/trainer/mlp.js'
import { Rng } from '../support/trainer/rng.js'
import { createRun, type Run } from '../support/trainer/run.js'
import { ShuffledSampler } from '../support/trainer/sampler.js'
import { SGD } from '../support/trainer/sgd.js'
import { accuracy, trainSteps } from '../support/trainer/train.js'

const PARTS = ['model', 'optimizer', 'sampler', 'rng'] as const

const mean = (values: readonly number[]) => values.reduce((sum, x) => sum + x, 0) / values.length

/** Copies everything that a run's future depends on, as a checkpoint would. */
function copyState(from: Run, to: Run): void {
  for (const tensorsOf of [
    (run: Run) => run.model.stateDict(),
    (run: Run) => run.optimizer.stateDict().tensors,
  ]) {
    const tensors = tensorsOf(from)
    for (const [name, { data }] of tensorsOf(to)) data.set(tensors.get(name)!.data)
  }
  for (const part of ['optimizer', 'sampler', 'rng'] as const) {
    to[part].loadAttributes(from[part].stateDict().attributes)
  }
}

for (const optimizer of ['SGD', 'AdamW'] as const) {
  test(`training with ${optimizer} lowers the loss and classifies unseen samples`, (t) => {
    const run = createRun({ optimizer })
    const losses = run.train(400)
    const [first, last] = [mean(losses.slice(0, 20)), mean(losses.slice(-20))]
    t.true(last < first / 4, `the loss went from ${first} to ${last}`)
    const share = accuracy(run.model, run.heldOut)
    t.true(share >= 0.9, `only ${share} of the held-out samples are right`)
  })

  test(`two runs with ${optimizer} from the same seed are identical to the bit`, (t) => {
    const [one, other] = [createRun({ optimizer }), createRun({ optimizer })]
    t.deepEqual(one.train(60), other.train(60))
    for (const part of PARTS) t.deepEqual(one[part].stateDict(), other[part].stateDict())
    t.notDeepEqual(createRun({ optimizer, seed: 2 }).train(60), one.train(60))
  })

  test(`a run with ${optimizer} continues to the bit from a copy of its state`, (t) => {
    const run = createRun({ optimizer })
    run.train(25)
    const resumed = createRun({ optimizer })
    resumed.train(3)
    copyState(run, resumed)
    t.deepEqual(resumed.train(30), run.train(30))
    for (const part of PARTS) t.deepEqual(resumed[part].stateDict(), run[part].stateDict())
  })
}

for (const part of ['optimizer', 'sampler', 'rng'] as const) {
  test(`a run that forgets the state of its ${part} goes another way`, (t) => {
    const run = createRun()
    run.train(25)
    const fresh = createRun()
    const forgetful = createRun()
    copyState(run, forgetful)
    forgetful[part].loadAttributes(fresh[part].stateDict().attributes)
    t.notDeepEqual(forgetful.train(5), run.train(5))
  })
}

test('a linear model cannot learn the data set, so the hidden layer is needed', (t) => {
  const { training } = createRun()
  const linear = new MLP([3, 4], 'tanh', new Rng(1))
  const optimizer = new SGD(linear.namedParameters(), { lr: 0.1, momentum: 0.9 })
  const sampler = new ShuffledSampler({ length: training.length, batchSize: 32, seed: 1 })
  trainSteps(linear, optimizer, sampler, training, 400)
  t.true(accuracy(linear, training) < 0.5)
})
