/** The library where there are files: Node, and whatever else has Node's modules. */

export {
  type BackgroundSave,
  BackgroundSaver,
  type BackgroundSaverOptions,
  type WhenBusy,
} from './background/background-saver.js'
export { type LoadOptions, loadCheckpoint } from './load.js'
export type { CheckpointInfo, SetAside } from './manager/checkpoint-folder.js'
export {
  CheckpointManager,
  type ManagedSaveOptions,
  type ManagerOptions,
  type ResumeOptions,
  type ResumeReport,
} from './manager/checkpoint-manager.js'
export type { KeepBest, KeepCandidate, KeepPolicy, KeepRules } from './manager/retention.js'
export type { SaveRules } from './manager/schedule.js'
export * from './public.js'
export { saveCheckpoint } from './save.js'
