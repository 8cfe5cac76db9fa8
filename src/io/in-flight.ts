/** Calls that go on beside each other, so many at once and no more. */

export class InFlight {
  readonly #limit: number
  readonly #calls = new Set<Promise<void>>()
  #failure: { readonly error: unknown } | undefined

  constructor(limit: number) {
    this.#limit = limit
  }

  /**
   * Begins a call, when there is room for it. Throws what one before has failed with, and begins none
   * then.
   */
  async add(call: () => Promise<void>): Promise<void> {
    while (this.#calls.size >= this.#limit) await Promise.race(this.#calls)
    this.#throwFailure()
    const running = call()
      .catch((error: unknown) => {
        this.#failure ??= { error }
      })
      .finally(() => {
        this.#calls.delete(running)
      })
    this.#calls.add(running)
  }

  /** Resolves when none is under way. Never throws. */
  async settled(): Promise<void> {
    await Promise.all(this.#calls)
  }

  /** Like `settled`, and throws what the first of them failed with. */
  async done(): Promise<void> {
    await this.settled()
    this.#throwFailure()
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure.error
  }
}
