/** A folder before a save, and whether it is as promised after one that was interfered with. */

import { chmod, chown, mkdir, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { temporaryName } from '../../../src/io/file/temporary-file.js'
import { saveCheckpoint } from '../../../src/save/save.js'
import { temporaryFiles, whichStep } from './found.js'
import type { SaveOnce } from './save-once.js'
import { checkpointBytes, trainingAt } from './training.js'

export type SceneName =
  /** There is no file yet, and not even the folder. */
  | 'first save into a new folder'
  /** The file of another step is replaced, and a killed process's temporary file lies about. */
  | 'overwrite'
  /** The same by a save in the background, which another thread makes. */
  | 'overwrite in the background'
  /** The file is nobody else's to read, and (where we are root) somebody else's. */
  | "overwrite of somebody's private file"
  /** A manager saves the next step and removes the oldest of two. */
  | 'rotation'

/** Which file has to be at the path; `new or damaged` is one that the load must not take for good. */
export type Expected = 'old' | 'new' | 'old or new' | 'new or damaged'

export interface Circumstances {
  /** The temporary file may be left, as the process was killed or was kept from removing it. */
  readonly mayBeLeft?: boolean
  /** Whether the owner has to be that of the file before; default true. */
  readonly ownerKept?: boolean
}

export interface Scene {
  readonly job: SaveOnce
  /** What is wrong after the save. */
  faults(expected: Expected, circumstances?: Circumstances): Promise<string[]>
  /** What is wrong after the next save there: it has to work, and to leave nothing but files. */
  faultsOfNextSave(): Promise<string[]>
}

// The steps of the file that is there, of the one that is saved, and of the save after that.
const OLD = 1
const NEW = 2
const NEXT = 3

// Not a user of this machine.
const SOMEBODY = 54_321

/** Linux numbers no process like that. */
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
