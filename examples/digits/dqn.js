/**
 * Deep Q-learning in TensorFlow.js: an agent learns to reach the middle of a line. Its future depends on two networks,
 * an optimizer, a replay buffer, three random generators and the environment. All of them are saved, so that a run that
 * is interrupted ends with the same bits as one that is not.
 *
 *     node dqn.js --run runs/dqn --steps 400
 */

import { parseArgs } from 'node:util'
import * as tf from '@tensorflow/tfjs-core'
import { layers, sequential } from '@tensorflow/tfjs-layers'
import '@tensorflow/tfjs-backend-cpu'
import { CheckpointManager } from 'lightwatch-checkpoint'
import { tensorflowModule, tensorflowOptimizer } from 'lightwatch-checkpoint/tensorflow'
import { treeState } from 'lightwatch-checkpoint/tree'

const { values } = parseArgs({
  options: {
    run: { type: 'string', default: 'runs/dqn' },
    steps: { type: 'string', default: '400' },
  },
})
const steps = Number(values.steps)
const MEMORIES = 200
const BATCH = 16
const LENGTH = 20

// ---- What has a state -------------------------------------------------------------------------------

const network = () =>
  sequential({
    layers: [
      layers.dense({ name: 'hidden', units: 16, inputShape: [2], activation: 'tanh' }),
      layers.dense({ name: 'values', units: 2 }),
    ],
  })
const online = network()
const target = network()
const adam = tf.train.adam(0.01)

const generators = { environment: 1, exploration: 2, replay: 3 }
const world = { position: 3, goal: 10, time: 0 }
const replay = {
  next: 0,
  size: 0,
  states: new Float32Array(2 * MEMORIES),
  actions: new Int32Array(MEMORIES),
  rewards: new Float32Array(MEMORIES),
  nextStates: new Float32Array(2 * MEMORIES),
}

/** A tree whose numbers go back into the object, and whose arrays are restored in place. */
const inPlace = (object) =>
  treeState(
    () => object,
    (saved) => void Object.assign(object, saved),
  )
const model = tensorflowModule(online)
const optimizer = tensorflowOptimizer(adam, online)
const extras = {
  target: tensorflowModule(target),
  replay: inPlace(replay),
  generators: inPlace(generators),
  world: inPlace(world),
}

// ---- Environment and agent --------------------------------------------------------------------------

/** A number from 0 to 1 from the generator of that name (mulberry32). */
function random(name) {
  generators[name] = (generators[name] + 0x6d2b79f5) >>> 0
  let t = Math.imul(generators[name] ^ (generators[name] >>> 15), generators[name] | 1)
  t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
}

const observe = () => [world.position / LENGTH, world.goal / LENGTH]

/** Moves left or right, now and then not at all; a new round begins at the goal and after 30 moves. */
function move(action) {
  if (random('environment') < 0.9) world.position += action === 1 ? 1 : -1
  world.position = Math.min(LENGTH, Math.max(0, world.position))
  world.time++
  const reward = world.position === world.goal ? 1 : -0.05
  if (reward === 1 || world.time === 30) {
    world.position = Math.floor(random('environment') * LENGTH)
    world.goal = Math.floor(random('environment') * LENGTH)
    world.time = 0
  }
  return reward
}

function choose(state, step) {
  if (random('exploration') < Math.max(0.1, 1 - step / 200)) {
    return random('exploration') < 0.5 ? 0 : 1
  }
  return tf.tidy(() => tf.argMax(online.predict(tf.tensor2d(state, [1, 2])), 1).dataSync()[0])
}

function remember(state, action, reward, nextState) {
  const i = replay.next
  replay.states.set(state, 2 * i)
  replay.actions[i] = action
  replay.rewards[i] = reward
  replay.nextStates.set(nextState, 2 * i)
  replay.next = (i + 1) % MEMORIES
  replay.size = Math.min(replay.size + 1, MEMORIES)
}

function learn() {
  const chosen = Int32Array.from({ length: BATCH }, () =>
    Math.floor(random('replay') * replay.size),
  )
  const pick = (array, i) => [array[2 * i], array[2 * i + 1]]
  return tf.tidy(() => {
    const states = tf.tensor2d(
      [...chosen].flatMap((i) => pick(replay.states, i)),
      [BATCH, 2],
    )
    const next = tf.tensor2d(
      [...chosen].flatMap((i) => pick(replay.nextStates, i)),
      [BATCH, 2],
    )
    const actions = tf.oneHot(
      Array.from(chosen, (i) => replay.actions[i]),
      2,
    )
    const rewards = tf.tensor1d(Array.from(chosen, (i) => replay.rewards[i]))
    const goals = tf.add(rewards, tf.mul(0.9, tf.max(target.predict(next), 1)))
    const loss = () =>
      tf.mean(tf.square(tf.sub(tf.sum(tf.mul(online.apply(states), actions), 1), goals)))
    return adam
      .minimize(
        loss,
        true,
        online.trainableWeights.map((weight) => weight.read()),
      )
      .dataSync()[0]
  })
}

// ---- Training -------------------------------------------------------------------------------------

// The networks' first weights are drawn at random: both runs begin with those of the generator.
for (const weight of online.weights) {
  const drawn = Float32Array.from({ length: weight.read().size }, () => random('replay') - 0.5)
  weight.read().assign(tf.tensor(drawn, weight.shape))
}
target.setWeights(online.getWeights())

const manager = new CheckpointManager(values.run, {
  save: { everySteps: 25, steps: [steps] },
  keep: { newest: 3 },
})
const resumed = await manager.restoreLatest(model, optimizer, { extras })
if (resumed !== null) console.log(`resumed after step ${resumed.step}`)
let loss = null
for (let step = (resumed?.step ?? 0) + 1; step <= steps; step++) {
  const state = observe()
  const action = choose(state, step)
  remember(state, action, move(action), observe())
  if (replay.size >= BATCH) loss = learn()
  if (step % 40 === 0) target.setWeights(online.getWeights())
  process.send?.({ event: 'step', step, steps })
  await manager.save(model, optimizer, { step, loss, extras })
}
await manager.close()
console.log(`step ${steps}: loss ${loss?.toFixed(4)}`)
