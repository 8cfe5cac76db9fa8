/**
 * A module on the simulated accelerator. Its state dict is a generator whose tensors are fetched one at a time, and a
 * saved state is restored by uploads. It minimises half the squared distance of its parameters from one, so that an
 * optimizer has gradients.
 */

import type { LoadedState, Stateful, TensorLike } from '../../../src/state.js'
import { type Device, DeviceTensor } from './gpu-tensor.js'
import type { Rng } from './rng.js'

export class DeviceModule implements Stateful {
  readonly parameters: ReadonlyMap<string, DeviceTensor>

  /** Parameters of the given names and shapes, drawn from the standard normal distribution. */
  constructor(device: Device, shapes: { readonly [name: string]: readonly number[] }, rng: Rng) {
    this.parameters = new Map(
      Object.entries(shapes).map(([name, shape]) => [name, new DeviceTensor(device, shape)]),
    )
    for (const parameter of this.parameters.values()) {
      DeviceTensor.launch([parameter], (memory) => {
        for (let i = 0; i < memory.length; i++) memory[i] = rng.normal()
      })
    }
  }

  /** The gradient of each parameter: its distance from one. Computed on the device. */
  gradients(): Map<string, DeviceTensor> {
    return new Map(
      Array.from(this.parameters, ([name, parameter]) => {
        const gradient = new DeviceTensor(parameter.device, parameter.shape)
        DeviceTensor.launch([gradient, parameter], (out, memory) => {
          for (let i = 0; i < out.length; i++) out[i] = memory[i]! - 1
        })
        return [name, gradient]
      }),
    )
  }

  *stateDict(): Generator<[name: string, tensor: TensorLike]> {
    for (const [name, parameter] of this.parameters) {
      yield [name, { dtype: 'float32', shape: parameter.shape, data: () => parameter.read() }]
    }
  }

  /** Uploads what was saved of these parameters; one that was not saved stays as it is. */
  async loadStateDict(state: LoadedState): Promise<void> {
    for (const [name, parameter] of this.parameters) {
      if (!state.has(name)) continue
      parameter.upload((await state.get(name).read()) as Float32Array)
    }
  }
}
