/** A value that changes over time, and the components that show it. */

import { useLayoutEffect, useState } from 'preact/hooks'

// Milliseconds between two drawings of values that change all the time.
const PAUSE = 100

/** Holds a value, and tells those who watch when it has changed. */
export class Watched<T> {
  #value: T
  readonly #watchers = new Set<() => void>()
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(value: T) {
    this.#value = value
  }

  get value(): T {
    return this.#value
  }

  /** Changes the value. `calmly`: the watchers hear of it with what follows within a tenth of a second. */
  set(value: T, calmly = false): void {
    this.#value = value
    if (calmly) {
      this.#timer ??= setTimeout(() => this.#tell(), PAUSE)
      return
    }
    this.#tell()
  }

  /** Calls `watcher` after changes, until the returned function is called. */
  watch(watcher: () => void): () => void {
    this.#watchers.add(watcher)
    return () => this.#watchers.delete(watcher)
  }

  #tell(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    for (const watcher of this.#watchers) watcher()
  }
}

/** The value, in a component that is drawn again when it changes. */
export function useWatched<T>(watched: Watched<T>): T {
  const [, draw] = useState({})
  // With the drawing itself, not after it: a change in between would not be seen.
  useLayoutEffect(() => watched.watch(() => draw({})), [watched])
  return watched.value
}
