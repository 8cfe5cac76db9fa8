/**
 * Optimizers as people write them for TensorFlow.js, by their names: each keeps its state in another place. Small,
 * and for states rather than for good training.
 */

import type { Untyped } from '../tensorflow-trainings.js'

/** How an optimizer is made, and what it is to be given as `hidden`. */
export interface OwnOptimizer {
  readonly optimizer: Untyped
  readonly hidden?: { get(): unknown; set(saved: never): void }
}

// As tf.train.adam(0.01) has them.
const ADAM = [0.01, 0.9, 0.999, 1e-7] as const

type Gradients = readonly [name: string, gradient: Untyped][]

/** The kinds whose state is reached, or given by a hook. */
export const IDENTICAL_KINDS = [
  'AdamW, derived',
  'AdamW, its decay in a field that changes',
  'AdamW, with a schedule',
  'GrokFast, averages by variable name',
  'Lion, a Map by variable name',
  'Prodigy, tensors that are replaced',
  'AdamG, nested lists',
  'Sophia, a generator of its own',
  'NEAT, typed arrays',
  'BitNet, full weights',
  'Lookahead, an optimizer in an optimizer',
  'gradient accumulation',
  'Nesterov, derived, with a Set',
  'a Map by variables',
  'private methods',
  'private fields, with a hook',
  'a schedule in a function, with a hook',
] as const

/** How an optimizer of each of those kinds is made. */
export function identicalKinds(
  tf: Untyped,
): Readonly<Record<(typeof IDENTICAL_KINDS)[number], () => OwnOptimizer>> {
  const { AdamOptimizer, SGDOptimizer, MomentumOptimizer, Optimizer } = tf
  const variables = () => tf.engine().registeredVariables
  const gradientsOf = (gradients: Untyped): Gradients =>
    Array.isArray(gradients)
      ? gradients.map(({ name, tensor }: Untyped) => [name, tensor])
      : Object.entries(gradients)
  const zeros = (like: Untyped) => tf.tidy(() => tf.zerosLike(like).variable(false))
  const set = (variable: Untyped, compute: () => Untyped) =>
    tf.tidy(() => variable.assign(compute()))

  class Base extends Optimizer {
    getConfig() {
      return {}
    }
    // biome-ignore lint/suspicious/noExplicitAny: TensorFlow.js has no types here
    applyGradients(gradients: any) {
      for (const [name, gradient] of gradientsOf(gradients)) {
        if (gradient != null) (this as Untyped).update(name, variables()[name], gradient)
      }
      ;(this as Untyped).incrementIterations()
    }
  }

  class AdamW extends AdamOptimizer {
    weightDecay: number
    constructor(decay: number) {
      super(...ADAM)
      this.weightDecay = decay
    }
    applyGradients(gradients: Untyped) {
      for (const [name] of gradientsOf(gradients)) {
        const variable = variables()[name]
        set(variable, () => tf.mul(variable, 1 - (this as Untyped).learningRate * this.weightDecay))
      }
      super.applyGradients(gradients)
    }
  }

  class AdamWWithDecay extends AdamW {
    static className = 'AdamWWithDecay'
    decayRate = 0.9
    override applyGradients(gradients: Untyped) {
      super.applyGradients(gradients)
      this.weightDecay *= this.decayRate
    }
  }

  class WarmUp {
    count = 0
    base: number
    constructor(base: number) {
      this.base = base
    }
    next() {
      this.count++
      return this.base * Math.min(1, this.count / 10)
    }
  }

  class AdamWWithSchedule extends AdamW {
    schedule = new WarmUp(0.02)
    override applyGradients(gradients: Untyped) {
      ;(this as Untyped).learningRate = this.schedule.next()
      super.applyGradients(gradients)
    }
  }

  class GrokFast extends AdamOptimizer {
    averages: { [name: string]: Untyped } = {}
    applyGradients(gradients: Untyped) {
      const amplified = gradientsOf(gradients).map(([name, gradient]) => {
        this.averages[name] ??= zeros(gradient)
        const average = this.averages[name]
        set(average, () => tf.add(tf.mul(average, 0.9), tf.mul(gradient, 0.1)))
        return { name, tensor: tf.add(gradient, tf.mul(average, 2)) }
      })
      super.applyGradients(amplified)
      for (const { tensor } of amplified) tensor.dispose()
    }
  }

  class Lion extends Base {
    static className = 'Lion'
    momentum = new Map<string, Untyped>()
    update(name: string, variable: Untyped, gradient: Untyped) {
      if (!this.momentum.has(name)) this.momentum.set(name, zeros(variable))
      const momentum = this.momentum.get(name)
      set(variable, () => {
        const direction = tf.sign(tf.add(tf.mul(momentum, 0.9), tf.mul(gradient, 0.1)))
        return tf.sub(variable, tf.mul(direction, 0.003))
      })
      set(momentum, () => tf.add(tf.mul(momentum, 0.99), tf.mul(gradient, 0.01)))
    }
  }

  // Tensors that are replaced in each step, and numbers that it measures.
  class Prodigy extends Base {
    static className = 'Prodigy'
    d = 1e-3
    r = 0
    slots: { [name: string]: { m: Untyped; v: Untyped; x0: Untyped } } = {}
    update(name: string, variable: Untyped, gradient: Untyped) {
      const before = this.slots[name] ?? {
        m: tf.keep(tf.zerosLike(variable)),
        v: tf.keep(tf.zerosLike(variable)),
        x0: tf.keep(variable.clone()),
      }
      const [m, v, r] = tf.tidy(() => [
        tf.keep(tf.add(tf.mul(before.m, 0.9), tf.mul(gradient, 0.1 * this.d))),
        tf.keep(tf.add(tf.mul(before.v, 0.99), tf.mul(tf.square(gradient), 0.01 * this.d ** 2))),
        tf.keep(tf.sum(tf.mul(gradient, tf.sub(before.x0, variable)))),
      ])
      this.r = 0.99 * this.r + 0.01 * this.d * r.dataSync()[0]
      this.d = Math.max(this.d, 0.1 * Math.abs(this.r))
      set(variable, () =>
        tf.sub(variable, tf.mul(this.d, tf.div(m, tf.add(tf.sqrt(v), this.d * 1e-4)))),
      )
      tf.dispose([before.m, before.v, r])
      this.slots[name] = { m, v, x0: before.x0 }
    }
  }

  class AdamG extends Base {
    static className = 'AdamG'
    readonly state: Untyped = { step: 0, golden: { p: 0.2, q: 0.24 }, buffers: [] }
    override applyGradients(gradients: Untyped) {
      const list = gradientsOf(gradients)
      for (const [i, [name, gradient]] of list.entries()) {
        this.state.buffers[i] ??= [zeros(gradient), zeros(gradient)]
        const [m, v] = this.state.buffers[i]
        const { p, q } = this.state.golden
        set(v, () => tf.add(tf.mul(v, 0.95), tf.mul(tf.square(gradient), 0.05)))
        set(m, () => tf.add(tf.mul(m, 0.9), tf.mul(tf.mul(gradient, tf.mul(tf.pow(v, q), p)), 0.1)))
        const variable = variables()[name]
        set(variable, () => tf.sub(variable, tf.mul(0.5, tf.div(m, tf.add(tf.sqrt(v), 1e-6)))))
      }
      this.state.step++
      this.state.golden.p *= 0.999
      ;(this as Untyped).incrementIterations()
    }
  }

  // A Hessian's diagonal that is refreshed in every third step only, from a generator of its own.
  class Sophia extends Base {
    static className = 'Sophia'
    hessians: { [name: string]: Untyped } = {}
    moments: { [name: string]: Untyped } = {}
    lastRefresh = -Infinity
    seed = 7n
    noise() {
      this.seed = (this.seed * 6364136223846793005n + 1442695040888963407n) % 2n ** 63n
      return Number(this.seed % 1000n) / 1000
    }
    override applyGradients(gradients: Untyped) {
      const step = (this as Untyped).iterations
      if (step - this.lastRefresh >= 3) {
        this.lastRefresh = step
        for (const [name, gradient] of gradientsOf(gradients)) {
          this.hessians[name] ??= zeros(gradient)
          const h = this.hessians[name]
          const noise = this.noise()
          set(h, () => tf.add(tf.mul(h, 0.9), tf.mul(tf.square(gradient), 0.1 * noise)))
        }
      }
      super.applyGradients(gradients)
    }
    update(name: string, variable: Untyped, gradient: Untyped) {
      this.moments[name] ??= zeros(variable)
      const m = this.moments[name]
      set(m, () => tf.add(tf.mul(m, 0.9), tf.mul(gradient, 0.1)))
      set(variable, () => {
        const ratio = tf.div(m, tf.add(this.hessians[name], 1e-2))
        return tf.sub(variable, tf.mul(0.01, tf.clipByValue(ratio, -1, 1)))
      })
    }
  }

  // Evolution: scores and perturbations in typed arrays.
  class Neat extends Base {
    static className = 'Neat'
    scores = new Float64Array(4)
    generation = new Int32Array(1)
    noise = new Map<string, Float32Array>()
    update(name: string, variable: Untyped, gradient: Untyped) {
      const values = gradient.dataSync()
      const noise = this.noise.get(name) ?? new Float32Array(values.length)
      this.noise.set(name, noise)
      for (let i = 0; i < noise.length; i++) noise[i] = 0.7 * noise[i]! + 0.3 * values[i]!
      this.generation[0]!++
      const slot = this.generation[0]! % 4
      this.scores[slot] = 0.5 * this.scores[slot]! + noise[0]!
      const rate = 0.01 / (1 + Math.abs(this.scores[slot]!))
      set(variable, () => tf.sub(variable, tf.mul(rate, tf.tensor(noise, variable.shape))))
    }
  }

  // Weights that are not rounded, behind the rounded ones that the model has.
  class BitNet extends Base {
    static className = 'BitNet'
    full: { [name: string]: Untyped } = {}
    scale = tf.keep(tf.scalar(1))
    update(name: string, variable: Untyped, gradient: Untyped) {
      this.full[name] ??= tf.tidy(() => variable.clone().variable(false))
      const full = this.full[name]
      set(full, () => tf.sub(full, tf.mul(gradient, tf.mul(this.scale, 0.05))))
      set(variable, () => tf.div(tf.round(tf.mul(full, 16)), 16))
      const scale = tf.tidy(() => tf.keep(tf.mul(this.scale, 0.995)))
      this.scale.dispose()
      this.scale = scale
    }
  }

  class Lookahead extends Base {
    static className = 'Lookahead'
    inner = tf.train.adam(0.02)
    slow: { [name: string]: Untyped } = {}
    override applyGradients(gradients: Untyped) {
      this.inner.applyGradients(gradients)
      ;(this as Untyped).incrementIterations()
      for (const [name] of gradientsOf(gradients)) {
        const fast = variables()[name]
        this.slow[name] ??= tf.tidy(() => fast.clone().variable(false))
        if ((this as Untyped).iterations % 4 !== 0) continue
        const slow = this.slow[name]
        set(slow, () => tf.add(slow, tf.mul(0.5, tf.sub(fast, slow))))
        set(fast, () => slow.clone())
      }
    }
  }

  class Accumulating extends SGDOptimizer {
    static className = 'Accumulating'
    sums: { name: string; sum: Untyped }[] = []
    constructor() {
      super(0.1)
    }
    applyGradients(gradients: Untyped) {
      for (const [name, gradient] of gradientsOf(gradients)) {
        let entry = this.sums.find((one) => one.name === name)
        if (entry === undefined) {
          entry = { name, sum: zeros(gradient) }
          this.sums.push(entry)
        }
        const { sum } = entry
        set(sum, () => tf.add(sum, gradient))
      }
      ;(this as Untyped).seen = ((this as Untyped).seen ?? 0) + 1
      if ((this as Untyped).seen % 3 !== 0) return
      super.applyGradients(this.sums.map(({ name, sum }) => ({ name, tensor: sum })))
      for (const { sum } of this.sums) set(sum, () => tf.zerosLike(sum))
    }
  }

  class NesterovWithSets extends MomentumOptimizer {
    frozenOnce = new Set<string>()
    constructor() {
      super(0.02, 0.9, true)
    }
    applyGradients(gradients: Untyped) {
      const list = gradientsOf(gradients)
      const kept = list.filter(([name]) => this.frozenOnce.has(name))
      for (const [name] of list) this.frozenOnce.add(name)
      super.applyGradients(kept.map(([name, tensor]) => ({ name, tensor })))
    }
  }

  class Averaging extends Base {
    static className = 'Averaging'
    params: Untyped[] = []
    byVariable = new Map<Untyped, Untyped>()
    best: { loss: number | null; weights?: Untyped } = { loss: null }
    update(_name: string, variable: Untyped, gradient: Untyped) {
      if (!this.params.includes(variable)) this.params.push(variable)
      if (!this.byVariable.has(variable)) this.byVariable.set(variable, zeros(variable))
      const average = this.byVariable.get(variable)
      set(average, () => tf.add(tf.mul(average, 0.8), tf.mul(gradient, 0.2)))
      const norm = tf.tidy(() => tf.norm(gradient).dataSync()[0])
      if (this.best.loss === null || norm < this.best.loss) {
        this.best.loss = norm
        this.best.weights?.dispose()
        this.best.weights = tf.keep(average.clone())
      }
      const rank = this.params.indexOf(variable) + 1
      set(variable, () => tf.sub(variable, tf.mul(0.05 / rank + norm * 1e-3, average)))
    }
  }

  // A private field, and a method that is private as well: the one has state, the other none.
  class PrivateMomentum extends Base {
    static className = 'PrivateMomentum'
    #velocity: { [name: string]: Untyped } = {}
    update(name: string, variable: Untyped, gradient: Untyped) {
      this.#velocity[name] ??= zeros(variable)
      this.#step(this.#velocity[name], variable, gradient)
    }
    #step(velocity: Untyped, variable: Untyped, gradient: Untyped) {
      set(velocity, () => tf.add(tf.mul(velocity, 0.9), gradient))
      set(variable, () => tf.sub(variable, tf.mul(velocity, 0.02)))
    }
    get velocity() {
      return this.#velocity
    }
    set velocity(velocity) {
      this.#velocity = velocity
    }
  }

  class PrivateMethods extends Base {
    static className = 'PrivateMethods'
    total = 0
    update(_name: string, variable: Untyped, gradient: Untyped) {
      this.#step(variable, gradient)
    }
    #step(variable: Untyped, gradient: Untyped) {
      this.total += 1
      set(variable, () => tf.sub(variable, tf.mul(gradient, 0.1 / this.total)))
    }
  }

  class Scheduled extends SGDOptimizer {
    static className = 'Scheduled'
    // biome-ignore lint/complexity/noBannedTypes: any function
    schedule: Function
    constructor(schedule: () => number) {
      super(0.1)
      this.schedule = schedule
    }
    applyGradients(gradients: Untyped) {
      ;(this as Untyped).setLearningRate(this.schedule())
      super.applyGradients(gradients)
    }
  }

  return {
    'AdamW, derived': () => ({ optimizer: new AdamW(0.1) }),
    'AdamW, its decay in a field that changes': () => ({ optimizer: new AdamWWithDecay(0.2) }),
    'AdamW, with a schedule': () => ({ optimizer: new AdamWWithSchedule(0.1) }),
    'GrokFast, averages by variable name': () => ({
      optimizer: new (GrokFast as Untyped)(...ADAM),
    }),
    'Lion, a Map by variable name': () => ({ optimizer: new Lion() }),
    'Prodigy, tensors that are replaced': () => ({ optimizer: new Prodigy() }),
    'AdamG, nested lists': () => ({ optimizer: new AdamG() }),
    'Sophia, a generator of its own': () => ({ optimizer: new Sophia() }),
    'NEAT, typed arrays': () => ({ optimizer: new Neat() }),
    'BitNet, full weights': () => ({ optimizer: new BitNet() }),
    'Lookahead, an optimizer in an optimizer': () => ({ optimizer: new Lookahead() }),
    'gradient accumulation': () => ({ optimizer: new Accumulating() }),
    'Nesterov, derived, with a Set': () => ({ optimizer: new NesterovWithSets() }),
    'a Map by variables': () => ({ optimizer: new Averaging() }),
    'private methods': () => ({ optimizer: new PrivateMethods() }),
    'private fields, with a hook': () => {
      const optimizer = new PrivateMomentum()
      const hidden = {
        get: () => optimizer.velocity,
        set: (saved: Untyped) => {
          optimizer.velocity = saved
        },
      }
      return { optimizer, hidden }
    },
    'a schedule in a function, with a hook': () => {
      let step = 0
      const optimizer = new Scheduled(() => 0.1 / ++step)
      const hidden = {
        get: () => step,
        set: (saved: number) => {
          step = saved
        },
      }
      return { optimizer, hidden }
    },
  }
}

/** The kinds that are refused, with the names that the error has. */
export function refusedKinds(tf: Untyped): {
  readonly [kind: string]: readonly [make: () => Untyped, named: readonly string[]]
} {
  const { AdamOptimizer, Optimizer } = tf
  class Private extends AdamOptimizer {
    #steps = 0
    applyGradients(gradients: Untyped) {
      this.#steps = this.#steps + 1
      super.applyGradients(gradients)
    }
  }
  const velocities = new WeakMap<object, Untyped>()
  class Weak extends AdamOptimizer {
    applyGradients(gradients: Untyped) {
      velocities.set(this, (velocities.get(this) ?? 0) + 1)
      super.applyGradients(gradients)
    }
  }
  class Lowered extends Optimizer {
    getConfig() {
      return {}
    }
  }
  // What TypeScript makes of a private field for ES2020.
  const method = 'applyGradients() { __classPrivateFieldSet(this, _Lowered_steps, 1, "f") }'
  Lowered.prototype.applyGradients = new Function(`return { ${method} }`)().applyGradients
  class Inner {
    #count = 0
    next() {
      return ++this.#count
    }
  }
  class Nested extends AdamOptimizer {
    helpers = { counter: new Inner() }
  }
  class Functions extends AdamOptimizer {
    schedule = () => 0.1
    hooks = [() => 1]
  }
  class Static extends AdamOptimizer {
    static defaults = { decay: 0.1 }
    static averages = new Map<string, Untyped>()
  }
  class Dated extends AdamOptimizer {
    started = new Date(0)
  }
  const clipped = () => {
    const optimizer = tf.train.adam(0.01)
    const { applyGradients } = optimizer
    optimizer.applyGradients = (gradients: Untyped) => applyGradients.call(optimizer, gradients)
    return optimizer
  }
  return {
    'a private field': [() => new (Private as Untyped)(...ADAM), ['Private', '#steps']],
    'a WeakMap of the module': [() => new (Weak as Untyped)(...ADAM), ['Weak', 'velocities']],
    'a private field that a compiler has lowered': [
      () => new Lowered(),
      ['Lowered', '_Lowered_steps'],
    ],
    'a private field of an object in a field': [
      () => new (Nested as Untyped)(...ADAM),
      ['Nested', 'helpers.counter', '#count', 'Inner'],
    ],
    functions: [() => new (Functions as Untyped)(...ADAM), ['Functions', 'schedule', 'hooks[0]']],
    'a Map in a static field': [
      () => new (Static as Untyped)(...ADAM),
      ['Static', 'averages, a static field'],
    ],
    'a Date': [() => new (Dated as Untyped)(...ADAM), ['started', 'Date']],
    'an Adam whose method was wrapped': [clipped, ['Adam', 'applyGradients']],
  }
}
