/**
 * What has to be undone when a run ends, however it ends: mounts, devices, processes, folders. All of
 * it is synchronous, as nothing else gets done when a process is told to go. (What a run has left
 * behind that was killed, the next one finds: see workspace.ts.)
 */

const pending = new Set<() => void>()

/**
 * Has something undone when the process ends, the latest first. Returns a function that undoes it
 * now, and only once.
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
