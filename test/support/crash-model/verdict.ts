/**
 * Judges a recorded run: at every moment of it, what the running system shows at the paths, and what
 * each power cut at that moment leaves there.
 *
 * At a path there must be, whole, what was there at the start or what a save has put there since; and
 * once a save has been acknowledged, nothing older than what it put there. No file at all is right
 * only where there was none at the start and nothing has been acknowledged, or where it was removed on
 * purpose.
 */

import {
  type CrashImage,
  crashImages,
  isFileSampled,
  isSampled,
  type RenameSteps,
} from './crash-states.js'
import type { Inode, Tree } from './model-disk.js'
import type { Event, Recording } from './model-file-system.js'
import { findInode } from './model-tree.js'
import { identify, isVersion, NOTHING, WRONG } from './versions.js'

export interface Expectation {
  /** Where checkpoints are saved. */
  readonly paths: readonly string[]
  /** The permission bits that every checkpoint has, in every crash state. */
  readonly mode?: number
  /** Once a save has been acknowledged, there is a checkpoint at one path at least. */
  readonly neverNone?: boolean
  /** Whatever else holds of the names at every moment and after every crash; says what does not. */
  readonly also?: (tree: Tree) => readonly string[]
}

export interface Violation {
  /** After which call. */
  readonly after: string
  /** What had reached the disk; undefined where no power cut is needed to see it. */
  readonly crash: string | undefined
  readonly text: string
}

export interface Tally {
  runs: number
  /** Moments at which the power was cut. */
  cuts: number
  /** Crash states that were opened as a reader does, each path counted. */
  states: number
  /** Whether any of them stand for more that were not made. */
  sampled: boolean
  /** Crash states that break the promise. */
  violations: number
  /** What is wrong without a power cut: seen while it runs, or left behind. */
  faults: number
  /** Crash states with a damaged file that the reader took for whole. */
  accepted: number
  /** The first few. */
  readonly examples: Violation[]
}

const EXAMPLES = 5

export function newTally(): Tally {
  return {
    runs: 0,
    cuts: 0,
    states: 0,
    sampled: false,
    violations: 0,
    faults: 0,
    accepted: 0,
    examples: [],
  }
}

/** Adds the second to the first. */
export function addTally(sum: Tally, tally: Tally): void {
  for (const key of ['runs', 'cuts', 'states', 'violations', 'faults', 'accepted'] as const) {
    sum[key] += tally[key]
  }
  sum.sampled ||= tally.sampled
  sum.examples.push(...tally.examples)
  sum.examples.length = Math.min(sum.examples.length, EXAMPLES)
}

/** Counts something that is wrong, in so many states. */
export function blame(tally: Tally, violation: Violation, states = 1): void {
  if (violation.crash === undefined) tally.faults++
  else tally.violations += states
  if (tally.examples.length < EXAMPLES) tally.examples.push(violation)
}

/** Plays a run again, and cuts the power wherever something has changed. */
export async function judge(
  { start, events }: Recording,
  expectation: Expectation,
  renames: RenameSteps = 1,
): Promise<Tally> {
  const tally = newTally()
  tally.runs = 1
  const disk = start.clone()
  const histories = new Map(expectation.paths.map((path) => [path, new History()]))
  const moment = async (after: string) => {
    for (const [path, history] of histories) {
      const found = await identifyVisible(disk, path)
      history.see(found)
      if (!history.allows(found)) {
        blame(tally, { after, crash: undefined, text: `${path}: ${history.complaint(found)}` })
      }
    }
    for (const text of expectation.also?.(disk) ?? []) {
      blame(tally, { after, crash: undefined, text })
    }
    tally.cuts++
    tally.sampled ||= isSampled(disk, renames)
    for (const image of crashImages(disk, renames)) {
      await judgeImage(image, disk.blockSize, after, histories, expectation, tally)
    }
  }
  await moment('the start')
  for (const event of events) {
    if ('note' in event) {
      const history = histories.get(event.note.path)
      if (event.note.kind === 'acknowledged') history?.acknowledge(event.note.version)
      else history?.remove()
    } else {
      if (event.effects.length === 0) continue
      for (const effect of event.effects) disk.apply(effect)
    }
    await moment(describe(event))
  }
  return tally
}

async function judgeImage(
  image: CrashImage,
  blockSize: number,
  after: string,
  histories: ReadonlyMap<string, History>,
  { mode, neverNone, also }: Expectation,
  tally: Tally,
): Promise<void> {
  let acknowledged = false
  let none = true
  const wrong = (text: string, states = 1) =>
    blame(tally, { after, crash: `${image}`, text }, states)
  for (const [path, history] of histories) {
    acknowledged ||= history.acknowledged
    const inode = findInode(image, path)
    if (inode === undefined) {
      tally.states++
      if (!history.allows(NOTHING)) wrong(`${path}: ${history.complaint(NOTHING)}`)
      continue
    }
    none = false
    tally.sampled ||= isFileSampled(image, inode, blockSize)
    for (const [found, states] of await census(image, inode)) {
      tally.states += states
      if (found === WRONG) tally.accepted += states
      if (!history.allows(found)) wrong(`${path}: ${history.complaint(found)}`, states)
    }
    for (const { mode: found } of image.attributes(inode)) {
      if (mode !== undefined && found !== mode) {
        wrong(`${path}: its mode is ${found.toString(8)} and not ${mode.toString(8)}`)
      }
    }
  }
  if (neverNone && acknowledged && none) wrong('there is no checkpoint left')
  for (const text of also?.(image) ?? []) wrong(text)
}

const censuses = new Map<string, Promise<ReadonlyMap<string, number>>>()

/** What a reader finds in a file, and in how many of the states that it may be in. */
function census(image: CrashImage, inode: Inode): Promise<ReadonlyMap<string, number>> {
  const key = image.fingerprint(inode)
  let counts = censuses.get(key)
  if (counts === undefined) {
    counts = count(image, inode)
    censuses.set(key, counts)
  }
  return counts
}

async function count(image: CrashImage, inode: Inode): Promise<ReadonlyMap<string, number>> {
  const counts = new Map<string, number>()
  for (const content of image.contents(inode)) {
    const found = await identify(content)
    counts.set(found, (counts.get(found) ?? 0) + 1)
  }
  return counts
}

/** What was to be seen at a path, and so what may be found there. */
class History {
  readonly #seen: string[] = []
  /** Where in it the newest begins that was acknowledged. */
  #floor = 0
  /** What was acknowledged and has not been seen at all. */
  #owed: string | undefined
  #removed = false
  acknowledged = false

  see(found: string): void {
    this.#seen.push(found)
    if (found === this.#owed) {
      this.#owed = undefined
      this.#floor = this.#seen.length - 1
    }
  }

  acknowledge(version: string): void {
    this.acknowledged = true
    const since = this.#seen.indexOf(version)
    if (since < 0) this.#owed = version
    else this.#floor = Math.max(this.#floor, since)
  }

  remove(): void {
    this.#removed = true
  }

  allows(found: string): boolean {
    if (found === NOTHING) {
      return this.#removed || (!this.acknowledged && this.#seen[0] === NOTHING)
    }
    if (this.#owed !== undefined) return found === this.#owed
    return isVersion(found) && this.#seen.includes(found, this.#floor)
  }

  complaint(found: string): string {
    const right =
      this.#owed !== undefined
        ? [this.#owed]
        : [...new Set(this.#seen.slice(this.#floor))].filter((seen) => this.allows(seen))
    return `${found} where there should be ${right.join(' or ')}`
  }
}

async function identifyVisible(tree: Tree & { read(inode: number): Uint8Array }, path: string) {
  const inode = findInode(tree, path)
  return inode === undefined ? NOTHING : identify(tree.read(inode))
}

/** `rename .a.ckpt.tmp`, as it is told to a person. */
export function describe(event: Event): string {
  if ('note' in event) {
    const { note } = event
    return note.kind === 'acknowledged'
      ? `${note.version} at ${note.path} was acknowledged`
      : `${note.path} was to be removed`
  }
  const { call, fault } = event
  const failed = fault !== undefined && 'error' in fault ? ` (${fault.error})` : ''
  return `call ${call.index}, ${call.process}'s ${call.name} ${call.path}${failed}`
}
