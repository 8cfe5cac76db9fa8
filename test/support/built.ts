/**
 * The built library. A thread cannot load TypeScript, so code that starts threads is imported from `dist/`, which `npm
 * test` builds first. Its classes are not those of `src/`.
 */

type Library = typeof import('../../src/index.js')

const url = new URL('../../dist/src/index.js', import.meta.url)

export const { BackgroundSaver, CheckpointManager, saveCheckpoint }: Library = await import(
  url.href
)
