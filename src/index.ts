/** The entry for Node, and for every runtime that has Node's modules. */

export { type LoadOptions, loadCheckpoint } from './load/load.js'
export type { SetAside } from './manager/checkpoint-folder.js'
export {
  CheckpointManager,
  type ManagedSaveOptions,
  type ManagerOptions,
  type ResumeOptions,
  type ResumeReport,
  type SavedReport,
} from './manager/checkpoint-manager.js'
export type { CheckpointInfo } from './manager/folder-entry.js'
export type { KeepBest, KeepCandidate, KeepPolicy, KeepRules } from './manager/keep-policy.js'
export type { SaveRules } from './manager/schedule.js'
export * from './public.js'
export {
  type BackgroundSave,
  BackgroundSaver,
  type BackgroundSaverOptions,
  type WhenBusy,
} from './save/background/saver.js'
export { saveCheckpoint } from './save/save.js'
