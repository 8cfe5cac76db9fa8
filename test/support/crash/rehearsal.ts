/** A save without faults, to list the calls that it makes. */

import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Mutant } from './mutants.js'
import { type SaveOnce, Saver } from './save-once.js'
import { makeScene, type Scene, type SceneName } from './scene.js'
import type { Call } from './trace.js'
import { type Injection, record } from './tracer.js'

/** The content and the way of the save. */
export interface Play {
  /** A folder in which each scene gets one of its own. */
  readonly folder: string
  readonly scene: SceneName
  readonly mutant?: Mutant | undefined
  /** The saver, if it is not that of the scene. */
  readonly by?: SaveOnce['by']
}

/** The calls of the save, in order; of one in which those in `faults` fail. */
export async function rehearse(
  { folder, scene: name, ...how }: Play,
  faults: readonly Injection[] = [],
): Promise<Call[]> {
  const place = join(folder, 'rehearsal')
  const scene = await makeScene(name, place)
  const calls = await withSaver(scene, how, (saver) => record(saver, place, faults))
  await rm(place, { recursive: true })
  return calls
}

/** Gives `use` a process that is ready to save in the scene. Nothing of it is left, even if `use` fails. */
export async function withSaver<Result>(
  { job }: Scene,
  { mutant, by }: Pick<Play, 'mutant' | 'by'>,
  use: (saver: Saver) => Promise<Result>,
): Promise<Result> {
  const saver = await Saver.start({ ...job, ...(mutant && { mutant }), ...(by && { by }) })
  try {
    return await use(saver)
  } finally {
    saver.kill()
  }
}
