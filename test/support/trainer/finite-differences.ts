/** Checks gradients that were propagated back against central differences of the function itself. */

import type { ExecutionContext } from 'ava'
import type { Variable } from './variable.js'

// A power of two, so that x ± STEP loses little in float32. The error of a central difference is about
// STEP² times the third derivative, plus the rounding of a float32 result divided by STEP.
const STEP = 2 ** -7
const TOLERANCE = 5e-4

/**
 * Asserts that `backward()` of the scalar `f()` gives every variable the gradient that nudging its
 * elements one by one shows. The tolerance is relative to the largest element of the gradient.
 */
export function gradientsMatch(
  t: ExecutionContext,
  f: () => Variable,
  variables: readonly Variable[],
): void {
  for (const variable of variables) variable.zeroGrad()
  f().backward()
  for (const { grad, data, shape } of variables) {
    t.truthy(grad, `[${shape}] has no gradient`)
    const expected = Float64Array.from(data, (_, i) => centralDifference(f, data, i))
    const largest = expected.reduce((max, value) => Math.max(max, Math.abs(value)), 0)
    t.true(largest > 0, `the gradient of [${shape}] is zero everywhere, which proves nothing`)
    for (const [i, value] of expected.entries()) {
      const error = Math.abs(grad![i]! - value) / largest
      t.true(error < TOLERANCE, `[${shape}] at ${i}: ${grad![i]} instead of about ${value}`)
    }
  }
}

function centralDifference(f: () => Variable, data: Float32Array, i: number): number {
  const value = data[i]!
  data[i] = value + STEP
  const right = data[i]!
  const above = f().item()
  data[i] = value - STEP
  const left = data[i]!
  const below = f().item()
  data[i] = value
  return (above - below) / (right - left)
}
