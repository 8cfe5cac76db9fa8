/**
 * Copies that two threads carry out together: one moves less than memory can take. Whoever asks for them
 * takes part, and waits for the other one without a turn for anybody else, so that what is copied is all
 * of one moment, and nobody can let go of memory meanwhile.
 */

import type { Copy } from '../io/concurrency.js'
import type { MemoryCalls } from '../io/file/libc.js'

// Of the words before the columns: the next copy that nobody has taken; whether the helper is at one; and
// whether it has failed at one. The fourth is none: the columns begin at a multiple of eight bytes.
const NEXT = 0
const HELPING = 1
const FAILED = 2
const WORDS = 4
const HEAD = WORDS * Int32Array.BYTES_PER_ELEMENT

/** Addresses of target and source, and the length, of each copy. */
const COLUMNS = 3

function views(list: SharedArrayBuffer): { state: Int32Array; columns: BigInt64Array } {
  return { state: new Int32Array(list, 0, WORDS), columns: new BigInt64Array(list, HEAD) }
}

/**
 * Carries out copies together with whoever is sent the list that `invite` is called with, and gives it to
 * `helpToCopy`; without them where they do not come.
 */
export function copyTogether(
  copies: readonly Copy[],
  calls: MemoryCalls,
  invite: (list: SharedArrayBuffer) => void,
): void {
  const length = COLUMNS * copies.length * BigInt64Array.BYTES_PER_ELEMENT
  const list = new SharedArrayBuffer(HEAD + length)
  const { state, columns } = views(list)
  for (const [i, { target, source }] of copies.entries()) {
    columns[COLUMNS * i] = calls.addressOf(target)
    columns[COLUMNS * i + 1] = calls.addressOf(source)
    columns[COLUMNS * i + 2] = BigInt(source.byteLength)
  }
  invite(list)
  for (;;) {
    const copy = copies[Atomics.add(state, NEXT, 1)]
    if (copy === undefined) break
    copy.target.set(copy.source)
  }
  while (Atomics.load(state, HELPING) === 1) Atomics.wait(state, HELPING, 1)
  if (Atomics.load(state, FAILED) === 1) {
    for (const { target, source } of copies) target.set(source)
  }
}

/** In another thread: takes copies until there are none that nobody has taken. Never throws. */
export function helpToCopy(list: SharedArrayBuffer, calls: MemoryCalls): void {
  const { state, columns } = views(list)
  // Before one is taken: whoever finds them all taken looks at this then.
  Atomics.store(state, HELPING, 1)
  try {
    for (;;) {
      const i = COLUMNS * Atomics.add(state, NEXT, 1)
      if (i >= columns.length) break
      calls.copy(columns[i]!, columns[i + 1]!, Number(columns[i + 2]!))
    }
  } catch {
    Atomics.store(state, FAILED, 1)
  } finally {
    Atomics.store(state, HELPING, 0)
    Atomics.notify(state, HELPING)
  }
}
