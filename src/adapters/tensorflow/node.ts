/**
 * Nodes: how a file describes what stands in a field. A value stands for itself, a list for an array, and a map
 * has its sort under `is`: `tensor`, `variable` and `array` (with the `name` of the tensor in the file),
 * `object` and `Map` (keys and values in turn in `entries`), `Set`, `instance` (of a class, with its `fields`),
 * `parameter`, `weight` and `model` (what is trained, and saved on its own), `name` (a text with the name of a
 * variable in it), `same` (by the number of an array or object before it), `undefined`, and `hidden`.
 */

import { type Attribute, type Attributes, isPlainObject } from '../../format/attributes.js'
import { isTextNode, type OwnNames } from './own-names.js'

/** A node that says of what sort it is. */
export type Node = { readonly is: string } & Attributes

/** Every node of a tensor or typed array among those in `nodes` and below them. */
export function* tensorNodes(nodes: Iterable<Attribute>): Generator<Node> {
  for (const node of nodes) {
    if (Array.isArray(node)) yield* tensorNodes(node)
    if (!isNode(node)) continue
    if (['tensor', 'variable', 'array'].includes(node.is)) yield node
    else if (node.is === 'instance') yield* tensorNodes(Object.values(node.fields as Attributes))
    else if (Array.isArray(node.entries)) yield* tensorNodes(node.entries)
  }
}

/** A key of a Map, as it is here: a value, or a variable. Undefined where its parameter is not here. */
export function keyHere(node: Attribute, names: OwnNames): unknown {
  if (isTextNode(node)) return names.fromFile(node)
  if (!isNode(node)) return node
  return node.is === 'parameter' ? names.variableOf(String(node.name)) : null
}

/** The keys and values of a Map or plain object. */
export function* pairsOf(
  entries: Attribute | undefined,
): Generator<readonly [Attribute, Attribute]> {
  const list = Array.isArray(entries) ? (entries as readonly Attribute[]) : []
  for (let i = 0; i + 1 < list.length; i += 2) yield [list[i]!, list[i + 1]!]
}

/** Whether a node is a map that says of what sort it is, and not a value or a list. */
export function isNode(node: Attribute): node is Node {
  return isPlainObject(node) && typeof node.is === 'string'
}
