/** Lets timers, input and signals have their turn. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    /* c8 ignore next 2 -- browsers have no setImmediate, and coverage is taken in Node. */
    if (typeof setImmediate === 'function') setImmediate(resolve)
    else setTimeout(resolve, 0)
  })
}
