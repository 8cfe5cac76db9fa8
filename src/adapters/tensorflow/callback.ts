/**
 * A callback for `model.fit` and `model.fitDataset` of TensorFlow.js. It saves checkpoints by the rules of a
 * CheckpointManager, and resumes from the newest one, like ModelCheckpoint and BackupAndRestore in Python. It imports
 * neither TensorFlow.js nor the manager.
 */

import { describe } from '../../format/attributes.js'
import { givenOptions, type OptionNames } from '../../options.js'
import type { RestoreOptions, RestoreReport } from '../../restore/restore-options.js'
import { checkStateful } from '../../save/collect.js'
import type { SaveOptions } from '../../save/write.js'
import type { Module, Optimizer, Stateful } from '../../state.js'

/** The members of a CheckpointManager that the callback uses. */
export interface FitManager {
  readonly preempted?: boolean
  save(
    model: Module,
    optimizer: Optimizer | null | undefined,
    options: SaveOptions & { readonly step: number; readonly force?: boolean },
  ): Promise<boolean>
  restoreLatest(
    model: Module,
    optimizer: Optimizer | null | undefined,
    options?: RestoreOptions,
  ): Promise<RestoreReport | null>
  flush(): Promise<void>
}

/** Options of `tensorflowCallback`. */
export interface FitCallbackOptions {
  /**
   * When the callback asks the manager whether a checkpoint is due: after every `epoch` (the default), or after every
   * `batch`. The rule `everySteps` counts batches. If asked by `epoch`, the manager saves at the end of the epoch in
   * which that many batches have passed.
   */
  readonly ask?: 'epoch' | 'batch' | undefined
  /** What else to save and restore, by name, for example a sampler. */
  readonly extras?: { readonly [name: string]: Stateful } | undefined
  readonly config?: SaveOptions['config'] | undefined
  /** Number of batches trained before, if `resume` does not restore the run that continues. */
  readonly step?: number | undefined
}

const OPTIONS: OptionNames<FitCallbackOptions> = {
  ask: true,
  extras: true,
  config: true,
  step: true,
}

/**
 * What `fit` reports for a batch or an epoch: `loss`, the metrics by name, and `val_…` of both. Next to callbacks of
 * TensorFlow.js's own classes they come as scalar tensors. The callback reads these, and they stay `fit`'s.
 */
export interface FitLogs {
  readonly [name: string]: number
}

/**
 * Fits `callbacks` of `model.fit`, alone or in an array next to `tf.callbacks.earlyStopping()` and others, in any
 * order.
 */
export interface FitCallback {
  /**
   * Restores the newest checkpoint, if there is one. Call it before `fit` and pass on the result: `model.fit(x, y, {
   * epochs, ...(await callback.resume()), callbacks: callback })`.
   */
  resume(options?: Omit<RestoreOptions, 'extras'>): Promise<{ initialEpoch: number }>
  /** Number of batches trained, over all epochs and resumes. */
  readonly step: number
  /** Does nothing. TensorFlow.js calls it if it takes the callback for an instance of one of its classes. */
  setParams(params: unknown): void
  /** Does nothing, like `setParams`. */
  setModel(model: unknown): void
  onTrainBegin(): Promise<void>
  onEpochBegin(epoch: number): Promise<void>
  onBatchBegin(batch: number): Promise<void>
  onBatchEnd(batch: number, logs?: FitLogs): Promise<void>
  onEpochEnd(epoch: number, logs?: FitLogs): Promise<void>
  onTrainEnd(): Promise<void>
}

// Entries of a batch's logs that are not metrics.
const NO_METRICS: ReadonlySet<string> = new Set(['loss', 'batch', 'size'])

/**
 * Makes the callback. `module` and `optimizer` are those of `tensorflowModule` and `tensorflowOptimizer`.
 *
 * A checkpoint's `step` is the number of batches and `epoch` the number of complete epochs, both since the very
 * beginning. `loss` and `metrics` are what `fit` reports, with `val_loss` among the metrics. The final state is always
 * saved, and `fit` returns when everything is durable.
 *
 * A run that resumes from the end of an epoch continues exactly if its data come in the same order. `fit` itself
 * shuffles by Math.random. So pass it `shuffle: false`, or a dataset whose order has a state among the `extras`. From
 * the middle of an epoch (`ask: 'batch'`, or after a signal) `fit` can only begin that epoch again, with the weights as
 * saved.
 */
export function tensorflowCallback(
  manager: FitManager,
  module: Module,
  optimizer: Optimizer | null | undefined,
  options: FitCallbackOptions = {},
): FitCallback {
  const given = givenOptions('tensorflowCallback', OPTIONS, options)
  const { ask = 'epoch', extras, config } = given
  if (typeof manager?.save !== 'function') {
    throw new TypeError(`expected a CheckpointManager, not ${describe(manager)}`)
  }
  checkStateful(module, 'model')
  if (optimizer != null) checkStateful(optimizer, 'optimizer')
  if (ask !== 'epoch' && ask !== 'batch') {
    throw new TypeError(`ask must be 'epoch' or 'batch', not ${JSON.stringify(ask)}`)
  }
  const common = {
    ...(extras === undefined ? {} : { extras }),
    ...(config === undefined ? {} : { config }),
  }
  let step = given.step ?? 0
  /** Number of complete epochs. */
  let epochs = 0
  let logs: FitLogs = {}
  /** Whether the manager has been asked about this step, and whether it has saved it. */
  let asked = true
  let saved = true

  const save = async (force: boolean) => {
    const progress = { step, epoch: epochs, ...progressOf(logs) }
    asked = true
    saved = await manager.save(module, optimizer, { ...progress, ...common, force })
  }
  // `fit` calls these as functions, without a `this`.
  const callback: FitCallback = {
    get step() {
      return step
    },
    async resume(restoreOptions = {}) {
      const restore = { ...restoreOptions, ...(extras === undefined ? {} : { extras }) }
      const report = await manager.restoreLatest(module, optimizer, restore)
      if (report !== null) {
        step = report.step
        epochs = report.epoch
      }
      return { initialEpoch: epochs }
    },
    setParams() {},
    setModel() {},
    async onTrainBegin() {},
    async onEpochBegin(epoch) {
      epochs = epoch
    },
    async onBatchBegin() {
      // Asks about the previous batch. Only now it is known not to be the last of its epoch, whose checkpoint waits for
      // the end of the epoch and its metrics.
      if (!asked && (ask === 'batch' || manager.preempted === true)) await save(false)
    },
    async onBatchEnd(_batch, batchLogs = {}) {
      step++
      logs = await numbersOf(batchLogs)
      asked = false
      saved = false
    },
    async onEpochEnd(epoch, epochLogs = {}) {
      epochs = epoch + 1
      logs = await numbersOf(epochLogs)
      saved = false
      await save(false)
    },
    async onTrainEnd() {
      if (!saved) await save(true)
      await manager.flush()
    },
  }
  const model = models.get(module)
  if (model !== undefined) putAfterOthers(model, callback)
  return callback
}

/** The models that modules were made of. */
const models = new WeakMap<Module, object>()

/** Remembers the layers model that a module was made of, whose `fit` gets a callback. */
export function rememberModel(module: Module, model: object): void {
  models.set(module, model)
}

/** Whether an item of `callbacks` is an instance of one of TensorFlow.js's classes, and not a plain object. */
function isInstance(item: unknown): boolean {
  const { setParams, setModel } = (item ?? {}) as { setParams?: unknown; setModel?: unknown }
  return typeof setParams === 'function' && typeof setModel === 'function'
}

/** The callbacks that a model's `fit` puts after others, by the model. */
const placed = new WeakMap<object, WeakSet<object>>()

/**
 * Lets `fit` of that model take `callback` in front of instances of TensorFlow.js's classes. The first item of an array
 * decides whether TensorFlow.js takes all of them as such instances or as plain objects. So this puts the callback
 * behind the others, which only `fit` gets to see.
 */
function putAfterOthers(model: object, callback: FitCallback): void {
  const known = placed.get(model)
  if (known !== undefined) {
    known.add(callback)
    return
  }
  const ours = new WeakSet<object>([callback])
  placed.set(model, ours)
  const isOurs = (item: unknown) => typeof item === 'object' && item !== null && ours.has(item)
  for (const name of ['fit', 'fitDataset'] as const) {
    const fit = (model as { [name: string]: unknown })[name]
    if (typeof fit !== 'function') continue
    const fitWithAll = function (this: unknown, ...given: unknown[]): unknown {
      const args = given.map((arg) => {
        const { callbacks } = (arg ?? {}) as { callbacks?: unknown }
        if (!Array.isArray(callbacks) || !callbacks.some(isOurs)) return arg
        const others = callbacks.filter((item) => !isOurs(item))
        if (!others.some(isInstance)) return arg
        return { ...(arg as object), callbacks: [...others, ...callbacks.filter(isOurs)] }
      })
      return fit.apply(this, args)
    }
    Object.defineProperty(model, name, { value: fitWithAll, writable: true, configurable: true })
  }
}

/** Logs as numbers; scalar tensors among them are read. */
async function numbersOf(logs: { readonly [name: string]: unknown }): Promise<FitLogs> {
  const numbers: { [name: string]: number } = {}
  for (const [name, value] of Object.entries(logs)) {
    const { data } = (value ?? {}) as { data?(): Promise<ArrayLike<number>> }
    if (typeof value === 'number') numbers[name] = value
    else if (typeof data === 'function') numbers[name] = (await data.call(value))[0] ?? Number.NaN
  }
  return numbers
}

function progressOf(logs: FitLogs): Pick<SaveOptions, 'loss' | 'metrics'> {
  const { loss } = logs
  const metrics = Object.entries(logs).filter(([name]) => !NO_METRICS.has(name))
  return {
    ...(loss === undefined ? {} : { loss }),
    metrics: Object.fromEntries(metrics),
  }
}
