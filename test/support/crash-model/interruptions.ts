/**
 * A save that is cut off, at each of its calls, and the next one that has to cope with what it finds:
 * temporary files, folders that were made and not synced. After a kill the system runs on; after a
 * power cut it starts again from each state that the cut may leave.
 */

import { type CrashImage, crashImages } from './crash-states.js'
import { ModelFileSystem } from './model-file-system.js'
import {
  Actor,
  type Commit,
  DEAD_PROCESS,
  judgeSound,
  outcome,
  type Plot,
  play,
  settle,
} from './stage.js'
import { addTally, newTally, type Tally } from './verdict.js'
import { LAST_VERSION } from './versions.js'

/** Kills the process before each of its calls; then another one saves. */
export async function killedAtEachCall(plot: Plot, commit: Commit): Promise<Tally> {
  const tally = newTally()
  const { model: whole } = await play(plot, commit)
  for (let last = 0; last < whole.calls; last++) {
    const { model } = await play(plot, commit, {
      number: DEAD_PROCESS,
      director: ({ index }, process) => {
        if (index === last) process.kill()
        return undefined
      },
    })
    addTally(tally, await saveAgain(model, plot, commit))
  }
  return tally
}

/** Cuts the power after each change, and saves anew on what is left, in each way that it may be. */
export async function powerCutAtEachCall(plot: Plot, commit: Commit): Promise<Tally> {
  const tally = newTally()
  const { model } = await play(plot, commit, { number: DEAD_PROCESS })
  const disk = model.start.clone()
  for (const event of model.events) {
    if (!('effects' in event) || event.effects.length === 0) continue
    for (const effect of event.effects) disk.apply(effect)
    for (const image of crashImages(disk)) {
      for (const newest of [false, true]) {
        addTally(tally, await saveAfterStart(image, newest, plot, commit))
      }
    }
  }
  return tally
}

function saveAfterStart(
  image: CrashImage,
  newest: boolean,
  plot: Plot,
  commit: Commit,
): Promise<Tally> {
  return saveAgain(new ModelFileSystem(image.restarted(newest)), plot, commit)
}

/** One more save by a process of its own, which has to succeed. */
async function saveAgain(model: ModelFileSystem, plot: Plot, commit: Commit): Promise<Tally> {
  const actor = new Actor(model, model.process('B'), commit)
  const error = await outcome(actor.save(plot.path, LAST_VERSION))
  await settle()
  return judgeSound({ model, error }, plot)
}
