/**
 * The training: a network of two layers, SGD with momentum, and the data in a shuffled order. All that has a state is in
 * three plain trees: `params`, `velocity` and `order`. This file knows nothing of checkpoints.
 */

const POINTS = 600

export class Training {
  /** The weights. */
  params
  /** The optimizer's velocities, one for each weight. */
  velocity
  /** The data's order: a generator (mulberry32), and the position in the shuffled indices. */
  order

  #config
  #points
  #inside

  /** @param {{ seed: number, hidden: number, batch: number, learningRate: number, momentum: number }} config */
  constructor(config) {
    this.#config = config
    this.order = { random: config.seed >>> 0, epoch: 0, next: 0, indices: new Uint32Array(0) }
    const layer = (inputs, outputs) => ({
      weight: Float32Array.from({ length: inputs * outputs }, () => (this.#random() - 0.5) * 2),
      bias: new Float32Array(outputs),
    })
    this.params = { layers: [layer(2, config.hidden), layer(config.hidden, 1)] }
    this.velocity = {
      layers: this.params.layers.map(({ weight, bias }) => ({
        weight: new Float32Array(weight.length),
        bias: new Float32Array(bias.length),
      })),
    }
    // The data: is a point inside the circle?
    this.#points = Array.from({ length: POINTS }, () => [
      this.#random() * 2 - 1,
      this.#random() * 2 - 1,
    ])
    this.#inside = this.#points.map(([x, y]) => (x * x + y * y < 0.5 ? 1 : 0))
    this.order.indices = Uint32Array.from(this.#points, (_, i) => i)
    this.#shuffle()
  }

  /** Trains on the next batch: damps the velocity, then adds a part of the gradient to it. Returns the loss. */
  step() {
    const batch = this.#nextBatch()
    const { learningRate, momentum } = this.#config
    for (const { weight, bias } of this.velocity.layers) {
      for (const v of [weight, bias]) for (let i = 0; i < v.length; i++) v[i] *= momentum
    }
    const [first, second] = this.velocity.layers
    const output = this.params.layers[1].weight
    let loss = 0
    for (const i of batch) {
      const point = this.#points[i]
      const { hidden, probability } = this.#forward(point)
      loss -= Math.log(this.#inside[i] === 1 ? probability : 1 - probability) / batch.length
      const error = (probability - this.#inside[i]) / batch.length
      second.bias[0] += error
      hidden.forEach((value, h) => {
        second.weight[h] += error * value
        const back = error * output[h] * (1 - value * value)
        first.bias[h] += back
        first.weight[2 * h] += back * point[0]
        first.weight[2 * h + 1] += back * point[1]
      })
    }
    this.params.layers.forEach((layer, l) => {
      for (const name of ['weight', 'bias']) {
        const change = this.velocity.layers[l][name]
        for (let i = 0; i < change.length; i++) layer[name][i] -= learningRate * change[i]
      }
    })
    return loss
  }

  /** The share of the points that the network gets right. */
  accuracy() {
    const right = this.#points.filter(
      (point, i) => this.#forward(point).probability > 0.5 === (this.#inside[i] === 1),
    )
    return right.length / POINTS
  }

  #forward(point) {
    const [first, second] = this.params.layers
    const hidden = Array.from(first.bias, (bias, h) =>
      Math.tanh(bias + point[0] * first.weight[2 * h] + point[1] * first.weight[2 * h + 1]),
    )
    const logit = hidden.reduce((sum, value, h) => sum + value * second.weight[h], second.bias[0])
    return { hidden, probability: 1 / (1 + Math.exp(-logit)) }
  }

  #nextBatch() {
    const { order } = this
    const { batch } = this.#config
    if (order.next + batch > order.indices.length) {
      order.epoch++
      order.next = 0
      this.#shuffle()
    }
    order.next += batch
    return order.indices.slice(order.next - batch, order.next)
  }

  #shuffle() {
    const { indices } = this.order
    for (let i = indices.length - 1; i > 0; i--) {
      const j = Math.floor(this.#random() * (i + 1))
      ;[indices[i], indices[j]] = [indices[j], indices[i]]
    }
  }

  #random() {
    const { order } = this
    order.random = (order.random + 0x6d2b79f5) >>> 0
    let t = Math.imul(order.random ^ (order.random >>> 15), order.random | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}
