/** The errors and warnings of a restore, in words. Nothing has been changed when they are made. */

import { sameAttributes } from '../format/attributes.js'
import { MODEL, OPTIMIZER } from '../format/metadata.js'
import type { Checkpoint } from '../load/checkpoint.js'
import { quote } from '../printable.js'
import { comparisonLines, type StateComparison, StateMismatchError } from './compare.js'
import { isMemory, type Pair } from './targets.js'

/** Whether the saved attributes differ from the target's, which cannot take them over. */
function losesAttributes({ target, collected, saved, isPart }: Pair): boolean {
  return (
    isMemory({ target }) &&
    !isPart &&
    target.loadAttributes === undefined &&
    !sameAttributes(saved.attributes, collected.attributes)
  )
}

/** The error for differences, with the keys in its lists. `more` are further lines of the message. */
export function mismatch(
  comparison: StateComparison,
  more: readonly string[] = [],
): StateMismatchError {
  const lines = [...comparisonLines(comparison), ...more].join('\n  ')
  const message = `nothing was restored, because the checkpoint does not fit:\n  ${lines}`
  return new StateMismatchError(message, comparison)
}

/** Throws for differences, or warns of them if the options allow them. */
export function refuseOrWarn(
  comparison: StateComparison,
  pairs: readonly Pair[],
  checkpoint: Checkpoint,
  strict: boolean,
  onWarning: (message: string) => void,
): void {
  const more: string[] = []
  if (isSwapped(pairs, checkpoint)) {
    more.push('the model has the tensors of the saved optimizer: are the two arguments swapped?')
  }
  for (const pair of pairs) {
    const { saved, collected, fit } = pair
    const name = quote(saved.name)
    if (saved.kind !== null && collected.kind !== null && saved.kind !== collected.kind) {
      more.push(
        `${name} is ${quote(collected.kind)} here and ${quote(saved.kind)} in the checkpoint`,
      )
    }
    if (losesAttributes(pair)) {
      more.push(`${name} has other attributes, and no loadAttributes() to restore them`)
    }
    for (const difference of fit.differences ?? []) more.push(`${name}: ${difference}`)
  }
  const lines = [...comparisonLines(comparison), ...more]
  if (lines.length === 0) return
  if (strict || comparison.mismatched.length > 0) throw mismatch(comparison, more)
  onWarning(`not everything was restored from the checkpoint:\n  ${lines.join('\n  ')}`)
}

/** Whether the given model has the names of the checkpoint's optimizer, and none of those of its model. */
function isSwapped(pairs: readonly Pair[], { model, optimizer }: Checkpoint): boolean {
  const names = [
    ...(pairs.find(({ saved }) => saved.name === MODEL)?.collected.tensors.keys() ?? []),
  ]
  return (
    names.length > 0 &&
    names.every((name) => optimizer?.has(name)) &&
    !names.some((name) => model.has(name))
  )
}

/**
 * Warns of states of the checkpoint that the caller did not mention. An optimizer of null and an object of extras mean
 * that the rest should be skipped.
 */
export function warnOfForgotten(
  unused: readonly string[],
  optimizer: unknown,
  extras: unknown,
  onWarning: (message: string) => void,
): void {
  const forgotten = unused.filter((name) =>
    name === OPTIMIZER ? optimizer === undefined : extras === undefined,
  )
  if (forgotten.length === 0) return
  onWarning(
    `the checkpoint has states that are not restored: ${forgotten.map(quote).join(', ')}. Pass them as ` +
      'the optimizer and in extras; pass null and extras: {} to skip them without this warning',
  )
}
