/** The attempts and findings of a run, as a Markdown table at its end. */

import test, { type ExecutionContext } from 'ava'

const rows: string[] = []

/**
 * Adds a row, and fails the test if there are violations, with the first few of them. A negative control must have
 * violations: a harness that misses a planted bug proves nothing.
 */
export function report(
  t: ExecutionContext,
  what: string,
  tried: number,
  violations: readonly string[],
  { control = false }: { readonly control?: boolean } = {},
): void {
  const count = violations.length.toLocaleString('en')
  rows.push(
    `| ${what} | ${tried.toLocaleString('en')} | ${control ? `${count} (planted bug)` : count} |`,
  )
  t.log(`${tried} tried, ${violations.length} violations${control ? ', as there should be' : ''}`)
  t.true(tried > 0, 'nothing was tried')
  if (control) {
    t.true(violations.length > 0, 'the planted bug was not caught')
    t.log(`one of them: ${violations[0]}`)
  } else {
    t.is(violations.length, 0, violations.slice(0, 5).join('\n'))
  }
}

test.after.always(() => {
  if (rows.length > 0) {
    console.log(['', '| What | Tried | Violations |', '|---|--:|--:|', ...rows, ''].join('\n'))
  }
})
