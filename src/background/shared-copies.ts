/**
 * Copies that two threads carry out together: one moves less than memory can take. Whoever asks for them
 * takes part, and waits for the other one without a turn for anybody else, so that what is copied is all
 * of one moment, and nobody can let go of memory meanwhile.
 */

import type { MemoryCalls } from '../io/memory-calls.js'

export interface Copy {
  /** As long as the source. */
  readonly target: Uint8Array
  readonly source: Uint8Array
}

// Of the words before the list: the next copy that nobody has taken; whether the helper is at one; and
// whether it has failed at one.
const NEXT = 0
const HELPING = 1
const FAILED = 2
const WORDS = 4

/** Addresses of target and source, and the length, of each copy. */
const COLUMNS = 3

function views(list: SharedArrayBuffer): { state: Int32Array; copies: BigInt64Array } {
  const start = WORDS * Int32Array.BYTES_PER_ELEMENT
  return { state: new Int32Array(list, 0, WORDS), copies: new BigInt64Array(list, start) }
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
  const bytes = WORDS * Int32Array.BYTES_PER_ELEMENT + copies.length * COLUMNS * 8
  const list = new SharedArrayBuffer(bytes)
  const { state, copies: columns } = views(list)
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
  const { state, copies } = views(list)
  const count = copies.length / COLUMNS
  // Before one is taken: whoever finds them all taken looks at this then.
  Atomics.store(state, HELPING, 1)
  try {
    for (;;) {
      const i = COLUMNS * Atomics.add(state, NEXT, 1)
      if (i >= COLUMNS * count) break
      calls.copy(copies[i]!, copies[i + 1]!, Number(copies[i + 2]!))
    }
  } catch {
    Atomics.store(state, FAILED, 1)
  } finally {
    Atomics.store(state, HELPING, 0)
    Atomics.notify(state, HELPING)
  }
}
