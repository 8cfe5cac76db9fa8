import test from 'ava'
import { DeviceModule } from '../support/trainer/device-module.js'
import { Device, DeviceTensor, MeasuredDevice } from '../support/trainer/gpu-tensor.js'
import { Rng } from '../support/trainer/rng.js'

const BYTES = 4 * 1000

function moduleOf(tensors: number): { device: MeasuredDevice; module: DeviceModule } {
  const device = new MeasuredDevice()
  const shapes = Object.fromEntries(
    Array.from({ length: tensors }, (_, i) => [`w${i}`, [10, 100]] as const),
  )
  return { device, module: new DeviceModule(device, shapes, new Rng(1)) }
}

test('a read-back returns the uploaded elements, in memory of the reader', async (t) => {
  const device = new Device()
  const tensor = new DeviceTensor(device, [2, 2])
  tensor.upload([1, 2, 3, 4])
  const copy = await tensor.read()
  t.deepEqual(copy, Float32Array.of(1, 2, 3, 4))
  copy.fill(0)
  t.deepEqual(await tensor.read(), Float32Array.of(1, 2, 3, 4))
  t.deepEqual([device.uploads, device.readBacks], [1, 2])
})

test('an upload of another length is refused', (t) => {
  const device = new Device()
  t.throws(() => new DeviceTensor(device, [2, 2]).upload([1, 2, 3]), {
    instanceOf: RangeError,
    message: 'a tensor of shape [2,2] cannot take 3 elements',
  })
  t.is(device.uploads, 0)
})

test('a reader that keeps every read-back is seen to hold them all', async (t) => {
  const { device, module } = moduleOf(6)
  const kept: unknown[] = []
  for (const [, { data }] of module.stateDict()) {
    if (typeof data === 'function') kept.push(await data())
  }
  t.is(device.readBacks, 6)
  t.is(device.peakBytes, 6 * BYTES)
  t.is(await device.bytesAlive(), kept.length * BYTES)
})

test('a reader that reads all tensors at once is seen to hold them all', async (t) => {
  const { device, module } = moduleOf(6)
  await Promise.all(Array.from(module.parameters.values(), (parameter) => parameter.read()))
  t.is(device.peakBytes, 6 * BYTES)
})

test('a view keeps a read-back alive as the array itself does', async (t) => {
  const { device, module } = moduleOf(1)
  const view = new Uint8Array((await module.parameters.get('w0')!.read()).buffer)
  t.is(await device.bytesAlive(), BYTES)
  t.is(view.length, BYTES)
})

test('a reader that drops every read-back is seen to hold one at a time', async (t) => {
  const { device, module } = moduleOf(6)
  const consume = async (data: unknown) => {
    if (typeof data === 'function') await data()
  }
  for (const [, { data }] of module.stateDict()) await consume(data)
  t.is(device.readBacks, 6)
  t.is(device.peakBytes, BYTES)
  t.is(await device.bytesAlive(), 0)
})

test('a loop that only forgets to drop its variable is seen to hold two at most', async (t) => {
  const { device, module } = moduleOf(6)
  for (const [, { data }] of module.stateDict()) {
    if (typeof data !== 'function') continue
    const elements = await data()
    t.is(elements.byteLength, BYTES)
  }
  t.true(device.peakBytes <= 2 * BYTES, `${device.peakBytes} bytes`)
})
