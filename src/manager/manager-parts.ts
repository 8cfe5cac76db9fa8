/** The parts of a manager, connected with each other. */

import type { CheckpointStore } from '../io/store.js'
import { BackgroundSaver } from '../save/background/saver.js'
import { FirstLook } from './first-look.js'
import type { managerOptions } from './manager-options.js'
import { Mirror } from './mirror.js'
import { OwnCheckpoints, type WarnOnce } from './own-checkpoints.js'
import { Preemption } from './preemption.js'
import { RunCheckpoints } from './run-checkpoints.js'
import { RunningSaves } from './running-saves.js'
import { SaveDecision } from './save-decision.js'
import { SaveReporter } from './saved-report.js'
import { SaveSchedule } from './schedule.js'

/** The parts of one manager. */
export type ManagerParts = ReturnType<typeof managerParts>

/** Makes the parts for a run in `store`. Makes no request yet. */
export function managerParts(store: CheckpointStore, options: ReturnType<typeof managerOptions>) {
  const { save, keep, whenBusy, stagingBytes, signals, onSaved, onWarning: warn } = options
  const warnOnce = onceOfEachKind(warn)
  const checkpoints = new RunCheckpoints(store)
  const schedule = new SaveSchedule(save ?? {}, performance.now())
  const saver = new BackgroundSaver({ whenBusy, onWarning: warn, stagingBytes })
  const own = new OwnCheckpoints(checkpoints, keep, warnOnce)
  const firstLook = new FirstLook(checkpoints, (entries) => own.adopt(entries), warn)
  const mirror =
    options.mirror &&
    new Mirror(store, options.mirror.store, options.mirror.keep, { warn, warnOnce })
  const reporter = new SaveReporter(store, onSaved, warnOnce)
  const saves = new RunningSaves({ schedule, firstLook, own, reporter, mirror, warn, warnOnce })
  const preemption = new Preemption(signals, warn)
  const always = save === undefined
  const decision = new SaveDecision({ schedule, always, whenBusy, saves, firstLook, preemption })
  return {
    ...{ checkpoints, schedule, saver, own, firstLook, mirror, saves, preemption, decision },
    ...{ warn, warnOnce },
  }
}

/** Warns of each kind of problem once, and not with each save. */
function onceOfEachKind(warn: (message: string) => void): WarnOnce {
  const warned = new Set<string>()
  return (kind, message) => {
    if (warned.has(kind)) return
    warned.add(kind)
    warn(message)
  }
}
