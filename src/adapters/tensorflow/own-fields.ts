/**
 * What an optimizer has in fields that TensorFlow.js does not give it: all fields of a class of the user's own,
 * derived or not, and what was added to an optimizer of TensorFlow.js. They are walked, and what cannot be
 * reached is refused by name, or saved by the user's own hook.
 */

import type { Attribute, Attributes } from '../../format/attributes.js'
import type { LoadedState, StateFit, TensorLike } from '../../state.js'
import { type Graph, readGraph, readValue, type Surroundings } from './graph.js'
import { compareGraph } from './graph-fit.js'
import { tensorNodes } from './node.js'
import { OwnNames } from './own-names.js'
import type {
  Parameter,
  TensorFlowModel,
  TensorFlowTensor,
  TensorFlowVariables,
  Upload,
} from './parameters.js'
import { makeTensors, rebuildFields } from './rebuild.js'

/** Saves and restores what cannot be reached from outside of an optimizer. */
export interface HiddenState {
  /**
   * Returns all of it: tensors, typed arrays and values, in arrays, Maps and plain objects, nested; null if there
   * is nothing to save, as of functions without a state. Must change nothing.
   */
  get(): unknown
  /** Takes what `get` returned at the save. Tensors and arrays in it are new, and the optimizer's. */
  set(saved: unknown): void | Promise<void>
}

/** Fields, and what a hook returned, as they are saved. */
export interface OwnState {
  readonly attributes: Attributes
  readonly tensors: ReadonlyMap<string, TensorLike>
}

/** How saved fields fit, and the names of their tensors in the file. */
export type OwnFit = Required<Pick<StateFit, 'missing' | 'unexpected' | 'mismatched'>> & {
  readonly names: ReadonlySet<string>
  readonly differences?: readonly string[]
}

const HIDDEN_PREFIX = 'hidden/'

/** The own fields of one optimizer. */
export class OwnFields {
  readonly #optimizer: object
  readonly #source: TensorFlowModel | TensorFlowVariables
  readonly #hook: HiddenState | undefined
  readonly #isOurs: (value: unknown) => boolean

  /** `isOurs` is true of functions that this library has put into the optimizer. */
  constructor(
    optimizer: object,
    source: TensorFlowModel | TensorFlowVariables,
    hook: HiddenState | undefined,
    isOurs: (value: unknown) => boolean,
  ) {
    this.#optimizer = optimizer
    this.#source = source
    this.#hook = hook
    this.#isOurs = isOurs
  }

  /**
   * Reads all fields but those in `skipped`, which are saved otherwise. Throws a TypeError that names the class
   * and each field that cannot be saved.
   */
  read(parameters: readonly Parameter[], skipped: ReadonlySet<string>): OwnState {
    const { fields, hidden } = this.#read(parameters, skipped)
    const attributes: { [name: string]: Attribute } = {}
    if (Object.keys(fields.fields).length > 0) attributes.fields = fields.fields
    if (hidden !== undefined) attributes.hidden = hidden.fields.hidden!
    return { attributes, tensors: new Map([...fields.tensors, ...(hidden?.tensors ?? [])]) }
  }

  /** Compares saved fields with those that are here. */
  fit(
    saved: LoadedState,
    attributes: Attributes,
    parameters: readonly Parameter[],
    skipped: ReadonlySet<string>,
  ): OwnFit {
    const { fields = {}, hidden } = attributes
    const { missing, mismatched } = this.#compare(fields, saved, parameters, skipped)
    const nodes = [
      ...Object.values(fields as Attributes),
      ...(hidden === undefined ? [] : [hidden]),
    ]
    const here = this.#hook !== undefined
    return {
      missing: [...missing, ...(here && hidden === undefined ? ['hidden'] : [])],
      unexpected: !here && hidden !== undefined ? ['hidden'] : [],
      mismatched,
      names: new Set(Array.from(tensorNodes(nodes), ({ name }) => String(name))),
    }
  }

  /**
   * Makes the saved tensors, and returns the function that sets the fields and hands its part to the hook.
   * Tensors of fields that are replaced are disposed of.
   */
  async prepare(
    state: LoadedState,
    parameters: readonly Parameter[],
    skipped: ReadonlySet<string>,
    upload: Upload,
  ): Promise<{ set(): Promise<void>; undo(): void }> {
    const { fields = {}, hidden } = state.attributes
    const names = new OwnNames(parameters)
    const { mismatched, variables } = this.#compare(fields, state, parameters, skipped)
    for (const { name, expected, actual } of mismatched) {
      throw new TypeError(`${name} is ${actual} in the checkpoint, and ${expected} here`)
    }
    const before = this.#read(parameters, skipped).fields.held
    const made = await makeTensors(Object.values(fields as Attributes), state, variables, upload)
    const forHook =
      hidden === undefined || this.#hook === undefined
        ? new Map()
        : await makeTensors([hidden], state, new Map(), upload)
    const isTensor = (value: object): value is TensorFlowTensor => 'dispose' in value
    const known = new Set(before.values())
    return {
      set: async () => {
        rebuildFields(fields as Attributes, this.#optimizer, made, names, this.#source)
        const { held } = this.#read(parameters, skipped).fields
        const staying = new Set(held.values())
        for (const tensor of known) if (!staying.has(tensor)) tensor.dispose()
        if (hidden === undefined || this.#hook === undefined) return
        const holder: { value?: unknown } = {}
        rebuildFields({ value: hidden }, holder, forHook, names, this.#source)
        await this.#hook.set(holder.value)
      },
      undo: () => {
        for (const one of [...made.values(), ...forHook.values()]) {
          if (isTensor(one) && !known.has(one)) one.dispose()
        }
      },
    }
  }

  #compare(
    fields: Attribute,
    state: LoadedState,
    parameters: readonly Parameter[],
    skipped: ReadonlySet<string>,
  ) {
    const isLeftOut = (value: unknown) => typeof value === 'function' || this.#isOurs(value)
    const names = new OwnNames(parameters)
    return compareGraph(fields as Attributes, this.#optimizer, state, names, isLeftOut, skipped)
  }

  #read(
    parameters: readonly Parameter[],
    skipped: ReadonlySet<string>,
  ): { readonly fields: Graph; readonly hidden: Graph | undefined } {
    const refused: string[] = []
    const surroundings: Surroundings = {
      prefix: '',
      names: new OwnNames(parameters),
      source: this.#source,
      isKnown: this.#isOurs,
      refuse: (path, reason) => refused.push(path === '' ? reason : `${path}, ${reason}`),
      hasHook: this.#hook !== undefined,
    }
    const fields = readGraph(this.#optimizer, surroundings, skipped)
    const hidden =
      this.#hook &&
      readValue(this.#hook.get(), 'hidden', {
        ...surroundings,
        prefix: HIDDEN_PREFIX,
        hasHook: false,
      })
    if (refused.length === 0) return { fields, hidden }
    throw new TypeError(
      `nothing was saved or restored: the optimizer ${className(this.#optimizer)} has what cannot be saved: ` +
        `${refused.join('; ')}. Save it by a hook: tensorflowOptimizer(optimizer, model, { hidden: { get: () => ` +
        'state, set: (saved) => { … } } }), with get: () => null if it has no state',
    )
  }
}

/** The class of an optimizer, as it is saved: its own `className`, or the name of its constructor. */
export function className(optimizer: object): string {
  const type = (optimizer as { constructor?: { className?: unknown; name?: string } }).constructor
  const own = type !== undefined && Object.hasOwn(type, 'className')
  return String((own && type.className) || type?.name || 'of no class')
}
