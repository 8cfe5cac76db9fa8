/** What is tried with each file system. */

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { Disk } from '../crash/disk.js'
import { whichStep } from '../crash/found.js'
import type { Mutant } from '../crash/mutants.js'
import { outcomeFaults } from '../crash/promise.js'
import { Reader } from '../crash/reader.js'
import { report } from '../crash/report.js'
import { RestlessSaver } from '../crash/save-forever.js'
import { Saver } from '../crash/save-once.js'
import { scaled } from '../crash/scale.js'
import type { SceneName } from '../crash/scene.js'
import { inject } from '../crash/tracer.js'
import { checkpointBytes } from '../crash/training.js'
import { command, workspace } from '../crash/workspace.js'
import { Random } from '../random.js'
import { testWith } from '../requires.js'
import { SEED } from '../seed.js'
import { cutPowerAtEveryCall } from './every-call.js'
import { FOLDER_SYNC, lateSync, until } from './late-sync.js'
import { cutPower, restorePower } from './power-cut.js'

const SCENES: readonly SceneName[] = ['first save into a new folder', 'overwrite', 'rotation']

// Calls that change something, and what comes between them.
const CHANGES = /^(pwrite|fsync|close|rename|unlink|mkdir|fch)/

// Power cuts after a save that has resolved, besides those at each of its calls.
const AFTERWARDS = scaled(5)

const OLD = 1
const NEW = 2

// File systems that shut themselves down.
const GIVEN_UP = scaled(3)

// Power cuts under a saver that goes on all the time.
const RANDOM_CUTS = scaled(25)

// Milliseconds until one of those, at most; a save takes a few.
const TIME = 80

export interface Control {
  readonly mutant: Mutant
  readonly scene: SceneName
}

/** Declares the tests for a file system, and the planted bugs that it has to make visible. */
export function testPowerCuts(format: 'ext4' | 'xfs', controls: readonly Control[]): void {
  const testHere = testWith(
    'mounts',
    'loop devices',
    'tracing',
    'program:xfs_io',
    `program:mkfs.${format}`,
  )

  for (const scene of SCENES) {
    testHere(`${format}: a power cut at any call of a save: ${scene}`, async (t) => {
      const disk = await Disk.create(await workspace(t), format)
      const cuts = { disk, scene, afterwards: AFTERWARDS }
      const { tried, violations } = await cutPowerAtEveryCall(cuts)
      report(
        t,
        `power cut at every call and after the save, ${format}: ${scene}`,
        tried,
        violations,
      )
    })

    testHere(`${format}: the same when others sync their files meanwhile: ${scene}`, async (t) => {
      const disk = await Disk.create(await workspace(t), format)
      const { tried, violations } = await cutPowerAtEveryCall({
        disk,
        scene,
        bystander: true,
        at: ({ name }) => CHANGES.test(name),
        afterwards: 0,
      })
      const what = `power cut at every change, others syncing meanwhile, ${format}: ${scene}`
      report(t, what, tried, violations)
    })
  }

  testHere(`${format}: a power cut at any time under a saver that never rests`, async (t) => {
    const random = new Random(SEED, 0)
    const disk = await Disk.create(await workspace(t), format)
    const path = join(disk.path, 'a.ckpt')
    const reader = new Reader()
    const faults: string[] = []
    let [told, saves] = [0, 0]
    for (let cut = 0; cut < RANDOM_CUTS; cut++) {
      const saver = await RestlessSaver.start({ path, saver: 1, first: told + 2 })
      await saver.saved()
      await wait(random.below(TIME))
      await cutPower(disk)
      await saver.kill()
      await restorePower(disk)
      // From the cut on its saves fail.
      const resolved = saver.saves.filter(({ durability }) => durability === 'durable')
      saves += resolved.length
      told = resolved.at(-1)?.step ?? told
      const read = await reader.read(path, { map: false })
      if (typeof read === 'string') faults.push(read)
      else if (read.step !== told && read.step !== told + 1) {
        faults.push(`step ${told} was saved, and the file is of step ${read.step}`)
      }
    }
    t.log(`${saves} saves had resolved`)
    report(t, `power cut at random times under a saver, ${format}`, RANDOM_CUTS, faults)
  })

  testHere(`${format}: a file system that gives up before the folder is synced`, async (t) => {
    const disk = await Disk.create(await workspace(t), format)
    const path = join(disk.path, 'a.ckpt')
    const faults: string[] = []
    for (let round = 0; round < GIVEN_UP; round++) {
      await writeFile(path, await checkpointBytes(OLD))
      await command('sync', '--file-system', disk.path)
      const saver = await Saver.start({ path, step: NEW })
      await inject(saver, [lateSync(FOLDER_SYNC)], `${disk.image}.trace`)
      const saved = saver.save()
      await until(async () => (await whichStep(path, [OLD, NEW])) === NEW)
      // As after an error of its journal's. The process lives on, and gets to know.
      await cutPower(disk)
      faults.push(...outcomeFaults(await saved, 'not durable', 'EIO'))
      await saver.ended
      await restorePower(disk)
      const found = await whichStep(path, [OLD, NEW])
      if (found !== OLD && found !== NEW) faults.push(`after it the file is ${found}`)
    }
    report(t, `file system shut down before the sync of the folder, ${format}`, GIVEN_UP, faults)
  })

  for (const { mutant, scene } of controls) {
    testHere(
      `negative control: ${format} makes a save visible that is wrong (${mutant})`,
      async (t) => {
        const disk = await Disk.create(await workspace(t), format)
        const { tried, violations } = await cutPowerAtEveryCall({
          disk,
          scene,
          mutant,
          at: (call, calls) =>
            calls.indexOf(call) > calls.findIndex(({ name }) => name.startsWith('rename')),
          bystander: true,
          afterwards: AFTERWARDS,
        })
        const what = `power cut after the rename and after the save, ${format}: ${scene}, ${mutant}`
        report(t, what, tried, violations, { control: true })
      },
    )
  }
}
