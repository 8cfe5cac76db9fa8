/** Processes that save without a pause and are killed at any time. */

import { readdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { saveCheckpoint } from '../../src/save/save.js'
import { Reader } from '../support/crash/reader.js'
import { report } from '../support/crash/report.js'
import { RestlessSaver } from '../support/crash/save-forever.js'
import { scaled } from '../support/crash/scale.js'
import { trainingAt } from '../support/crash/training.js'
import { workspace } from '../support/crash/workspace.js'
import { Random } from '../support/random.js'
import { testWith } from '../support/requires.js'
import { SEED } from '../support/seed.js'

const KILLS = scaled(60)

// Milliseconds that a saver lives after its first save, at most; a save takes a few.
const LIFE = 60

/** What is wrong after one more save: whatever the killed processes have left has to be gone. */
async function faultsOfLastSave(path: string): Promise<string[]> {
  const { model, optimizer, progress } = trainingAt(0)
  await saveCheckpoint(path, model, optimizer, progress)
  const names = await readdir(dirname(path))
  return names.length === 1 ? [] : [`the last save leaves ${names.join()}`]
}

testWith()('a saver that is killed at random has lost no save that it told of', async (t) => {
  const random = new Random(SEED, 0)
  const path = join(await workspace(t), 'a.ckpt')
  const reader = new Reader()
  const faults: string[] = []
  // Steps that the file may be of: the last that was told of, and one that nobody was told of.
  let told = 0
  for (let kill = 0; kill < KILLS; kill++) {
    const saver = await RestlessSaver.start({ path, saver: 1, first: told + 2 })
    await saver.saved()
    await wait(random.below(LIFE))
    await saver.kill()
    faults.push(...saver.failures)
    told = saver.saves.at(-1)?.step ?? told
    const read = await reader.read(path, { map: false })
    if (typeof read === 'string') faults.push(read)
    else if (read.step !== told && read.step !== told + 1) {
      faults.push(`step ${told} was saved, and the file is of step ${read.step}`)
    }
  }
  faults.push(...(await faultsOfLastSave(path)))
  report(t, 'one saver, killed at random times', KILLS, faults)
})

testWith()('three savers, one of them killed at a time, and a reader', async (t) => {
  const random = new Random(SEED, 0)
  const path = join(await workspace(t), 'a.ckpt')
  const reader = new Reader()
  const faults: string[] = []
  const start = (saver: number) => RestlessSaver.start({ path, saver, first: 0, period: 16 })
  const savers = await Promise.all([0, 1, 2].map(start))
  await savers[0]!.saved()
  let [reads, running] = [0, true]
  const reading = (async () => {
    for (; running; reads++) {
      const read = await reader.read(path, { map: reads % 2 === 0 })
      if (typeof read === 'string') faults.push(read)
    }
  })()
  try {
    for (let kill = 0; kill < KILLS; kill++) {
      const i = random.below(savers.length)
      const victim = savers[i]!
      if (victim.saves.length === 0) await victim.saved()
      await wait(random.below(LIFE))
      await victim.kill()
      faults.push(...victim.failures)
      savers[i] = await start(i)
    }
  } finally {
    running = false
    await reading
    for (const saver of savers) await saver.kill()
  }
  for (const saver of savers) faults.push(...saver.failures)
  faults.push(...(await faultsOfLastSave(path)))
  t.log(`${reads} verified reads meanwhile`)
  report(t, 'three savers on one path, one killed at a time, and a reader', KILLS, faults)
})
