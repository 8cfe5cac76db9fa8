/**
 * Copies that two threads carry out together, because one thread moves less than memory can take. The caller takes
 * part, and then waits for the helper without yielding to the event loop. So all copies are of one moment, and no code
 * can detach memory meanwhile.
 */

import type { Copy } from '../io/concurrency.js'
import type { MemoryCalls } from '../io/file/libc.js'

// The words before the columns: the next copy that no thread has taken; whether the helper is at work; whether it has
// failed. The fourth is unused, so that the columns begin at a multiple of eight bytes.
const NEXT = 0
const HELPING = 1
const FAILED = 2
const WORDS = 4
const HEAD = WORDS * Int32Array.BYTES_PER_ELEMENT

/** For each copy: the address of its target, the address of its source, its length. */
const COLUMNS = 3

function views(list: SharedArrayBuffer): { state: Int32Array; columns: BigInt64Array } {
  return { state: new Int32Array(list, 0, WORDS), columns: new BigInt64Array(list, HEAD) }
}

/**
 * Carries out copies together with a helper. `invite` receives a list, and sends it to a thread that passes it to
 * `helpToCopy`. If the helper does not come, the caller does all of the work.
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

/** In another thread: takes copies until all have been taken. Never throws. */
export function helpToCopy(list: SharedArrayBuffer, calls: MemoryCalls): void {
  const { state, columns } = views(list)
  // Set before the first copy is taken: the caller looks at it after all have been taken.
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
