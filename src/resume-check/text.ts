/** What the resume check has found, in words. */

import type { Attribute } from '../format/attributes.js'
import type { Differences, TensorDifference } from './difference.js'

// As many of each sort; a forgotten optimizer differs in all of its tensors.
const MOST_LINES = 8

export function identicalText(
  { states, tensors }: { readonly states: readonly string[]; readonly tensors: number },
  { before, after }: { readonly before: number; readonly after: number },
): string {
  return (
    `identical, bit for bit: ${tensors} tensor${tensors === 1 ? '' : 's'} and the attributes of ${states.join(', ')}, ` +
    `directly after the restore at step ${before} and after each of the ${after} steps that follow`
  )
}

export function differentText(
  verdict: 'not-reproducible' | 'not-restored' | 'diverged',
  before: number,
  step: number,
  { tensors, attributes, other }: Differences,
): string {
  const [one, two] =
    verdict === 'not-reproducible'
      ? ['in one run', 'in another']
      : ['without a break', 'after the restore']
  return [
    headline(verdict, before, step),
    ...some(other),
    ...some(
      attributes.map(
        ({ state, path, expected, actual }) =>
          `${state}: attribute ${path} is ${shown(expected)} ${one}, ${shown(actual)} ${two}`,
      ),
    ),
    ...some(tensors.map((difference) => tensorLine(difference, one, two))),
  ].join('\n  ')
}

function headline(verdict: string, before: number, step: number): string {
  switch (verdict) {
    case 'not-reproducible':
      return (
        `two runs from the start differ after ${step} steps, before anything was restored, ` +
        'so that no checkpoint could make them the same:'
      )
    case 'not-restored':
      return `directly after the restore at step ${step}, not everything is as it was:`
    default:
      return (
        `the restore at step ${before} brought back all that is compared, but after step ${step} ` +
        'it differs, so that something else has a state:'
      )
  }
}

function tensorLine(
  { state, tensor, index, expected, actual, differing, elements }: TensorDifference,
  one: string,
  two: string,
): string {
  return (
    `${state}: ${tensor}[${index}] is ${number(expected.value)} (${expected.bits}) ${one}, ` +
    `${number(actual.value)} (${actual.bits}) ${two}; ${differing} of ${elements} elements differ`
  )
}

function some(lines: readonly string[]): readonly string[] {
  const rest = lines.length - MOST_LINES
  return rest <= 0 ? lines : [...lines.slice(0, MOST_LINES), `and ${rest} more`]
}

function shown(value: Attribute | undefined): string {
  if (value === undefined) return 'missing'
  if (typeof value === 'number' || typeof value === 'bigint') return number(value)
  return JSON.stringify(value, (_, item) =>
    typeof item === 'number' || typeof item === 'bigint' ? number(item) : item,
  )
}

/** With the sign of a zero. */
function number(value: number | bigint): string {
  return Object.is(value, -0) ? '-0' : String(value)
}
