/** The ways to open one checkpoint file. Each has to give the same results. */

import { readFile } from 'node:fs/promises'
import type { Checkpoint } from '../../src/load/checkpoint.js'
import { loadCheckpoint } from '../../src/load/load.js'
import type { OpenOptions } from '../../src/load/open.js'

/** Whether this machine can map files: koffi is optional, and Windows reads. */
export const canMap =
  process.platform !== 'win32' &&
  (await import('koffi').then(
    () => true,
    () => false,
  ))

export type Way = 'map' | 'file' | 'memory' | 'blob'

export const ways: readonly Way[] = canMap
  ? ['map', 'file', 'memory', 'blob']
  : ['file', 'memory', 'blob']

/** Opens the file at `path` through a source of that kind. */
export async function loadBy(
  way: Way,
  path: string,
  options: OpenOptions = {},
): Promise<Checkpoint> {
  switch (way) {
    case 'map':
      return loadCheckpoint(path, options)
    case 'file':
      return loadCheckpoint(path, { ...options, map: false })
    case 'memory':
      return loadCheckpoint(await readFile(path), options)
    case 'blob':
      return loadCheckpoint(new Blob([await readFile(path)]), options)
  }
}
