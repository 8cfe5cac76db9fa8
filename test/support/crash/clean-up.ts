/**
 * Undoes the effects of a run when it ends in any way: mounts, devices, processes, folders. Everything is synchronous,
 * because nothing else runs while a process exits. The next run removes what a killed run left behind: see
 * workspace.ts.
 */

const pending = new Set<() => void>()

/**
 * Registers an undo function for the end of the process, latest first. Returns a function that runs it now, at most
 * once.
 */
export function undoAtExit(undo: () => void): () => void {
  const undoOnce = (): void => {
    if (pending.delete(undoOnce)) undo()
  }
  pending.add(undoOnce)
  return undoOnce
}

process.on('exit', () => {
  for (const undo of [...pending].reverse()) {
    try {
      undo()
    } catch (error) {
      console.error(error)
    }
  }
})

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => process.exit(1))
}
