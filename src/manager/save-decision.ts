/**
 * Whether a call of `save` saves. Most calls get the answer at once; some need to know whether the store had
 * checkpoints, or whether the earlier save has finished.
 */

import { nextTurn } from '../io/concurrency.js'
import { busyError, type WhenBusy } from '../save/background/saver.js'
import type { FirstLook } from './first-look.js'
import type { Preemption } from './preemption.js'
import type { RunningSaves } from './running-saves.js'
import type { SaveSchedule } from './schedule.js'

// Signals and messages of the writing thread arrive when the event loop turns. A trainer that never waits does not let
// it turn, so `save` yields this often, in milliseconds.
const TURN_INTERVAL = 50

/** What a decision depends on. */
export interface DecisionGrounds {
  readonly schedule: SaveSchedule
  /** Whether there are no rules: every call saves. */
  readonly always: boolean
  readonly whenBusy: WhenBusy
  readonly saves: RunningSaves
  readonly firstLook: FirstLook
  readonly preemption: Preemption
}

/** Decides for the calls of one manager. */
export class SaveDecision {
  readonly #grounds: DecisionGrounds
  #lastTurn = performance.now()

  constructor(grounds: DecisionGrounds) {
    this.#grounds = grounds
  }

  /** Whether a checkpoint is due after `step`; undefined if that depends on the first look. Call it once a step. */
  isDue(step: number, now: number): boolean | undefined {
    const { schedule, firstLook, always } = this.#grounds
    const due = schedule.isDue(step, now, firstLook.isEmpty)
    return always ? true : due
  }

  /**
   * Whether a save takes place if no signal asks for it. A promise if the answer needs more than is known: whether
   * there were checkpoints (`due` is undefined), or whether the earlier save has finished. The writing thread may have
   * sent that message already.
   */
  isWanted(due: boolean | undefined): boolean | Promise<boolean> {
    const { whenBusy, saves, always } = this.#grounds
    if (due === false) return false
    const isBusy = saves.underWay > 0 && whenBusy !== 'wait'
    if (!isBusy) return due ?? this.#decide(due, isBusy)
    // Without a rule the next step is as good, and this avoids a checksum of the state at each step.
    if (whenBusy === 'skip' && always) return false
    return this.#decide(due, isBusy)
  }

  /** Whether it is time for a turn of the event loop. */
  wantsTurn(now: number): boolean {
    return this.#grounds.saves.underWay > 0 || now - this.#lastTurn > TURN_INTERVAL
  }

  /** Lets signals and messages of the writing thread be handled. */
  async turn(): Promise<void> {
    await nextTurn()
    this.#lastTurn = performance.now()
  }

  async #decide(due: boolean | undefined, isBusy: boolean): Promise<boolean> {
    const { whenBusy, saves, firstLook, preemption } = this.#grounds
    if (isBusy) await this.turn()
    await firstLook.done()
    if (await preemption.called()) return true
    saves.throwFailure()
    if (!(due ?? firstLook.isEmpty)) return false
    if (isBusy && saves.underWay > 0) {
      if (whenBusy === 'error') throw busyError()
      return false
    }
    return true
  }
}
