/**
 * Names of a model's weights that are the same in every process.
 *
 * TensorFlow.js names an unnamed layer by its class and a number that it counts up over the whole process
 * (`dense_Dense7`). A layer of a loaded model keeps the number of another process. Here such a layer is named by its
 * position among the unnamed layers of its class, in the order of the model's layers: `dense_1`. Names that a user gave
 * stay as they are.
 *
 * Version 0.1.0 used the order of the numbers instead, so that layers could be swapped. The attributes of a state say
 * whether its names use positions. A state that does not say so is from 0.1.0.
 */

import type { Attributes } from '../../format/attributes.js'

/** The members of a weight of a layers model (`LayerVariable`) that are used. */
interface Weight {
  readonly originalName: string
}

/** The members of a layer that are used. A layer may itself be a model. */
interface Layer {
  readonly name?: string
  readonly trainable?: boolean
  readonly weights?: readonly Weight[]
  /** Present if it is a model. */
  readonly layers?: readonly Layer[]
  /** Present if it is a wrapper: the layer that it applies. */
  readonly layer?: Layer
}

/** A layer, or a part of one, that TensorFlow.js has numbered. */
export interface Numbered {
  readonly className: string
  /** Its position among those of its class in the model, from 1. */
  readonly place: number
  /** Its position among them in the order of their numbers, from 1. */
  readonly rank: number
}

/** The names of a weight in files. */
export interface Names {
  /** The current name, with positions of numbered layers. */
  readonly key: string
  /** The name in a file of version 0.1.0, with the order of the numbers. */
  readonly keyByNumber: string
  /** The numbered parts of the names, outermost first. */
  readonly numbered: readonly Numbered[]
}

/** The names of a weight of a layers model. */
export interface WeightNames extends Names {
  /** Whether the weight is not trained because a layer is frozen (`trainable = false`). */
  readonly inFrozenLayer: boolean
}

/** Names the weights of a model. The order of `weights` does not matter. */
export function nameWeights<W extends Weight>(model: object, weights: readonly W[]): WeightNames[] {
  const owners = ownersOf(model as Layer)
  const ranks = ranksOf(weights.flatMap(partsOf))
  const numbered = new Map<object, Map<string, Numbered>>()
  const counts = new Map<string, number>()
  const placed = (part: AutoName, layers: readonly Layer[]): Numbered => {
    const owner = layers.find((layer) => layer.name === part.text) ?? layers[0] ?? model
    const ofOwner = numbered.get(owner) ?? new Map<string, Numbered>()
    numbered.set(owner, ofOwner)
    const { className, number } = part
    let found = ofOwner.get(`${className}${number}`)
    if (found === undefined) {
      const place = (counts.get(className) ?? 0) + 1
      counts.set(className, place)
      found = { className, place, rank: ranks.get(className)!.get(number)! }
      ofOwner.set(`${className}${number}`, found)
    }
    return found
  }
  const names = new Map<Weight, WeightNames>()
  const given = new Set<Weight>(weights)
  for (const weight of [...owners.keys(), ...weights]) {
    if (!given.has(weight) || names.has(weight)) continue
    const layers = owners.get(weight) ?? []
    const parts = partsOf(weight).map((part) =>
      part.className === undefined
        ? { text: part.text }
        : { text: part.stem, numbered: placed(part, layers) },
    )
    const keyBy = (which: 'place' | 'rank') =>
      parts.map(({ text, numbered: one }) => (one ? `${text}_${one[which]}` : text)).join('/')
    names.set(weight, {
      key: keyBy('place'),
      keyByNumber: keyBy('rank'),
      numbered: parts.flatMap(({ numbered: one }) => one ?? []),
      inFrozenLayer: layers.some(({ trainable }) => trainable === false),
    })
  }
  return weights.map((weight) => names.get(weight)!)
}

/** The attribute, to be spread, which says that the numbers in a state's names are positions. */
export function numberingOf(names: readonly Names[]): Attributes {
  return names.some(({ numbered }) => numbered.length > 0) ? { [NUMBERING]: BY_PLACE } : {}
}

/** The name of the attribute of `numberingOf`. */
export const NUMBERING = 'numbering'
const BY_PLACE = 'place'

/** How the names in a file map to the current weights. */
export interface NamesInFile {
  /** Current names by those in the file, for names that may differ. */
  readonly renamed: ReadonlyMap<string, string>
  /** Whether layers might be swapped, because the file does not tell which is which. */
  readonly isUncertain: boolean
}

/**
 * Maps the names of a saved state to `names`. `saved` has the names in the order of the file; `names` is in the order
 * in which this model would save them.
 *
 * A state without the mark is from version 0.1.0. Its names use the order of numbers in a process that is gone. But its
 * tensors are in the order of the model's weights, so the order of the numbers can be compared, then and now. If it
 * differs, a layer's number has changed, or layers have been frozen. Then it is unknown which layer is which.
 */
export function namesInFile(
  names: readonly Names[],
  saved: readonly string[],
  attributes: Attributes,
): NamesInFile {
  if (attributes[NUMBERING] === BY_PLACE) return { renamed: new Map(), isUncertain: false }
  const byNumber = new Map(names.map((name) => [name.keyByNumber, name]))
  const there = saved.flatMap((key) => byNumber.get(key) ?? [])
  const common = new Set(there)
  const here = names.filter((name) => common.has(name))
  const renamed = new Map(there.map(({ key, keyByNumber }) => [keyByNumber, key]))
  const taken = new Set(renamed.values())
  // A name that this model lacks must not take the name of one that it has.
  const collides = saved.some((key) => taken.has(key) && !renamed.has(key))
  return {
    renamed: collides ? new Map() : renamed,
    isUncertain: collides || !sameOrder(there, here),
  }
}

/** Whether the numbered parts come in the same order in both, class by class. */
function sameOrder(a: readonly Names[], b: readonly Names[]): boolean {
  const [left, right] = [ranksInOrder(a), ranksInOrder(b)]
  return [...left].every(
    ([className, ranks]) => `${[...ranks]}` === `${[...right.get(className)!]}`,
  )
}

/** By class: the ranks of the numbered parts, in the order of their first appearance. */
function ranksInOrder(names: readonly Names[]): ReadonlyMap<string, ReadonlySet<number>> {
  const orders = new Map<string, Set<number>>()
  for (const { className, rank } of names.flatMap(({ numbered }) => numbered)) {
    const ranks = orders.get(className) ?? new Set()
    orders.set(className, ranks.add(rank))
  }
  return orders
}

/** The layers around each weight, innermost first. Weights are in the order of the model's layers. */
function ownersOf(model: Layer): Map<Weight, readonly Layer[]> {
  const owners = new Map<Weight, readonly Layer[]>()
  const seen = new Set<Layer>()
  const visit = (layer: Layer, outer: readonly Layer[]): void => {
    if (seen.has(layer)) return
    seen.add(layer)
    const layers = [layer, ...outer]
    // A model or wrapper lists its weights in another order when some are frozen, so inner layers come first.
    for (const inner of layer.layers ?? (layer.layer ? [layer.layer] : [])) visit(inner, layers)
    for (const weight of layer.weights ?? []) if (!owners.has(weight)) owners.set(weight, layers)
  }
  // If it does not look like a layers model, its weights are named in their own order.
  if (Array.isArray(model.layers)) visit(model, [])
  return owners
}

/** By class: the numbers of its layers in this process, each with its position in their order. */
function ranksOf(parts: readonly Part[]): ReadonlyMap<string, ReadonlyMap<number, number>> {
  const numbers = new Map<string, Set<number>>()
  for (const part of parts) {
    if (part.className === undefined) continue
    const taken = numbers.get(part.className) ?? new Set()
    numbers.set(part.className, taken.add(part.number))
  }
  const ranked = (taken: ReadonlySet<number>) =>
    new Map([...taken].sort((a, b) => a - b).map((number, i) => [number, i + 1]))
  return new Map(Array.from(numbers, ([className, taken]) => [className, ranked(taken)]))
}

/** A part of a name that TensorFlow.js made: `forward_lstm_LSTM12`. */
export interface AutoName {
  readonly text: string
  /** `forward_lstm`. */
  readonly stem: string
  /** `LSTM`. */
  readonly className: string
  /** 12. */
  readonly number: number
}

/** A part of a weight's name, between slashes. */
type Part = AutoName | { readonly text: string; readonly className?: undefined }

// Cached, because a weight keeps its name and every save asks for it.
const PARTS = new WeakMap<Weight, readonly Part[]>()

function partsOf(weight: Weight): readonly Part[] {
  const known = PARTS.get(weight)
  if (known !== undefined) return known
  const parts = weight.originalName.split('/').map((text) => autoName(text) ?? { text })
  PARTS.set(weight, parts)
  return parts
}

/**
 * Splits `forward_lstm_LSTM12`. Undefined if the stem does not end with the class in snake case: then a user gave that
 * name.
 */
export function autoName(text: string): AutoName | undefined {
  const underscore = text.lastIndexOf('_')
  if (underscore < 1) return undefined
  const stem = text.slice(0, underscore)
  const tail = text.slice(underscore + 1)
  // A class may itself end with a digit: the stem tells where its name ends and the number begins.
  for (let end = tail.length - 1; end > 0 && isDigit(tail[end]!); end--) {
    const className = tail.slice(0, end)
    if (stem.replaceAll('_', '').endsWith(className.toLowerCase())) {
      return { text, stem, className, number: Number(tail.slice(end)) }
    }
  }
  return undefined
}

function isDigit(character: string): boolean {
  return character >= '0' && character <= '9'
}
