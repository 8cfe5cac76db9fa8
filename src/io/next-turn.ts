/** Lets timers, input and signals have their turn. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    if (typeof setImmediate === 'function') setImmediate(resolve)
    /* c8 ignore next -- browsers have no setImmediate; test/browser runs this there. */
    else setTimeout(resolve, 0)
  })
}
