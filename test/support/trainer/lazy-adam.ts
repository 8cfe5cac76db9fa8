/**
 * Adam (https://pytorch.org/docs/stable/generated/torch.optim.Adam.html) on the pretend accelerator.
 * As PyTorch's it is lazy: a parameter's buffers are created in its first step, so a fresh optimizer
 * lists no tensors, and restoring into it creates them.
 */

import type { Attributes } from '../../../src/format/attributes.js'
import type { LoadedState, Stateful, TensorLike } from '../../../src/state.js'
import { checkedAttributes, counter, nonNegative, rates } from './attributes.js'
import { DeviceTensor } from './gpu-tensor.js'

interface Moments {
  readonly exp_avg: DeviceTensor
  readonly exp_avg_sq: DeviceTensor
}

const BUFFERS = ['exp_avg', 'exp_avg_sq'] as const
const CHECKS = { lr: nonNegative, betas: rates, eps: nonNegative, step: counter }

export class LazyAdam implements Stateful {
  readonly createsTensors = true
  readonly #parameters: ReadonlyMap<string, DeviceTensor>
  #moments = new Map<string, Moments>()
  #lr: number
  #betas: readonly [number, number] = [0.9, 0.999]
  #eps = 1e-8
  #step = 0

  constructor(parameters: ReadonlyMap<string, DeviceTensor>, lr: number) {
    this.#parameters = parameters
    this.#lr = lr
  }

  /** Changes every parameter by its gradient, on the device. */
  step(gradients: ReadonlyMap<string, DeviceTensor>): void {
    for (const name of this.#parameters.keys()) {
      if (!gradients.has(name)) throw new Error(`LazyAdam: ${name} has no gradient`)
    }
    this.#step++
    const [beta1, beta2] = this.#betas
    const stepSize = this.#lr / (1 - beta1 ** this.#step)
    const squareCorrection = Math.sqrt(1 - beta2 ** this.#step)
    for (const [name, parameter] of this.#parameters) {
      const gradient = gradients.get(name)!
      const moments = this.#moments.get(name) ?? momentsOf(parameter)
      this.#moments.set(name, moments)
      DeviceTensor.launch(
        [parameter, gradient, moments.exp_avg, moments.exp_avg_sq],
        (data, slope, average, square) => {
          for (let i = 0; i < data!.length; i++) {
            const g = slope![i]!
            const m = beta1 * average![i]! + (1 - beta1) * g
            const v = beta2 * square![i]! + (1 - beta2) * g * g
            average![i] = m
            square![i] = v
            data![i]! -= (stepSize * m) / (Math.sqrt(v) / squareCorrection + this.#eps)
          }
        },
      )
    }
  }

  async stateDict(): Promise<{
    kind: string
    attributes: Attributes
    tensors: AsyncGenerator<[name: string, tensor: TensorLike]>
  }> {
    const attributes = {
      lr: this.#lr,
      betas: [...this.#betas],
      eps: this.#eps,
      step: this.#step,
    }
    return { kind: 'Adam', attributes, tensors: this.#tensors() }
  }

  async *#tensors(): AsyncGenerator<[name: string, tensor: TensorLike]> {
    for (const [name, moments] of this.#moments) {
      for (const buffer of BUFFERS) {
        const tensor = moments[buffer]
        yield [
          `${buffer}/${name}`,
          { dtype: 'float32', shape: tensor.shape, data: () => tensor.read() },
        ]
      }
    }
  }

  /**
   * Creates and uploads the saved buffers. Throws a TypeError, with nothing changed, where an
   * attribute is not what it should be, or a buffer is missing its other half, belongs to no
   * parameter or has not its shape.
   */
  async loadStateDict(state: LoadedState): Promise<void> {
    const { lr, betas, eps, step } = checkedAttributes(state.attributes, 'Adam', CHECKS)
    const loaded = new Map<string, Moments>()
    let expected = 0
    for (const [name, parameter] of this.#parameters) {
      if (!BUFFERS.some((buffer) => state.has(`${buffer}/${name}`))) continue
      const moments = momentsOf(parameter)
      for (const buffer of BUFFERS) {
        const key = `${buffer}/${name}`
        if (!state.has(key)) throw new TypeError(`Adam: ${key} is missing`)
        const { shape } = state.get(key)
        if (String(shape) !== String(parameter.shape)) {
          throw new TypeError(`Adam: ${key} is [${shape}], but ${name} is [${parameter.shape}]`)
        }
        moments[buffer].upload((await state.get(key).read()) as Float32Array)
        expected++
      }
      loaded.set(name, moments)
    }
    if (expected !== state.size) {
      throw new TypeError(
        `Adam: ${state.size - expected} of ${state.size} buffers are of no parameter`,
      )
    }
    this.#moments = loaded
    this.#lr = lr
    this.#betas = [...betas]
    this.#eps = eps
    this.#step = step
  }
}

/** Buffers of zeros for a parameter. */
function momentsOf({ device, shape }: DeviceTensor): Moments {
  return {
    exp_avg: new DeviceTensor(device, shape),
    exp_avg_sq: new DeviceTensor(device, shape),
  }
}
