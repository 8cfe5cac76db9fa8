/** The options of a restore, and its report. */

import type { OptionNames } from '../options.js'
import type { OnProgress } from '../progress.js'
import type { Stateful } from '../state.js'
import type { Converted, Part, Rename, Renamed } from './adapt.js'
import type { TensorKey } from './compare.js'

/** Options of a restore. */
export interface RestoreOptions {
  /**
   * True (the default): one error lists every key that is missing, unexpected or mismatched, and nothing is restored.
   * Different kinds (SGD, AdamW) are an error, too. False: missing and unexpected keys are skipped and different kinds
   * are ignored, with one warning for all of them. A mismatch of dtype or shape is still an error.
   */
  readonly strict?: boolean | undefined
  /** Other objects to restore, by the names under which they were saved. */
  readonly extras?: { readonly [name: string]: Stateful } | undefined
  /** Whether checksums are verified first (default true). If not, damage in tensors goes unnoticed. */
  readonly verify?: boolean | undefined
  /**
   * New names for the tensors of the checkpoint. Either a map from prefixes to their replacements, which are all
   * applied in order (`{ 'module.': '', '_orig_mod.': '' }`), or a function of a tensor's name and its state's name. In
   * an optimizer or extra, a prefix may also follow a slash (`exp_avg/module.weight`). Attributes that hold names of
   * the model's tensors are renamed too.
   */
  readonly rename?: Rename | undefined
  /**
   * True: tensors that differ only in dtype are converted among float64, float32, float16 and bfloat16. Values are
   * rounded to nearest, ties to even; NaN and infinities are kept. False (the default): a different dtype is an error.
   */
  readonly convert?: boolean | undefined
  /**
   * The part of the model to restore: prefixes of its tensors' current names, or a function of them. The rest of the
   * model stays as it is. So do its attributes if it takes them by `loadAttributes`. An optimizer or extra that is
   * given is restored whole.
   */
  readonly only?: Part | undefined
  /**
   * Whether to read the states again after the restore and compare them with the checkpoint. A trainer that did not
   * take what it was given causes CKPT_RESTORE_INCOMPLETE. By default only objects with a `loadStateDict` are read
   * back; true reads back all, false none. It costs one more read of these tensors.
   */
  readonly readBack?: boolean | undefined
  /** Called with each warning. Without it, warnings go to `process.emitWarning`, or the console. */
  readonly onWarning?: ((message: string) => void) | undefined
  /** Progress in bytes. Verifying and copying count separately. */
  readonly onProgress?: OnProgress | undefined
  /**
   * Before the first byte is written, it ends the restore with the signal's reason at any time. Later it ends only the
   * wait for a trainer's answer (`loadAttributes`, `loadStateDict`, reading back). If the trainer does not answer
   * within a second, that is CKPT_RESTORE_INCOMPLETE with the reason as its `cause`. Copies into memory are finished.
   */
  readonly signal?: AbortSignal | undefined
}

/** The names of the options of a restore. */
export const RESTORE_OPTIONS: OptionNames<RestoreOptions> = {
  strict: true,
  extras: true,
  verify: true,
  rename: true,
  convert: true,
  only: true,
  readBack: true,
  onWarning: true,
  onProgress: true,
  signal: true,
}

/** The result of a restore. */
export interface RestoreReport {
  readonly epoch: number
  readonly step: number
  readonly loss: number | null
  /** Number of tensors restored. */
  readonly tensors: number
  /** Their length in bytes. */
  readonly byteLength: number
  /** Tensors that the trainer has and the checkpoint lacks; left as they were. Empty if strict. */
  readonly missing: readonly TensorKey[]
  /** Tensors that the checkpoint has and the trainer lacks; skipped. Empty if strict. */
  readonly unexpected: readonly TensorKey[]
  /** Whole states that the trainer has and the checkpoint lacks. Empty if strict. */
  readonly missingStates: readonly string[]
  /** Whole states of the checkpoint that nothing was passed for: `optimizer`, names of extras. */
  readonly unusedStates: readonly string[]
  /** Other differences from the save, such as which weights are frozen. They are also warned of. */
  readonly warnings: readonly string[]
  /** Tensors that `rename` gave another name than in the checkpoint. */
  readonly renamed: readonly Renamed[]
  /** Tensors that were converted to the trainer's dtype. */
  readonly converted: readonly Converted[]
  /** Tensors of the checkpoint's model that are not part of `only`. */
  readonly leftOut: readonly TensorKey[]
}
