/** Work that goes on beside other work: which failure is told, how much runs at once, when it ends early. */

/**
 * The first of the failures of calls that run beside each other: the one that the caller is told. Those
 * after it are most often its consequences.
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

/** Yields to the event loop: timers, input and signals are dealt with before it resolves. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    if (typeof setImmediate === 'function') setImmediate(resolve)
    else setTimeout(resolve, 0)
  })
}

/**
 * Settles like `promise`; or rejects with the signal's reason as soon as that is aborted, whether `promise`
 * ever settles or not. For every wait for a trainer: a device that hangs must not keep a save from ending.
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

/** A copy of bytes, to be carried out by whichever thread comes first. */
export interface Copy {
  /** As long as the source. */
  readonly target: Uint8Array
  readonly source: Uint8Array
}
