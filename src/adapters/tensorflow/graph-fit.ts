/** Compares the fields that a file has with those of an object of the same class. Nothing is changed. */

import {
  type Attribute,
  type Attributes,
  describe,
  isPlainObject,
} from '../../format/attributes.js'
import { kindOf } from '../../realm.js'
import type { LoadedState } from '../../state.js'
import { type PathSegment, treePath } from '../tree/leaves.js'
import { isNode, keyHere, pairsOf } from './node.js'
import { isTextNode, type OwnNames, textOf } from './own-names.js'
import { isTensor, isVariable, sameShape, type TensorFlowVariable } from './parameters.js'

type Path = readonly PathSegment[]

/** How the fields of a file fit an object. */
export interface GraphFit {
  /** Fields that the object has and the file has not. */
  readonly missing: readonly string[]
  readonly mismatched: readonly {
    readonly name: string
    readonly expected: string
    readonly actual: string
  }[]
  /** The variables here that tensors of the file go into, by the names of these. */
  readonly variables: ReadonlyMap<string, TensorFlowVariable>
}

/**
 * Compares saved fields with those of `object`, which stay as they are. `isLeftOut` is true of values that a
 * save leaves out. What is undefined or null on one side fits anything: it is filled when it is needed.
 */
export function compareGraph(
  saved: Attributes,
  object: object,
  state: LoadedState,
  names: OwnNames,
  isLeftOut: (value: unknown) => boolean,
  skipped: ReadonlySet<string> = new Set(),
): GraphFit {
  const missing: string[] = []
  const mismatched: { name: string; expected: string; actual: string }[] = []
  const variables = new Map<string, TensorFlowVariable>()

  const compareFields = (fields: Attributes, here: object, path: Path): void => {
    for (const [key, node] of Object.entries(fields)) {
      compare(node, (here as { [field: string]: unknown })[key], [...path, key])
    }
    for (const key of Object.keys(here)) {
      const value = (here as { [field: string]: unknown })[key]
      if (value === undefined || Object.hasOwn(fields, key) || isLeftOut(value)) continue
      if (path.length > 0 || !skipped.has(key)) missing.push(treePath([...path, key]))
    }
  }
  const compare = (node: Attribute, here: unknown, path: Path): void => {
    const unfit = (expected: string, actual: string) =>
      mismatched.push({ name: treePath(path), expected, actual })
    if (Array.isArray(node)) {
      if (isObject(here) && !Array.isArray(here)) unfit(describe(here), 'an array')
      for (const [i, item] of node.entries()) {
        compare(item, Array.isArray(here) ? here[i] : undefined, [...path, i])
      }
      return
    }
    if (!isNode(node)) {
      // An object is not told from what it was before its first step.
      const fits = node === null || here == null || isObject(here) || typeof here === typeof node
      if (!fits) unfit(`a ${typeof here}`, `a ${typeof node}`)
      return
    }
    switch (node.is) {
      case 'name':
        if (names.fromFile(node as never) === undefined) unfit('a parameter', textOf(node as never))
        return
      case 'parameter':
      case 'weight':
        if (names.variableOf(String(node.name)) === undefined) unfit('a parameter', `${node.name}`)
        return
      case 'variable':
      case 'tensor':
      case 'array': {
        const name = String(node.name)
        if (!state.has(name)) return void unfit('a tensor', `no tensor ${name}`)
        const { dtype, shape } = state.get(name)
        if (!isTensor(here) || here.isDisposed === true) return
        if (here.dtype !== dtype || !sameShape(here.shape, shape)) {
          unfit(`${here.dtype} [${here.shape}]`, `${dtype} [${shape}]`)
        } else if (node.is === 'variable' && isVariable(here)) variables.set(name, here)
        return
      }
      case 'instance': {
        const fits = isObject(here) && !isPlainObject(here) && here.constructor?.name === node.class
        if (!fits) unfit(describe(here), `an instance of ${node.class}`)
        else compareFields(node.fields as Attributes, here, path)
        return
      }
      case 'Map':
      case 'object': {
        const isThere = node.is === 'Map' ? kindOf(here) === 'Map' : isPlainObject(here)
        if (isObject(here) && !isThere) unfit(describe(here), `a ${node.is}`)
        for (const [key, item] of pairsOf(node.entries)) {
          const known = keyHere(key, names)
          if (known === undefined) unfit('a parameter', isTextNode(key) ? textOf(key) : 'another')
          else compare(item, valueAt(here, known), [...path, String(known)])
        }
        return
      }
      case 'Set':
        for (const item of node.items as readonly Attribute[]) {
          if (keyHere(item, names) === undefined) unfit('a parameter', 'another')
        }
    }
  }
  compareFields(saved, object, [])
  return { missing, mismatched, variables }
}

function valueAt(holder: unknown, key: unknown): unknown {
  if (kindOf(holder) === 'Map') return (holder as ReadonlyMap<unknown, unknown>).get(key)
  return isPlainObject(holder) ? holder[String(key)] : undefined
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}
