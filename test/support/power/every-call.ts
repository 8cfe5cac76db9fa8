/** A save that loses the power at each of its calls, and at the moment when it has resolved. */

import { mkdir, open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Disk } from '../crash/disk.js'
import type { Findings } from '../crash/every-call.js'
import { type Play, rehearse, withSaver } from '../crash/rehearsal.js'
import { makeScene } from '../crash/scene.js'
import { type Call, describeCall } from '../crash/trace.js'
import { inject } from '../crash/tracer.js'
import { command } from '../crash/workspace.js'
import { cutPower, restorePower } from './power-cut.js'

export interface PowerCuts extends Omit<Play, 'folder'> {
  readonly disk: Disk
  /** At which calls; default all. */
  readonly at?: (call: Call, calls: readonly Call[]) => boolean
  /** How many times, besides, after a save that has resolved. */
  readonly afterwards: number
  /**
   * Whether somebody else syncs a file of their own right before the cut. That may make the names of
   * our files durable as well, and not what is in them.
   */
  readonly bystander?: boolean
}

/** Cuts the power at each call, and after the save; what is wrong afterwards. */
export async function cutPowerAtEveryCall(cuts: PowerCuts): Promise<Findings> {
  const { disk, at = () => true, afterwards, ...play } = cuts
  const folder = join(disk.path, 'scenes')
  await mkdir(folder, { recursive: true })
  const calls = await rehearse({ ...play, folder })
  const points = [
    ...calls.filter((call) => at(call, calls)),
    ...Array.from({ length: afterwards }, () => undefined),
  ]
  const violations: string[] = []
  for (const [i, call] of points.entries()) {
    const faults = await tryPoint(cuts, join(folder, String(i)), call)
    const where = call === undefined ? 'after the save' : `at ${describeCall(call)}`
    violations.push(...faults.map((fault) => `${play.scene}, power cut ${where}: ${fault}`))
  }
  return { tried: points.length, violations }
}

/** Cuts the power at the call, or without one when the save has resolved. */
async function tryPoint(
  { disk, scene: name, bystander = false, ...how }: PowerCuts,
  place: string,
  call: Call | undefined,
): Promise<string[]> {
  const scene = await makeScene(name, place)
  let resolved = false
  await withSaver(scene, how, async (saver) => {
    // What was there before has been there for long.
    await command('sync', '--file-system', disk.path)
    if (call === undefined) {
      resolved = (await saver.save())?.durability === 'durable'
      await cutPower(disk)
      await saver.ended
      return
    }
    // Not on the disk: the trace would be lost.
    const trace = `${disk.image}.trace`
    const injector = await inject(saver, [{ call, fault: { kind: 'kill' } }], trace)
    saver.begin()
    await saver.ended
    if (bystander) await syncFile(join(disk.path, 'bystander'))
    await cutPower(disk)
    if ((await injector.injected()) !== 1) throw new Error(`it was not killed at ${call.text}`)
  })
  await restorePower(disk)
  if (call === undefined && !resolved) return ['the save did not resolve']
  const faults = await scene.faults(resolved ? 'new' : 'old or new', { mayBeLeft: true })
  faults.push(...(await scene.faultsOfNextSave()))
  await rm(place, { recursive: true })
  return faults
}

/** Writes to a file and syncs it. */
async function syncFile(path: string): Promise<void> {
  const file = await open(path, 'a')
  await file.write('something')
  await file.sync()
  await file.close()
}
