/** The model, a network of two layers, and the data, two spirals that no line separates. */

import { nn, numpy as np, random, tree } from '@jax-js/jax'

const HIDDEN = 24

/** @param key a random key of jax-js, which is used up */
export function initModel(key) {
  const [one, two] = random.split(key)
  return {
    layers: [
      { weight: random.normal(one, [2, HIDDEN]), bias: np.zeros([HIDDEN]) },
      { weight: random.normal(two, [HIDDEN, 2]).mul(0.3), bias: np.zeros([2]) },
    ],
  }
}

/** Uses up the parameters and the inputs. */
export function predict({ layers: [first, second] }, inputs) {
  const hidden = np.tanh(np.matmul(inputs, first.weight).add(first.bias))
  return np.matmul(hidden, second.weight).add(second.bias)
}

/** Mean cross-entropy against labels of one-hot rows. Uses up everything. */
export function loss(params, inputs, labels) {
  const logProbabilities = nn.logSoftmax(predict(params, inputs))
  return logProbabilities.mul(labels).sum(1).mean().neg()
}

/** The share of the points that the model gets right. Uses up nothing. */
export function accuracy(params, { points, classes }) {
  const inputs = np.array(points, { shape: [classes.length, 2] })
  const guesses = np.argmax(predict(tree.ref(params), inputs), 1).dataSync()
  return classes.filter((label, i) => guesses[i] === label).length / classes.length
}

/** Points on two spirals, alternating between the classes, with a little jitter that is always the same. */
export function spirals(count) {
  const points = new Float32Array(count * 2)
  const classes = new Uint8Array(count)
  for (let i = 0; i < count; i++) {
    const label = i % 2
    const t = (i / count) * 1.5 * Math.PI
    const radius = 0.2 + t / 5 + 0.05 * Math.sin(i * 12.9898)
    points[2 * i] = radius * Math.cos(t + label * Math.PI)
    points[2 * i + 1] = radius * Math.sin(t + label * Math.PI)
    classes[i] = label
  }
  return { points, classes }
}
