/** What both entries have in common: everything that needs no file system. */

export type { Checkpoint, VerifyOptions } from './checkpoint.js'
export type { CheckpointProgress } from './contents.js'
export {
  CheckpointError,
  type CheckpointErrorCode,
  type CheckpointErrorFields,
  isCheckpointError,
} from './error.js'
export type { Attribute, Attributes } from './format/attributes.js'
export { type DType, dtypes } from './format/dtype.js'
export { FileHandleSink, type WritableFileHandle } from './io/file-handle-sink.js'
export { MemorySink } from './io/memory-sink.js'
export type { Durability, Sink } from './io/sink.js'
export type { CheckpointState, CheckpointTensor } from './loaded-state.js'
export type { OpenOptions } from './open-checkpoint.js'
export type { ByteProgress, OnProgress } from './progress.js'
export { type RestoreOptions, type RestoreReport, restoreCheckpoint } from './restore.js'
export type {
  LoadedState,
  LoadedTensor,
  Module,
  NamedTensors,
  Optimizer,
  State,
  StateDict,
  Stateful,
  TensorData,
  TensorLike,
  TypedArray,
} from './state.js'
export {
  type StateComparison,
  StateMismatchError,
  type TensorKey,
  type TensorMismatch,
} from './state-comparison.js'
export type { SaveOptions, SaveReport } from './write-checkpoint.js'
