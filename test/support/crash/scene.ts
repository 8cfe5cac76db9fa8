/** A folder before a save, and the test whether it keeps the promises after a save with a fault. */

import { chmod, chown, mkdir, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { temporaryName } from '../../../src/io/file/temporary-file.js'
import { saveCheckpoint } from '../../../src/save/save.js'
import { temporaryFiles, whichStep } from './found.js'
import type { SaveOnce } from './save-once.js'
import { checkpointBytes, trainingAt } from './training.js'

export type SceneName =
  /** There is no file, and no folder. */
  | 'first save into a new folder'
  /** Replaces the file of another step; there is also a temporary file of a killed process. */
  | 'overwrite'
  /** The same with a save in the background, in another thread. */
  | 'overwrite in the background'
  /** Only the owner may read the file; if we are root, the owner is another user. */
  | "overwrite of somebody's private file"
  /** A manager saves the next step and removes the oldest of two. */
  | 'rotation'

/** The file that must be at the path. `new or damaged`: a file that the load must not accept as valid. */
export type Expected = 'old' | 'new' | 'old or new' | 'new or damaged'

export interface Circumstances {
  /** The temporary file may remain, because the process was killed or could not remove it. */
  readonly mayBeLeft?: boolean
  /** Whether the owner has to be that of the file before; default true. */
  readonly ownerKept?: boolean
}

export interface Scene {
  readonly job: SaveOnce
  /** The faults after the save. */
  faults(expected: Expected, circumstances?: Circumstances): Promise<string[]>
  /** The faults after the next save: it must succeed, and leave only the checkpoints. */
  faultsOfNextSave(): Promise<string[]>
}

// The steps of the existing file, of the save, and of the save after it.
const OLD = 1
const NEW = 2
const NEXT = 3

// No user of this machine has this number.
const SOMEBODY = 54_321

/** Linux gives this number to no process. */
export const NOBODYS_PID = 2_147_483_646

/** Makes a scene in a new folder. Its checkpoints are in a folder `run` in that. */
export async function makeScene(name: SceneName, place: string): Promise<Scene> {
  await mkdir(place)
  if (name === 'rotation') return new Rotation(place)
  const scene = new OneFile(name, place)
  await scene.prepare()
  return scene
}

/** Saves to one path again and again. */
class OneFile implements Scene {
  readonly job: SaveOnce
  readonly #name: SceneName
  #replaced: { readonly mode: number; readonly uid: number } | undefined
  #leftover: string | undefined

  constructor(name: SceneName, place: string) {
    this.#name = name
    const job = { path: join(place, 'run', 'a.ckpt'), step: NEW }
    this.job =
      name === 'overwrite in the background'
        ? { ...job, by: 'background', before: [join(place, 'before', 'b.ckpt')] }
        : job
  }

  async prepare(): Promise<void> {
    if (this.#name === 'first save into a new folder') return
    const { path } = this.job
    await mkdir(dirname(path))
    await writeFile(path, await checkpointBytes(OLD))
    if (this.#name === 'overwrite') {
      await chmod(path, 0o644)
      this.#leftover = temporaryName('a.ckpt').replace(`.${process.pid}.`, `.${NOBODYS_PID}.`)
      await writeFile(join(dirname(path), this.#leftover), 'half a checkpoint')
    } else {
      await chmod(path, 0o600)
      if (process.getuid?.() === 0) await chown(path, SOMEBODY, SOMEBODY)
    }
    this.#replaced = await stat(path)
  }

  async faults(expected: Expected, circumstances: Circumstances = {}): Promise<string[]> {
    const { path } = this.job
    const faults: string[] = []
    const step = await whichStep(path, [OLD, NEW])
    const old = this.#replaced === undefined ? 'absent' : OLD
    const found = step === NEW ? 'new' : step === old ? 'old' : step
    if (!expected.split(' or ').includes(String(found))) {
      faults.push(`the file is ${found === OLD ? 'another one' : found} and not ${expected}`)
    }
    const { mayBeLeft = false, ownerKept = true } = circumstances
    if (this.#replaced !== undefined && found !== 'absent') {
      const { mode, uid } = await stat(path)
      if (mode !== this.#replaced.mode || (ownerKept && uid !== this.#replaced.uid)) {
        faults.push(`mode ${mode.toString(8)} and owner ${uid} are not those of the file before`)
      }
    }
    for (const name of await temporaryFiles(dirname(path))) {
      if (name === this.#leftover) continue
      if (!mayBeLeft) faults.push(`a temporary file is left: ${name}`)
      const { mode } = await stat(join(dirname(path), name))
      const allowed = this.#replaced?.mode ?? 0o666 & ~process.umask()
      if ((mode & ~allowed & 0o777) !== 0) {
        faults.push(`the temporary file may be read by more people than the file`)
      }
    }
    return faults
  }

  faultsOfNextSave(): Promise<string[]> {
    return faultsOfSave(this.job.path)
  }
}

/** Saves each step to a file of its own and keeps the newest two. */
class Rotation implements Scene {
  readonly job: SaveOnce
  readonly #folder: string

  constructor(place: string) {
    this.#folder = join(place, 'run')
    const [oldest, old, path] = [OLD, NEW, NEXT].map((step) => this.#pathOf(step))
    this.job = { path: path!, step: NEXT, by: 'manager', before: [oldest!, old!] }
  }

  async faults(expected: Expected, { mayBeLeft = false }: Circumstances = {}): Promise<string[]> {
    const [oldest, old, found] = await Promise.all(
      [OLD, NEW, NEXT].map((step) => whichStep(this.#pathOf(step), [step])),
    )
    const faults: string[] = []
    if (old !== NEW) faults.push(`the file before it is ${old}`)
    if (found !== NEXT && found !== 'absent') faults.push(`the new file is ${found}`)
    if (expected === 'new' && found !== NEXT) faults.push('the new file is not there')
    if (expected === 'old' && found === NEXT) faults.push('the new file is there already')
    if (oldest !== OLD && oldest !== 'absent') faults.push(`the oldest file is ${oldest}`)
    if (oldest !== OLD && found !== NEXT) {
      faults.push('the oldest file was removed before the new one was there')
    }
    if (!mayBeLeft && (await temporaryFiles(this.#folder)).length > 0) {
      faults.push('a temporary file is left')
    }
    return faults
  }

  faultsOfNextSave(): Promise<string[]> {
    return faultsOfSave(this.#pathOf(NEXT + 1))
  }

  #pathOf(step: number): string {
    return join(this.#folder, `step-${String(step).padStart(12, '0')}.ckpt`)
  }
}

async function faultsOfSave(path: string): Promise<string[]> {
  const { model, optimizer, progress } = trainingAt(NEXT)
  try {
    await saveCheckpoint(path, model, optimizer, progress)
  } catch (error) {
    return [`the next save fails: ${error}`]
  }
  const faults: string[] = []
  const found = await whichStep(path, [NEXT])
  if (found !== NEXT) faults.push(`the next save left a file that is ${found}`)
  const left = await temporaryFiles(dirname(path))
  if (left.length > 0) faults.push(`the next save leaves ${left.join()} lying about`)
  return faults
}
