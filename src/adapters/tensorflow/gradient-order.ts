/** The order of a restored optimizer's buffers, which TensorFlow.js pairs with gradients by position. */

import { type BufferList, type Entry, fieldsOf, type TensorFlowOptimizer } from './fields.js'

/** The mark of a function of `sortAtFirstStep`, also of another copy of this library. It is not part of the state. */
const SORTING = Symbol.for('lightwatch-checkpoint.sorting')

/** Whether a field of an optimizer is such a function. */
export function isSorting(value: unknown): boolean {
  return typeof value === 'function' && SORTING in value
}

type Gradients = readonly { readonly name: string }[] | { readonly [name: string]: unknown }

/**
 * Sorts the buffers of a restored optimizer by its gradients. TensorFlow.js pairs the two by position. The order is the
 * trainer's: that of a model's layers, of a list of variables, or of their creation. It becomes known with the first
 * gradients. So this function replaces `optimizer.applyGradients` for one call: it sorts the lists by the names of the
 * gradients, removes itself, and passes the call on.
 */
export function sortAtFirstStep(
  optimizer: TensorFlowOptimizer,
  lists: readonly Pick<BufferList, 'word' | 'field'>[],
): void {
  const fields = fieldsOf(optimizer)
  const applyGradients = fields.applyGradients as (gradients: Gradients) => void
  const wasOwn = Object.hasOwn(fields, 'applyGradients')
  let sorted = false
  const sortAndApply = (gradients: Gradients) => {
    // Other code may have wrapped this function by now; then it stays, and only passes calls on.
    if (fields.applyGradients === sortAndApply) {
      if (wasOwn) fields.applyGradients = applyGradients
      else delete fields.applyGradients
    }
    if (!sorted) {
      sorted = true
      const names = isList(gradients) ? gradients.map(({ name }) => name) : Object.keys(gradients)
      for (const { word, field } of lists) {
        fields[field] = inOrder(fields[field] as readonly Entry[], word, names)
      }
    }
    applyGradients.call(optimizer, gradients)
  }
  fields.applyGradients = Object.assign(sortAndApply, { [SORTING]: true })
}

/**
 * Each entry at the position of its variable in `names`, with a gap if a variable has none (TensorFlow.js fills it in
 * the same step). Entries of variables that are not in `names` follow.
 */
function inOrder(
  entries: readonly Entry[],
  word: string,
  names: readonly string[],
): readonly (Entry | undefined)[] {
  const left = new Map(entries.map((entry) => [entry.originalName, entry]))
  const sorted = names.map((name) => {
    const entry = left.get(`${name}/${word}`)
    if (entry) left.delete(entry.originalName)
    return entry
  })
  return [...sorted, ...left.values()]
}

function isList(gradients: Gradients): gradients is readonly { readonly name: string }[] {
  return Array.isArray(gradients)
}
