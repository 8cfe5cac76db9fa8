/**
 * Puts the buffers of a restored optimizer in the order of its gradients. TensorFlow.js pairs the two
 * by position, and the order is the trainer's: of a model's layers, of a list of variables, or that in
 * which variables were made. It is known when the first gradients come, so that is waited for.
 */

import { type BufferList, type Entry, fieldsOf, type TensorFlowOptimizer } from './fields.js'

type Gradients = readonly { readonly name: string }[] | { readonly [name: string]: unknown }

/**
 * Stands in for `optimizer.applyGradients` for one call, the next one: sorts the lists by the names of
 * its gradients, steps aside, and lets the call go on.
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
    // Somebody else may have wrapped this one by now; then it stays, and just passes on.
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
  fields.applyGradients = sortAndApply
}

/**
 * Each entry at the position of its variable in `names`, a gap where a variable has none (TensorFlow.js
 * fills it in the same step), and the entries of variables that are not in `names` after those.
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
