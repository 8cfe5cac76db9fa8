/** The exports of both entries: everything that needs no file system. */

export {
  CheckpointError,
  type CheckpointErrorCode,
  type CheckpointErrorFields,
  isCheckpointError,
} from './errors.js'
export type { Attribute, Attributes } from './format/attributes.js'
export { type DType, dtypes } from './format/dtype.js'
export { FileHandleSink, type WritableFileHandle } from './io/file-handle-sink.js'
export { MemorySink } from './io/memory-sink.js'
export type { Checksums, Durability, Sink } from './io/sink.js'
export type { Source } from './io/source.js'
export type {
  CheckpointStore,
  Condition,
  OpenStored,
  SinkOptions,
  StoredCheckpoint,
  StoredFile,
  StoreSupport,
} from './io/store.js'
export type { Checkpoint, VerifyOptions } from './load/checkpoint.js'
export type { OpenOptions } from './load/open.js'
export type { CheckpointState, CheckpointTensor } from './load/state.js'
export type { ByteProgress, OnProgress } from './progress.js'
export type { Converted, Part, Rename, Renamed } from './restore/adapt.js'
export {
  type StateComparison,
  StateMismatchError,
  type TensorKey,
  type TensorMismatch,
} from './restore/compare.js'
export { restoreCheckpoint } from './restore/restore.js'
export type { RestoreOptions, RestoreReport } from './restore/restore-options.js'
export type { CheckpointProgress } from './save/plan.js'
export type { SaveOptions, SaveReport } from './save/write.js'
export type {
  LoadedState,
  LoadedTensor,
  LoadStateOptions,
  Module,
  NamedTensors,
  Optimizer,
  State,
  StateDict,
  StateFit,
  Stateful,
  TensorData,
  TensorLike,
  TypedArray,
} from './state.js'
