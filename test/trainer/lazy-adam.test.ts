import test from 'ava'
import type { Attributes } from '../../src/format/attributes.js'
import type { LoadedState, LoadedTensor, TensorLike } from '../../src/state.js'
import { AdamW } from '../support/trainer/adamw.js'
import { DeviceModule } from '../support/trainer/device-module.js'
import { Device } from '../support/trainer/gpu-tensor.js'
import { LazyAdam } from '../support/trainer/lazy-adam.js'
import { Rng } from '../support/trainer/rng.js'
import { Variable } from '../support/trainer/variable.js'

const SHAPES = { weight: [2, 3], bias: [2] }

function create(seed: number) {
  const device = new Device()
  const module = new DeviceModule(device, SHAPES, new Rng(seed))
  return { device, module, optimizer: new LazyAdam(module.parameters, 0.1) }
}

async function listed(optimizer: LazyAdam): Promise<Map<string, TensorLike>> {
  const tensors = new Map<string, TensorLike>()
  for await (const [name, tensor] of (await optimizer.stateDict()).tensors) {
    tensors.set(name, tensor)
  }
  return tensors
}

/** A state as a checkpoint hands it over, with the elements in memory. */
async function loaded(
  tensors: Iterable<readonly [string, TensorLike]>,
  attributes: Attributes = {},
): Promise<LoadedState> {
  const read = new Map<string, LoadedTensor>()
  for (const [name, { shape, data }] of tensors) {
    const elements = (typeof data === 'function' ? await data() : data) as Float32Array
    read.set(name, {
      name,
      dtype: 'float32',
      shape,
      byteLength: elements.byteLength,
      data: elements,
      read: async () => elements,
      readInto: async () => {},
    })
  }
  return {
    name: 'state',
    kind: null,
    attributes,
    size: read.size,
    has: (name) => read.has(name),
    get: (name) => read.get(name)!,
    keys: () => read.keys(),
    [Symbol.iterator]: () => read[Symbol.iterator](),
  }
}

async function saved(optimizer: LazyAdam): Promise<LoadedState> {
  return loaded(await listed(optimizer), (await optimizer.stateDict()).attributes)
}

async function elements(module: DeviceModule): Promise<Float32Array[]> {
  return Promise.all(Array.from(module.parameters.values(), (parameter) => parameter.read()))
}

test('buffers are created in the first step and not before', async (t) => {
  const { module, optimizer } = create(1)
  t.is((await listed(optimizer)).size, 0)
  optimizer.step(module.gradients())
  t.deepEqual(
    Array.from(await listed(optimizer), ([name, { shape }]) => [name, shape]),
    [
      ['exp_avg/weight', [2, 3]],
      ['exp_avg_sq/weight', [2, 3]],
      ['exp_avg/bias', [2]],
      ['exp_avg_sq/bias', [2]],
    ],
  )
})

test('its steps are those of AdamW without weight decay', async (t) => {
  const { module, optimizer } = create(1)
  const variables = new Map<string, Variable>()
  for (const [name, parameter] of module.parameters) {
    variables.set(name, new Variable(parameter.shape, await parameter.read(), true))
  }
  const reference = new AdamW(variables, { lr: 0.1, weightDecay: 0 })
  for (let step = 0; step < 5; step++) {
    for (const variable of variables.values()) variable.grad = variable.data.map((x) => x - 1)
    reference.step()
    optimizer.step(module.gradients())
  }
  t.deepEqual(
    await elements(module),
    Array.from(variables.values(), ({ data }) => data),
  )
})

test('training brings every parameter to one', async (t) => {
  const { module, optimizer } = create(1)
  for (let step = 0; step < 300; step++) optimizer.step(module.gradients())
  for (const data of await elements(module)) {
    for (const value of data) t.true(Math.abs(value - 1) < 0.01, String(value))
  }
})

test('a new module and optimizer continue to the bit from a saved state', async (t) => {
  const { module, optimizer } = create(1)
  for (let step = 0; step < 3; step++) optimizer.step(module.gradients())
  const resumed = create(2)
  await resumed.module.loadStateDict(await loaded(module.stateDict()))
  await resumed.optimizer.loadStateDict(await saved(optimizer))
  t.is(resumed.device.uploads, 2 + 4)
  for (let step = 0; step < 3; step++) {
    optimizer.step(module.gradients())
    resumed.optimizer.step(resumed.module.gradients())
  }
  t.deepEqual(await elements(resumed.module), await elements(module))
})

test('a state that was saved before the first step removes the buffers again', async (t) => {
  const { module, optimizer } = create(1)
  const fresh = await saved(optimizer)
  optimizer.step(module.gradients())
  await optimizer.loadStateDict(fresh)
  t.is((await listed(optimizer)).size, 0)
})

test('a state that does not fit is refused, and the optimizer stays as it is', async (t) => {
  const { module, optimizer } = create(1)
  optimizer.step(module.gradients())
  const tensors = [...(await listed(optimizer))]
  const { attributes } = await optimizer.stateDict()
  const other: TensorLike = { shape: [3], data: new Float32Array(3) }
  const refused: [message: RegExp, state: LoadedState][] = [
    [/'lr' is missing/, await loaded(tensors)],
    [/'lr' must be/, await loaded(tensors, { ...attributes, lr: -1 })],
    [/exp_avg\/weight is missing/, await loaded(tensors.slice(1), attributes)],
    [/1 of 5 buffers/, await loaded([...tensors, ['exp_avg/scale', other]], attributes)],
    [
      /exp_avg\/bias is \[3\], but bias is \[2\]/,
      await loaded(new Map(tensors).set('exp_avg/bias', other), attributes),
    ],
  ]
  const before = await saved(optimizer)
  for (const [message, state] of refused) {
    await t.throwsAsync(optimizer.loadStateDict(state), { instanceOf: TypeError, message })
    const after = await saved(optimizer)
    t.deepEqual(after.attributes, before.attributes)
    t.deepEqual(
      Array.from(after, ([name, { data }]) => [name, data]),
      Array.from(before, ([name, { data }]) => [name, data]),
    )
  }
})
