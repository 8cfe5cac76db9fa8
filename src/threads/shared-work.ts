/**
 * Copies and reads that two threads carry out together, because one thread moves less than memory can take. The caller
 * takes part, and then waits for the helper without yielding to the event loop. So all of it is of one moment, and no
 * code can detach memory meanwhile.
 */

import type { MemoryCalls, ReadCachedCall } from '../io/file/libc.js'

/** A range of memory to fill, and where its bytes are. */
export interface Task {
  /** Address of the memory. */
  readonly target: bigint
  /** Address of the bytes, or their position in a file. */
  readonly source: bigint
  /** In bytes. */
  readonly length: number
}

/** Carries out a task. Returns whether it was possible. */
export type Work = (task: Task) => boolean

/** Work that copies between addresses. */
export function copyBy(calls: MemoryCalls): Work {
  return ({ target, source, length }) => {
    calls.copy(target, source, length)
    return true
  }
}

/** Work that reads from a file what the system holds of it in memory. The descriptor must stay open. */
export function readCachedBy(call: ReadCachedCall, fd: number): Work {
  return ({ target, source, length }) => call(fd, target, length, Number(source)) === length
}

// The words before the columns: the next task that no thread has taken; whether the helper is at work. There are as many
// as make the columns begin at a multiple of eight bytes.
const NEXT = 0
const HELPING = 1
const WORDS = 2
const HEAD = WORDS * Int32Array.BYTES_PER_ELEMENT

/** For each task: the address of its target, its source, its length, and whether it is done. */
const COLUMNS = 4
const DONE = 3

function views(list: SharedArrayBuffer): { state: Int32Array; columns: BigInt64Array } {
  return { state: new Int32Array(list, 0, WORDS), columns: new BigInt64Array(list, HEAD) }
}

/**
 * Carries out tasks together with a helper. `invite` receives a list, and sends it to a thread that passes it to
 * `helpToWork`. If the helper does not come, the caller does all of the work. Returns for each task whether it is done.
 */
export function workTogether(
  tasks: readonly Task[],
  work: Work,
  invite: (list: SharedArrayBuffer) => void,
): boolean[] {
  const length = COLUMNS * tasks.length * BigInt64Array.BYTES_PER_ELEMENT
  const list = new SharedArrayBuffer(HEAD + length)
  const { state, columns } = views(list)
  for (const [i, task] of tasks.entries()) {
    columns.set([task.target, task.source, BigInt(task.length)], COLUMNS * i)
  }
  invite(list)
  takeTasks(state, columns, work)
  while (Atomics.load(state, HELPING) === 1) Atomics.wait(state, HELPING, 1)
  return tasks.map((_, i) => columns[COLUMNS * i + DONE] === 1n)
}

/** In another thread: takes tasks until all have been taken. Never throws. */
export function helpToWork(list: SharedArrayBuffer, work: Work): void {
  const { state, columns } = views(list)
  // Set before the first task is taken: the caller looks at it after all have been taken.
  Atomics.store(state, HELPING, 1)
  takeTasks(state, columns, work)
  Atomics.store(state, HELPING, 0)
  Atomics.notify(state, HELPING)
}

/** Never throws: a task that throws is not done. */
function takeTasks(state: Int32Array, columns: BigInt64Array, work: Work): void {
  for (;;) {
    const i = COLUMNS * Atomics.add(state, NEXT, 1)
    if (i >= columns.length) return
    const [target, source, length] = columns.subarray(i, i + DONE) as unknown as bigint[]
    try {
      const isDone = work({ target: target!, source: source!, length: Number(length) })
      if (isDone) columns[i + DONE] = 1n
    } catch {}
  }
}
