/** The entry for Node, and for every runtime that has Node's modules. */

export { FolderStore } from './io/file/folder-store.js'
export type { CacheFolder } from './io/file/local-copies.js'
export { type LoadOptions, loadCheckpoint } from './load/load.js'
export type { CheckpointInfo } from './manager/checkpoint-entry.js'
export {
  CheckpointManager,
  type ManagedSaveOptions,
  type ManagerOptions,
  type MirrorOptions,
  type ResumeOptions,
  type ResumeReport,
  type SavedReport,
} from './manager/checkpoint-manager.js'
export type { KeepBest, KeepCandidate, KeepPolicy, KeepRules } from './manager/keep-policy.js'
export type { SetAside } from './manager/run-checkpoints.js'
export type { SaveRules } from './manager/schedule.js'
export * from './public.js'
export {
  type BackgroundSave,
  BackgroundSaver,
  type BackgroundSaverOptions,
  type WhenBusy,
} from './save/background/saver.js'
export { saveCheckpoint } from './save/save.js'
