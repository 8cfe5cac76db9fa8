/**
 * Maps names of weights in a `model.json` to those of `tensorflowModule`. TensorFlow.js numbers unnamed layers across
 * its process (`dense_Dense7`). Checkpoints name them by position in the model (`dense_1`).
 */

import { autoName } from '../../adapters/tensorflow/names.js'

/** The used parts of the topology in a `model.json`. */
interface LayerConfig {
  readonly class_name?: unknown
  readonly config?: unknown
}

/**
 * The names of numbered layers by position, by their names in the topology. Empty if the topology is not that of a
 * layers model. If `weights` are given, only layers that own some of them are included.
 */
export function namesByPlace(
  topology: unknown,
  weights?: Iterable<string>,
): ReadonlyMap<string, string> {
  const used = weights && new Set([...weights].flatMap((name) => name.split('/')))
  const names = new Map<string, string>()
  const counts = new Map<string, number>()
  for (const name of layerNames(topology)) {
    const auto = autoName(name)
    if (auto === undefined || used?.has(name) === false || names.has(name)) continue
    const place = (counts.get(auto.className) ?? 0) + 1
    counts.set(auto.className, place)
    names.set(name, `${auto.stem}_${place}`)
  }
  return names
}

/** A weight's name with the names of its layers replaced. */
export function renamedParts(name: string, names: ReadonlyMap<string, string>): string {
  return name
    .split('/')
    .map((part) => names.get(part) ?? part)
    .join('/')
}

// Levels of nested models and wrappers that are searched.
const MAX_DEPTH = 32

/** The names of the layers in order; inner layers come before the layer around them. */
function* layerNames(topology: unknown, depth = 0): Generator<string> {
  if (depth > MAX_DEPTH || typeof topology !== 'object' || topology === null) return
  const { model_config: model } = topology as { readonly model_config?: unknown }
  if (model !== undefined) return yield* layerNames(model, depth + 1)
  const { config } = topology as LayerConfig
  if (typeof config !== 'object' || config === null) return
  const { layers, layer, name } = config as {
    readonly layers?: unknown
    readonly layer?: unknown
    readonly name?: unknown
  }
  // Before version 1.0, the config of a Sequential is the list itself.
  const inner = Array.isArray(config) ? config : Array.isArray(layers) ? layers : []
  for (const each of inner) yield* layerNames(each, depth + 1)
  if (layer !== undefined) yield* layerNames(layer, depth + 1)
  if (typeof name === 'string') yield name
}
