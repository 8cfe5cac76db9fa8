/** Warnings, where nobody has asked for them: to the process where there is one, else the console. */

export function warn(message: string): void {
  const emitWarning = globalThis.process?.emitWarning
  if (typeof emitWarning === 'function') emitWarning(message, { type: 'CheckpointWarning' })
  else console.warn(message)
}
