/** Concurrent work: which failure is reported, when to yield, when to stop waiting. */

/**
 * The first failure of concurrent calls, which is the one that the caller gets. The later ones are most often its
 * consequences.
 */
export class FirstFailure {
  #failure: { readonly error: unknown } | undefined

  /** Whether anything has failed. */
  get occurred(): boolean {
    return this.#failure !== undefined
  }

  /** Keeps `error`, unless an earlier one is kept. */
  keep(error: unknown): void {
    this.#failure ??= { error }
  }

  /** Throws the error that is kept, if there is one. */
  throwIfAny(): void {
    if (this.#failure !== undefined) throw this.#failure.error
  }
}

/** Yields to the event loop: timers, input and signals are handled before it resolves. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    if (typeof setImmediate === 'function') setImmediate(resolve)
    else if (typeof MessageChannel === 'function') {
      // Browsers make a timer within a timer wait four milliseconds, which is a thousand times too long here.
      const { port1, port2 } = new MessageChannel()
      port1.onmessage = () => {
        port1.close()
        resolve()
      }
      port2.postMessage(null)
    } else setTimeout(resolve, 0)
  })
}

/**
 * Settles like `promise`, but rejects with the signal's reason as soon as the signal is aborted. It does so even if
 * `promise` never settles. For every wait for a trainer: a device that hangs must not keep a save from ending.
 */
export async function orAborted<T>(
  promise: PromiseLike<T>,
  signal: AbortSignal | undefined,
): Promise<Awaited<T>> {
  if (signal === undefined) return await promise
  let abort = (): void => {}
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(signal.reason)
    if (signal.aborted) abort()
    else signal.addEventListener('abort', abort)
  })
  try {
    return await Promise.race([promise, aborted])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}

/** The results of `map` for all items, in their order, with at most `atOnce` calls under way. */
export async function mapAtOnce<T, R>(
  items: readonly T[],
  atOnce: number,
  map: (item: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = new Array(items.length)
  let next = 0
  const work = async (): Promise<void> => {
    for (let i = next++; i < items.length; i = next++) results[i] = await map(items[i]!)
  }
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, work))
  return results
}

/** A copy of bytes, which whichever thread comes first carries out. */
export interface Copy {
  /** Has the same length as `source`. */
  readonly target: Uint8Array
  readonly source: Uint8Array
}
