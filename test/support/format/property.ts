/** Laws: what holds for everything that an arbitrary makes. */

import type { ExecutionContext } from 'ava'
import fc from '../fast-check.js'

/** Asserts a property; a failure says the seed, and the smallest case that was found. */
export function holds<T>(
  t: ExecutionContext,
  property: fc.IProperty<T>,
  parameters: fc.Parameters<T> = {},
): void {
  t.notThrows(() => fc.assert(property, { includeErrorInReport: true, ...parameters }))
}
