/**
 * Sound files that stand for as much as their bytes can: everything that can be shared is, and every
 * name is as short as it can be. What a reader makes of them says how much memory a file can take.
 */

import { Checkpoint } from '../../../generated/lightwatch/format/checkpoint.js'
import { Metric } from '../../../generated/lightwatch/format/metric.js'
import { State } from '../../../generated/lightwatch/format/state.js'
import { Tensor } from '../../../generated/lightwatch/format/tensor.js'
import { Value } from '../../../generated/lightwatch/format/value.js'
import { ValueKind } from '../../../generated/lightwatch/format/value-kind.js'
import { Patch } from '../format/patch.js'
import {
  type Builder,
  entry,
  forge,
  forgeAttributes,
  listValue,
  nullValue,
  type Offset,
  state,
  textValue,
} from './forge.js'

const COUNT = 60_000

/** Short, and each another one. */
const nameOf = (i: number): string => i.toString(36)

const each = <T>(make: (i: number) => T): T[] => Array.from({ length: COUNT }, (_, i) => make(i))

/** All over one empty segment behind the metadata, and over one shape. */
function denseTensors(): Uint8Array {
  const build = (offset: number): Uint8Array =>
    forge((b) => {
      const shape = Tensor.createShapeVector(b, [0n])
      const tables = each((i) => {
        const name = b.createString(nameOf(i))
        Tensor.startTensor(b)
        Tensor.addName(b, name)
        Tensor.addDtype(b, 20)
        Tensor.addShape(b, shape)
        Tensor.addOffset(b, BigInt(offset))
        Tensor.addData(b, 0)
        return Tensor.endTensor(b)
      })
      return { model: state(b, 'model', tables) }
    }, offset)
  const metadataLength = build(0).length
  const offset = Math.ceil((metadataLength + 4) / 64) * 64
  const patch = new Patch(
    new Uint8Array([...build(offset), ...new Uint8Array(offset - metadataLength)]),
  )
  for (const table of patch.root.table('model').tables('tensors')) {
    const at = table.position('data')
    patch.view.setUint32(at, offset - 4 - at, true)
  }
  return patch.seal()
}

export const dense: { readonly [what: string]: () => Uint8Array } = {
  tensors: denseTensors,
  'states without a tensor': () =>
    forge((b) => {
      const none = State.createTensorsVector(b, [])
      const extras = each((i) => {
        const name = b.createString(nameOf(i))
        State.startState(b)
        State.addName(b, name)
        State.addTensors(b, none)
        return State.endState(b)
      })
      return { model: state(b, 'model', []), extras }
    }),
  'keys of one map': () =>
    forgeAttributes((b) => {
      const value = nullValue(b)
      return each((i) => entry(b, nameOf(i), value))
    }),
  'maps of no key': () =>
    forgeAttributes((b) => {
      const none = Value.createMapVector(b, [])
      const maps = each(() => {
        Value.startValue(b)
        Value.addKind(b, ValueKind.Map)
        Value.addMap(b, none)
        return Value.endValue(b)
      })
      return [entry(b, 'maps', listValue(b, maps))]
    }),
  'maps of one key': () =>
    forgeAttributes((b) => {
      const key = entry(b, 'k', nullValue(b))
      const maps = each(() => {
        const one = Value.createMapVector(b, [key])
        Value.startValue(b)
        Value.addKind(b, ValueKind.Map)
        Value.addMap(b, one)
        return Value.endValue(b)
      })
      return [entry(b, 'maps', listValue(b, maps))]
    }),
  'numbers, each in a list of its own': () =>
    forgeAttributes((b) => {
      Value.startValue(b)
      Value.addKind(b, ValueKind.Float64)
      Value.addNumber(b, 0.5)
      const number = Value.endValue(b)
      return [
        entry(
          b,
          'lists',
          listValue(
            b,
            each(() => listValue(b, [number])),
          ),
        ),
      ]
    }),
  metrics: () => forgeMetrics(),
  'one list, many times': () =>
    withRoom((b) => {
      const list = listValue(b, [nullValue(b)])
      return listValue(
        b,
        each(() => list),
      )
    }),
  'one map, many times': () =>
    withRoom((b) => {
      const one = Value.createMapVector(b, [entry(b, 'k', nullValue(b))])
      Value.startValue(b)
      Value.addKind(b, ValueKind.Map)
      Value.addMap(b, one)
      const map = Value.endValue(b)
      return listValue(
        b,
        each(() => map),
      )
    }),
  'lists, each twice in the next': () =>
    withRoom((b) => {
      let list = listValue(b, [nullValue(b)])
      for (let level = 0; level < 15; level++) list = listValue(b, [list, list])
      return list
    }),
  // The memory of a string is that of its widest character, for each of them.
  'one long text, many times': () =>
    withRoom((b, room) => listValue(b, new Array<Offset>(4).fill(room)), '\u{1f4be}'),
}

// Bytes that are there once, and so let as many be read four times.
const ROOM = 3_000_000

/** One value, beside a text that is long enough to let it stand for much more than its bytes. */
function withRoom(build: (b: Builder, room: Offset) => Offset, before = ''): Uint8Array {
  return forgeAttributes((b) => {
    const room = textValue(b, b.createString(before + ' '.repeat(ROOM)))
    const value = build(b, room)
    return before === ''
      ? [entry(b, 'room', room), entry(b, 'value', value)]
      : [entry(b, 'value', value)]
  })
}

function forgeMetrics(): Uint8Array {
  return forge((b) => {
    const metrics = each((i) => {
      const name = b.createString(nameOf(i))
      Metric.startMetric(b)
      Metric.addName(b, name)
      Metric.addValue(b, i + 0.5)
      return Metric.endMetric(b)
    })
    const metricsAt = Checkpoint.createMetricsVector(b, metrics)
    return { model: state(b, 'model', []), metrics: metricsAt }
  })
}
