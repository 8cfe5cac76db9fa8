/**
 * PyTorch's AdamW in TypeScript, in the float32 arithmetic of its CPU kernels, and the training of torch_adamw.py.
 * PyTorch rounds after each of its calls. Within a call, a product and a sum are one rounding (fused) on processors
 * with AVX2, for which its kernels are compiled.
 */

import type { Attributes, CheckpointState, NamedTensors, Stateful } from '../../../src/index.js'

const { fround } = Math

/** The hyper-parameters of a group of parameters, as PyTorch names them. */
interface Group {
  readonly params: readonly string[]
  readonly lr: number
  readonly betas: readonly [number, number]
  readonly eps: number
  readonly weight_decay: number
}

/** The parameters and buffers that a step changes, by the names of the parameters. */
interface Buffers {
  readonly weight: Float32Array
  readonly gradient: Float32Array
  readonly average: Float32Array
  readonly squares: Float32Array
  readonly step: Float32Array
}

/** a * b + c of float32, rounded once. */
export function fusedMultiplyAdd(a: number, b: number, c: number): number {
  // Exact: two factors of 24 bits make at most 48.
  const product = a * b
  const sum = product + c
  const rounded = fround(sum)
  // The sum has been rounded to a double. If that lies in the middle between two float32, what the rounding left out
  // (Knuth's two-sum) decides between them.
  const part = sum - product
  const error = product - (sum - part) + (c - part)
  if (error === 0 || !Number.isFinite(sum)) return rounded
  const other = nextFloat(rounded, sum > rounded)
  const isMiddle = sum - rounded === other - sum
  return isMiddle && error > 0 === other > rounded ? other : rounded
}

const bits = new Int32Array(1)
const float = new Float32Array(bits.buffer)

/** The float32 above or below. */
function nextFloat(value: number, above: boolean): number {
  if (value === 0) return above ? 2 ** -149 : -(2 ** -149)
  float[0] = value
  bits[0]! += value > 0 === above ? 1 : -1
  return float[0]
}

/** One step of AdamW on one parameter, in the order of calls of torch.optim (`_single_tensor_adam`). */
export function adamwStep(
  { weight, gradient, average, squares, step }: Buffers,
  { lr, betas: [beta1, beta2], eps, weight_decay: decay }: Group,
  fused: boolean,
): void {
  const multiplyAdd = fused
    ? fusedMultiplyAdd
    : (a: number, b: number, c: number) => fround(fround(a * b) + c)
  const count = ++step[0]!
  const stepSize = lr / (1 - beta1 ** count)
  const correction = fround(Math.sqrt(1 - beta2 ** count))
  const [kept, first, second, secondKept] = [1 - lr * decay, 1 - beta1, 1 - beta2, beta2].map(
    fround,
  ) as [number, number, number, number]
  const [value, epsilon] = [fround(-stepSize), fround(eps)]
  for (let i = 0; i < weight.length; i++) {
    const g = gradient[i]!
    if (decay !== 0) weight[i]! *= kept
    average[i] = multiplyAdd(first, fround(g - average[i]!), average[i]!)
    squares[i]! *= secondKept
    squares[i] = multiplyAdd(fround(second * g), g, squares[i]!)
    const denominator = fround(fround(fround(Math.sqrt(squares[i]!)) / correction) + epsilon)
    weight[i]! += fround(fround(value * average[i]!) / denominator)
  }
}

/** The training of torch_adamw.py, over the tensors of a checkpoint: its memory is the trainer's own. */
export class Training {
  readonly model: Stateful
  readonly optimizer: Stateful
  readonly #weights = new Map<string, Float32Array>()
  readonly #buffers = new Map<string, Float32Array>()
  #attributes: Attributes = {}

  /** With the names and shapes of the states, and without their contents: a restore brings them. */
  constructor(model: CheckpointState, optimizer: CheckpointState) {
    const own = (state: CheckpointState, arrays: Map<string, Float32Array>): NamedTensors => {
      const bySegment = new Map<object, Float32Array>()
      return Object.fromEntries(
        Array.from(state, ([name, tensor]) => {
          const data = bySegment.get(tensor.segment()) ?? new Float32Array(tensor.size)
          bySegment.set(tensor.segment(), data)
          arrays.set(name, data)
          return [name, { shape: tensor.shape, data }]
        }),
      )
    }
    const tensors = own(model, this.#weights)
    const buffers = own(optimizer, this.#buffers)
    this.model = { stateDict: () => tensors }
    this.optimizer = {
      stateDict: () => ({ tensors: buffers, attributes: this.#attributes }),
      loadAttributes: (attributes) => {
        this.#attributes = attributes
      },
    }
  }

  /** Trains steps `start` to `end`. `fused`: as on a processor with fused multiply-add. */
  train(start: number, end: number, fused: boolean): void {
    const groups = this.#attributes.param_groups as unknown as readonly Group[]
    for (let step = start; step < end; step++) {
      const gradients = this.#gradients(step)
      for (const group of groups) {
        for (const name of group.params) {
          const of = (buffer: string): Float32Array => this.#buffers.get(`${buffer}/${name}`)!
          const [weight, gradient] = [this.#weights.get(name)!, gradients.get(name)!]
          const buffers = { average: of('exp_avg'), squares: of('exp_avg_sq'), step: of('step') }
          adamwStep({ weight, gradient, ...buffers }, group, fused)
        }
      }
    }
  }

  /** Forward and backward; each assignment rounds to float32, as each of PyTorch's calls does. */
  #gradients(step: number): Map<string, Float32Array> {
    const names = ['first.scale', 'first.bias', 'second.bias', 'gain']
    const [scale, firstBias, secondBias, gain] = names.map((name) => this.#weights.get(name)!) as [
      Float32Array,
      Float32Array,
      Float32Array,
      Float32Array,
    ]
    const { length } = scale
    const made = names.map(() => new Float32Array(length))
    const [ofScale, ofFirstBias, ofSecondBias, ofGain] = made as typeof made & {
      readonly [i in 0 | 1 | 2 | 3]: Float32Array
    }
    for (let i = 0; i < length; i++) {
      const x = (((i * 7 + step * 3) % 13) - 6) / 8
      const y = (((i * 5 + step) % 17) - 8) / 4
      const hidden = fround(fround(scale[i]! * x) + firstBias[i]!)
      const before = fround(fround(scale[i]! * hidden) + secondBias[i]!)
      const error = fround(fround(before * gain[i]!) - y)
      const back = fround(error * gain[i]!)
      const toHidden = fround(back * scale[i]!)
      ofGain[i] = error * before
      ofSecondBias[i] = back
      ofFirstBias[i] = toHidden
      ofScale[i] = fround(back * hidden) + fround(toHidden * x)
    }
    return new Map(names.map((name, i) => [name, made[i]!]))
  }
}
