/**
 * The saves of a manager that are under way. Each is followed until it is durable or has failed: the schedule learns of
 * its staging, the caller of its failure, and after it old checkpoints are removed.
 */

import { messageOf } from '../errors.js'
import { quote } from '../printable.js'
import type { BackgroundSave, ManagedSave } from '../save/background/saver.js'
import type { SaveReport } from '../save/write.js'
import type { FirstLook } from './first-look.js'
import type { Mirror } from './mirror.js'
import type { OwnCheckpoints, WarnOnce } from './own-checkpoints.js'
import type { SaveReporter } from './saved-report.js'
import type { SaveSchedule } from './schedule.js'

/** A save that has begun, or may have. */
export interface SaveBegun {
  /** The name of the checkpoint in its store. */
  readonly name: string
  /** Its whole location. */
  readonly path: string
  readonly step: number
  readonly sequence: Promise<number>
  readonly isWanted: ManagedSave['isWanted']
  /** Its start, by `performance.now()`. */
  readonly now: number
}

/** What learns of saves. */
export interface SaveFollowers {
  readonly schedule: SaveSchedule
  readonly firstLook: FirstLook
  readonly own: OwnCheckpoints
  readonly reporter: SaveReporter
  readonly mirror: Mirror | undefined
  readonly warn: (message: string) => void
  readonly warnOnce: WarnOnce
}

/** Follows the saves of one manager, in their order. */
export class RunningSaves {
  readonly #followers: SaveFollowers
  #failure: { readonly error: unknown } | undefined
  #finishing: Promise<void> = Promise.resolve()
  #underWay = 0

  constructor(followers: SaveFollowers) {
    this.#followers = followers
  }

  /** Number of saves that are not durable yet, without those that are not decided on. */
  get underWay(): number {
    return this.#underWay
  }

  /** Resolves when every save that has begun so far is durable or has failed. Never rejects. */
  finished(): Promise<void> {
    return this.#finishing
  }

  /** Throws the error of a save that failed, once. */
  throwFailure(): void {
    const failure = this.takeFailure()
    if (failure !== undefined) throw failure.error
  }

  /** The failure that `throwFailure` would throw, which from now on it does not. */
  takeFailure(): { readonly error: unknown } | undefined {
    const failure = this.#failure
    this.#failure = undefined
    return failure
  }

  /** Has `throwFailure` throw this, unless there is an earlier failure. */
  keepFailure(failure: { readonly error: unknown } | undefined): void {
    this.#failure ??= failure
  }

  /** Follows a save. Resolves to whether it is durable. */
  follow(save: BackgroundSave, begun: SaveBegun): Promise<boolean> {
    const before = this.#finishing
    const finished = this.#run(save, begun, before)
    this.#finishing = Promise.all([before, finished]).then(() => {})
    return finished
  }

  async #run(save: BackgroundSave, begun: SaveBegun, before: Promise<void>): Promise<boolean> {
    const { name, path, step, sequence, now, isWanted } = begun
    const { schedule, firstLook, own, reporter, mirror, warn, warnOnce } = this.#followers
    if (isWanted !== undefined && !(await isWanted)) return false
    this.#underWay++
    try {
      await save.staged
      schedule.saved(step, now)
    } catch {
      // The waiting call of `save` throws this error.
      this.#underWay--
      return false
    }
    let report: SaveReport
    try {
      report = await save.durable
      this.#underWay--
    } catch (error) {
      this.#underWay--
      this.keepFailure({ error })
      schedule.failed(step)
      warn(`the checkpoint ${quote(path)} was not saved: ${messageOf(error)}`)
      return false
    }
    await before
    mirror?.add(name, await sequence)
    await reporter.report(name, { ...report, path, step, sequence: await sequence })
    try {
      await firstLook.done()
      const isHeld = (other: string) => mirror?.holds(other) ?? false
      await own.hasSaved(name, await sequence, report.durability, isHeld)
    } catch (error) {
      warnOnce('remove', `old checkpoints could not be removed: ${messageOf(error)}`)
    }
    return true
  }
}
