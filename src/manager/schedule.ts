/**
 * When a checkpoint is due: every so many steps, every so many seconds, at certain steps, at the first step. Pure,
 * because the caller passes the time.
 */

import { describe, isPlainObject } from '../format/attributes.js'
import { givenOptions, type OptionNames } from '../options.js'

/** Rules for when to save. A save is due if at least one rule says so. */
export interface SaveRules {
  /**
   * Saves at each step that is a multiple of this. If the manager is not asked about that step (as when `save` is
   * called only at the end of an epoch), it saves at the next step that it is asked about.
   */
  readonly everySteps?: number | undefined
  /** Saves when this many seconds have passed since the last save (or since the manager was made). */
  readonly everySeconds?: number | undefined
  /** Saves at these steps. */
  readonly steps?: readonly number[] | undefined
  /** Saves at the first step that the manager is asked about, if the folder has no checkpoint yet. */
  readonly firstStep?: boolean | undefined
  /** Saves if this function returns true. */
  readonly custom?: ((step: number) => boolean) | undefined
}

const SAVE_RULES: OptionNames<SaveRules> = {
  everySteps: true,
  everySeconds: true,
  steps: true,
  firstStep: true,
  custom: true,
}

/** Decides for each step of one run whether it is saved. */
export class SaveSchedule {
  readonly #rules: SaveRules
  /** Start of the last save, in milliseconds. */
  #last: number
  #asked = false
  /** The last step that the manager was asked about, or the step that the run resumed from. */
  #before: number | undefined
  #savedStep: number | undefined

  /** `now` is in milliseconds. */
  constructor(rules: SaveRules, now: number) {
    this.#rules = rules
    this.#last = now
  }

  /**
   * Whether a checkpoint is due after `step`. A step that has just been saved is not due again, but one that comes
   * again after others is (the run went back). `empty` is whether the folder had no checkpoint at the start; undefined
   * if that is not known yet. Returns undefined if the answer depends on that.
   */
  isDue(step: number, now: number, empty: boolean | undefined): boolean | undefined {
    const { everySteps, everySeconds, steps, firstStep, custom } = this.#rules
    const first = !this.#asked
    const before = this.#before ?? step - 1
    this.#asked = true
    this.#before = step
    if (step === this.#savedStep) return false
    this.#savedStep = undefined
    const atFirst = firstStep === true && first ? empty : false
    return (
      (everySteps !== undefined && reachesMultiple(everySteps, before, step)) ||
      (everySeconds !== undefined && now - this.#last >= everySeconds * 1000) ||
      (steps?.includes(step) ?? false) ||
      atFirst ||
      custom?.(step) ||
      (atFirst === undefined ? undefined : false)
    )
  }

  /** The run continues from `step`, which is 0 if it is new. */
  resumed(step: number): void {
    this.#before = step
  }

  /** A save of `step` has begun. */
  saved(step: number, now: number): void {
    this.#savedStep = step
    this.#last = now
  }

  /** The save of `step` has failed, so the step is due again if it comes again. */
  failed(step: number): void {
    if (this.#savedStep === step) this.#savedStep = undefined
  }
}

/** Whether `step` is a multiple of `every`, or the first after one since `before`. */
function reachesMultiple(every: number, before: number, step: number): boolean {
  return step % every === 0 || Math.floor(step / every) > Math.floor(before / every)
}

/** Throws a TypeError or RangeError, with the name of the rule, if `rules` is not valid. */
export function checkSaveRules(rules: unknown): asserts rules is SaveRules {
  if (!isPlainObject(rules)) {
    throw new TypeError(`save must be an object of rules, not ${describe(rules)}`)
  }
  const given = givenOptions<SaveRules>('save', SAVE_RULES, rules)
  const { everySteps, everySeconds, steps, firstStep, custom } = given
  if (everySteps !== undefined && !(Number.isSafeInteger(everySteps) && everySteps > 0)) {
    throw new RangeError(
      `save.everySteps must be an integer of at least 1, not ${String(everySteps)}`,
    )
  }
  if (everySeconds !== undefined && !(typeof everySeconds === 'number' && everySeconds > 0)) {
    throw new RangeError(`save.everySeconds must be a number above 0, not ${String(everySeconds)}`)
  }
  if (steps !== undefined && !isSteps(steps)) {
    throw new TypeError('save.steps must be an array of steps')
  }
  if (firstStep !== undefined && typeof firstStep !== 'boolean') {
    throw new TypeError('save.firstStep must be true or false')
  }
  if (custom !== undefined && typeof custom !== 'function') {
    throw new TypeError('save.custom must be a function')
  }
}

/** Whether a value is a list of steps. */
export function isSteps(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.every((step) => Number.isSafeInteger(step) && step >= 0)
}
