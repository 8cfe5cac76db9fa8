/**
 * Names of variables within the texts of an optimizer's fields: `{ 'dense_Dense7/kernel': average }`. Such a
 * name holds in one process only, so that a file has the parameter's name in its place.
 */

import { type Attribute, isPlainObject } from '../../format/attributes.js'
import type { Parameter, TensorFlowVariable } from './parameters.js'

/** A text with a parameter's name in it, as a file has it. */
interface NameNode {
  readonly is: 'name'
  readonly before: string
  readonly of: string
  readonly after: string
}

/** What a text is: the name of a variable or not, or either of them. */
export type TextNode = string | NameNode

/** Whether a node of a file is a text: one that is taken as it is, or one with a parameter's name. */
export function isTextNode(node: Attribute): node is TextNode & Attribute {
  return typeof node === 'string' || (isPlainObject(node) && node.is === 'name')
}

/** The parameters that an optimizer trains, by what it may hold of them. */
export class OwnNames {
  readonly #byName: ReadonlyMap<string, Parameter>
  readonly #byKey: ReadonlyMap<string, Parameter>
  readonly #byVariable: ReadonlyMap<object, Parameter>
  /** Longest first: `dense_Dense1/kernel_1` is not `dense_Dense1/kernel`. */
  readonly #longNames: readonly string[]

  constructor(parameters: readonly Parameter[]) {
    this.#byName = new Map(parameters.map((one) => [one.variable.name, one]))
    this.#byKey = new Map(parameters.map((one) => [one.key, one]))
    this.#byVariable = new Map(parameters.map((one) => [one.variable, one]))
    this.#longNames = [...this.#byName.keys()]
      .filter((name) => name.includes('/'))
      .sort((a, b) => b.length - a.length)
  }

  /** The key of a parameter whose variable this is. */
  keyOf(variable: object): string | undefined {
    return this.#byVariable.get(variable)?.key
  }

  /** The variable of the parameter `key`, here. */
  variableOf(key: string): TensorFlowVariable | undefined {
    return this.#byKey.get(key)?.variable
  }

  /**
   * A text as a file has it. Undefined where it cannot be told: TensorFlow.js calls a variable without a name
   * by a number of its process, and a number may be a position as well. `isName`: numbers are names here.
   */
  toFile(text: string, isName = false): TextNode | undefined {
    const exact = this.#byName.get(text)
    if (exact !== undefined && (isName || !isNumber(text))) {
      return { is: 'name', before: '', of: exact.key, after: '' }
    }
    for (const name of this.#longNames) {
      const start = text.indexOf(name)
      if (start === -1) continue
      const before = text.slice(0, start)
      const after = text.slice(start + name.length)
      if (/\w$/.test(before) && !before.endsWith('_')) continue
      if (/^[0-9A-Za-z]/.test(after)) continue
      if (this.#longNames.some((other) => before.includes(other) || after.includes(other))) {
        return undefined
      }
      return { is: 'name', before, of: this.#byName.get(name)!.key, after }
    }
    const numbers = text.match(/(?<![0-9A-Za-z.])\d+(?![0-9A-Za-z.])/g) ?? []
    if (!numbers.some((number) => this.#byName.has(number))) return text
    const own = /^(\d+)(\/.*)$/.exec(text)
    if (!isName || own === null || numbers.length > 1) return undefined
    return { is: 'name', before: '', of: this.#byName.get(own[1]!)!.key, after: own[2]! }
  }

  /** The text of a node, with the names that variables have here. Undefined where one is not here. */
  fromFile(node: TextNode): string | undefined {
    if (typeof node === 'string') return node
    const parameter = this.#byKey.get(node.of)
    return parameter && `${node.before}${parameter.variable.name}${node.after}`
  }
}

/** A text node in words: with the parameter's name that the file has. */
export function textOf(node: TextNode): string {
  return typeof node === 'string' ? node : `${node.before}${node.of}${node.after}`
}

function isNumber(text: string): boolean {
  return /^\d+$/.test(text)
}
