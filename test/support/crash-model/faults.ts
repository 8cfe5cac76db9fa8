/**
 * Calls that fail. Each call of a save is made to fail in each way that it can; then the save must
 * have ended with the error that says which of the two checkpoints is there, with nothing left behind,
 * and the next save must succeed.
 */

import { isCheckpointError } from '../../../src/index.js'
import type { Call, Director, Event, Fault, ModelFileSystem } from './model-file-system.js'
import { findInode } from './model-tree.js'
import {
  Actor,
  fault as blameFault,
  type Commit,
  judgeSound,
  leftovers,
  outcome,
  type Plot,
  play,
  settle,
} from './stage.js'
import type { ErrorName } from './system-error.js'
import { addTally, judge, newTally, type Tally } from './verdict.js'
import { identify, LAST_VERSION, NOTHING } from './versions.js'

const ERRORS: readonly ErrorName[] = ['EIO', 'ENOSPC', 'EDQUOT', 'EROFS', 'EINTR']

const SHORT_WRITES: readonly Fault[] = [{ bytes: 1 }, { share: 0.5 }, { bytes: 0 }]

/** How a save may end. */
type Ending = 'success' | 'CKPT_NOT_COMMITTED' | 'CKPT_NOT_DURABLE'

/** Each call fails once, with each error; each write is cut short as well. */
export async function faultAtEachCall(plot: Plot, commit: Commit): Promise<Tally> {
  const tally = newTally()
  for (const call of await callsOf(plot, commit)) {
    const faults = ERRORS.map((error): Fault => ({ error }))
    if (call.name === 'write') faults.push(...SHORT_WRITES)
    for (const fault of faults) {
      const director: Director = ({ index }) => (index === call.index ? fault : undefined)
      addTally(tally, await failing(plot, commit, director, true))
    }
  }
  return tally
}

/** From each call on, all of them fail: a disk that is gone. Not even tidying up works then. */
export async function faultFromEachCall(plot: Plot, commit: Commit): Promise<Tally> {
  const tally = newTally()
  for (const call of await callsOf(plot, commit)) {
    for (const error of ['EIO', 'EROFS'] as const) {
      const director: Director = ({ index, process }) =>
        index >= call.index && process === 'A' ? { error } : undefined
      addTally(tally, await failing(plot, commit, director, false))
    }
  }
  return tally
}

/** A disk that gets full at each write: half of it fits, and then nothing does. */
export async function fullAtEachWrite(plot: Plot, commit: Commit): Promise<Tally> {
  const tally = newTally()
  for (const call of await callsOf(plot, commit)) {
    if (call.name !== 'write') continue
    const director: Director = ({ index, name, process }) => {
      if (index === call.index) return { share: 0.5 }
      const full = process === 'A' && name === 'write' && index > call.index
      return full ? { error: 'ENOSPC' } : undefined
    }
    addTally(tally, await failing(plot, commit, director, true))
  }
  return tally
}

/** Every write is cut short, and nothing is wrong with that. */
export async function shortWrites(plot: Plot, commit: Commit): Promise<Tally> {
  const director: Director = ({ name }) => (name === 'write' ? { bytes: 100 } : undefined)
  return judgeSound(await play(plot, commit, { director }), plot)
}

async function callsOf(plot: Plot, commit: Commit): Promise<Call[]> {
  const { model } = await play(plot, commit)
  return model.events.flatMap((event) => ('call' in event ? [event.call] : []))
}

/** A save with faults, all that must hold after it, and one more save without. */
async function failing(
  plot: Plot,
  commit: Commit,
  director: Director,
  tidy: boolean,
): Promise<Tally> {
  const tally = newTally()
  const { model, error } = await play(plot, commit, { director })
  const ending = isCheckpointError(error)
    ? error.code
    : error === undefined
      ? 'success'
      : `${error}`
  const expected = expectedEnding(model.events)
  const wrong = (text: string) => blameFault(tally, `${text}; ${faultsOf(model.events)}`)
  if (ending !== expected) wrong(`the save ended with ${ending}, not ${expected}`)
  if (isCheckpointError(error) && error.path !== plot.path) wrong('the error names no path')

  const before = await found(model.start, plot)
  const now = await found(model.disk, plot)
  if (expected === 'CKPT_NOT_COMMITTED' && now !== before) {
    wrong(`${now} is there instead of ${before}`)
  } else if (expected !== 'CKPT_NOT_COMMITTED' && now === before) {
    wrong(`${before} is there still`)
  }
  for (const path of syncedAgain(model.events)) wrong(`the failed sync of ${path} was tried again`)
  if (tidy) addTally(tally, leftovers(model, plot))
  for (const path of model.openDescriptors) wrong(`a descriptor of ${path} was left open`)

  const next = new Actor(model, model.process('B'), commit)
  const retried = await outcome(next.save(plot.path, LAST_VERSION))
  await settle()
  if (retried !== undefined) wrong(`the save after it failed: ${retried}`)
  addTally(tally, await judge(model, plot.expectation))
  return tally
}

/** What a save must end with, by the first of its faults that it cannot get over. */
function expectedEnding(events: readonly Event[]): Ending {
  let renamed = false
  for (const event of events) {
    if ('note' in event) continue
    const { call, fault } = event
    if (call.name === 'rename' && fault === undefined) renamed = true
    if (fault === undefined) continue
    // A short write is gone on with, as long as it is one at all.
    if (!('error' in fault)) {
      if ('bytes' in fault && fault.bytes === 0) return 'CKPT_NOT_COMMITTED'
      continue
    }
    // What is only for tidiness, now or at a later save.
    if (['readdir', 'lock'].includes(call.name) || (renamed && call.name === 'close')) continue
    return renamed ? 'CKPT_NOT_DURABLE' : 'CKPT_NOT_COMMITTED'
  }
  return 'success'
}

/** The files whose sync failed, and was tried again. */
function syncedAgain(events: readonly Event[]): string[] {
  const failed = new Set<string>()
  const again: string[] = []
  for (const event of events) {
    if ('note' in event || event.call.name !== 'fsync') continue
    const { path, process } = event.call
    const file = `${process}'s ${path}`
    if (failed.has(file)) again.push(file)
    if (event.fault !== undefined) failed.add(file)
  }
  return again
}

/** What the running system shows at the plot's path. */
async function found(disk: ModelFileSystem['disk'], { path }: Plot): Promise<string> {
  const inode = findInode(disk, path)
  return inode === undefined ? NOTHING : identify(disk.read(inode))
}

function faultsOf(events: readonly Event[]): string {
  const faults = events.flatMap((event) =>
    'call' in event && event.fault !== undefined
      ? [`${JSON.stringify(event.fault)} in ${event.call.name} ${event.call.path}`]
      : [],
  )
  return faults.slice(0, 1).join('')
}
