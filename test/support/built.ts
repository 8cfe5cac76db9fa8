/**
 * The library as it is built: a thread cannot load TypeScript, so what starts one is taken from
 * `dist/`, which `npm test` makes first. Its classes are not those of `src/`.
 */

type Library = typeof import('../../src/index.js')

const url = new URL('../../dist/src/index.js', import.meta.url)

export const { BackgroundSaver, CheckpointManager, saveCheckpoint }: Library = await import(
  url.href
)
