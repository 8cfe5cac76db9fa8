/**
 * A disk that fails while a file is synced ("fsyncgate", PostgreSQL, 2018): the sync says so once, the
 * system forgets what it could not write, and the next sync is fine. So a save must not sync again.
 */

import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { whichStep } from '../support/crash/found.js'
import { outcomeFaults } from '../support/crash/promise.js'
import { report } from '../support/crash/report.js'
import { type Outcome, Saver } from '../support/crash/save-once.js'
import { scaled } from '../support/crash/scale.js'
import { inject } from '../support/crash/tracer.js'
import { checkpointBytes } from '../support/crash/training.js'
import { command, workspace } from '../support/crash/workspace.js'
import { FaultyDisk } from '../support/power/faulty-disk.js'
import { FOLDER_SYNC, lateSync, until } from '../support/power/late-sync.js'
import { testWith } from '../support/requires.js'

const OLD = 1
const NEW = 2
const NEXT = 3

const ROUNDS = scaled(4)

const needs = [
  'mounts',
  'loop devices',
  'program:nbdkit',
  'program:nbdfuse',
  'program:fusermount3',
] as const

async function diskWithOldFile(t: ExecutionContext, format: 'ext4' | 'xfs') {
  const disk = await FaultyDisk.create(await workspace(t), format)
  const path = join(disk.path, 'a.ckpt')
  await writeFile(path, await checkpointBytes(OLD))
  await command('sync', '--file-system', disk.path)
  return { disk, path }
}

/** Saves on a disk that fails from before the first write until after the save. */
async function saveOnFailingDisk(disk: FaultyDisk, path: string): Promise<Outcome | undefined> {
  const saver = await Saver.start({ path, step: NEW })
  await disk.fail()
  const outcome = await saver.save()
  await disk.recover()
  await saver.ended
  return outcome
}

for (const format of ['ext4', 'xfs'] as const) {
  const testHere = testWith(...needs, `program:mkfs.${format}`)

  testHere(
    `${format}: a disk that fails under the sync fails the save, and only that`,
    async (t) => {
      const faults: string[] = []
      for (let round = 0; round < ROUNDS; round++) {
        const { disk, path } = await diskWithOldFile(t, format)
        const outcome = await saveOnFailingDisk(disk, path)
        if (outcome?.code !== 'CKPT_NOT_COMMITTED' || outcome.cause !== 'EIO') {
          faults.push(`the save ended with ${JSON.stringify(outcome)}`)
        }
        const found = await whichStep(path, [OLD, NEW])
        if (found !== OLD) faults.push(`after it the file is ${found}`)
        // The device works again, and so does the next save.
        const next = await Saver.start({ path, step: NEXT })
        const { durability, message } = (await next.save()) ?? {}
        if (durability !== 'durable') faults.push(`the next save ended with ${message}`)
        await next.ended
        await disk.mountWhatArrived()
        const arrived = await whichStep(path, [OLD, NEW, NEXT])
        if (arrived !== NEXT) faults.push(`on the device the file is ${arrived}`)
      }
      const what = `device errors under the sync of the file, then a save that works, ${format}`
      report(t, what, ROUNDS, faults)
    },
  )

  testHere(`${format}: after a save that failed, the old file is on the device`, async (t) => {
    const faults: string[] = []
    for (let round = 0; round < ROUNDS; round++) {
      const { disk, path } = await diskWithOldFile(t, format)
      await saveOnFailingDisk(disk, path)
      await disk.mountWhatArrived()
      const arrived = await whichStep(path, [OLD, NEW])
      if (arrived !== OLD) faults.push(`on the device the file is ${arrived}`)
    }
    report(t, `device errors under the sync of the file, ${format}`, ROUNDS, faults)
  })
}

for (const format of ['ext4', 'xfs'] as const) {
  testWith(
    ...needs,
    `program:mkfs.${format}`,
    'tracing',
  )(
    `${format}: a disk that fails under the sync of the folder makes a save uncertain`,
    async (t) => {
      const faults: string[] = []
      for (let round = 0; round < ROUNDS; round++) {
        const { disk, path } = await diskWithOldFile(t, format)
        const saver = await Saver.start({ path, step: NEW })
        await inject(saver, [lateSync(FOLDER_SYNC)], join(disk.path, '..', 'trace'))
        const saved = saver.save()
        await until(async () => (await whichStep(path, [OLD, NEW])) === NEW)
        await disk.fail()
        faults.push(...outcomeFaults(await saved, 'not durable', 'EIO'))
        await disk.recover()
        await saver.ended
        await disk.mountWhatArrived()
        const arrived = await whichStep(path, [OLD, NEW])
        if (arrived !== OLD && arrived !== NEW) faults.push(`on the device the file is ${arrived}`)
      }
      report(t, `device errors under the sync of the folder, ${format}`, ROUNDS, faults)
    },
  )
}

const testTraced = testWith(...needs, 'program:mkfs.ext4', 'tracing')

testTraced('negative control: a save that tries the sync again is caught', async (t) => {
  const { disk, path } = await diskWithOldFile(t, 'ext4')
  const saver = await Saver.start({ path, step: NEW, mutant: 'sync-tried-again' })
  // Here it is that of the file again.
  const injector = await inject(saver, [lateSync(3)], join(disk.path, '..', 'trace'))
  await disk.fail()
  const saved = saver.save()
  // The error passes, as that of a cable that somebody has touched.
  await until(async () => /EIO/.test(await readFile(injector.outputs[0]!, 'utf8')))
  await disk.recover()
  const outcome = await saved
  await saver.ended
  await disk.mountWhatArrived()
  const arrived = await whichStep(path, [OLD, NEW])
  t.log(`the save was ${outcome?.durability ?? outcome?.message}, and the file is ${arrived}`)
  const lost = outcome?.durability === 'durable' && arrived !== NEW
  const faults = lost ? [`the save resolved, and on the device the file is ${arrived}`] : []
  report(t, 'device errors that pass, ext4, sync-tried-again', 1, faults, { control: true })
})
