/** What a restore is told, and what it reports. */

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
   * Other names for the tensors of the checkpoint: prefixes and what stands in their place
   * (`{ 'module.': '', '_orig_mod.': '' }`; every one that fits is taken, in their order), or a function of a
   * tensor's name and of its state's. In an optimizer or extra, a prefix may also come after a slash
   * (`exp_avg/module.weight`). Attributes that are the names of the model's tensors follow.
   */
  readonly rename?: Rename | undefined
  /**
   * True: where only the dtype differs, elements are converted: float64, float32, float16 and bfloat16 to one
   * another, rounded to the nearest, ties to even; NaN and infinities stay. False (the default): another
   * dtype is an error.
   */
  readonly convert?: boolean | undefined
  /**
   * Which part of the model is restored: prefixes of the names that its tensors have here, or a function of
   * them. The rest of it stays as it is, and its attributes too where they are taken by `loadAttributes`. An
   * optimizer or extra that is given is restored whole.
   */
  readonly only?: Part | undefined
  /**
   * Whether the states are read again after the restore and compared with the checkpoint, so that a trainer
   * that does not take what it was given is CKPT_RESTORE_INCOMPLETE. By default of those with a
   * `loadStateDict`; true of all, false of none. It costs one more reading of these tensors.
   */
  readonly readBack?: boolean | undefined
  /** Called with each warning. Without it, warnings go to `process.emitWarning`, or the console. */
  readonly onWarning?: ((message: string) => void) | undefined
  /** Progress in bytes. Verifying and copying count separately. */
  readonly onProgress?: OnProgress | undefined
  /**
   * Ends the restore with the signal's reason, whatever it waits for, as long as no byte has been written. After that
   * it only ends the wait for a trainer that has not answered (`loadAttributes`, `loadStateDict`, reading back), with
   * CKPT_RESTORE_INCOMPLETE, whose `cause` is the reason, unless it answers within a second. Copies into memory are
   * finished.
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
  /** What else differs from the save, such as which weights are frozen; also warned of. */
  readonly warnings: readonly string[]
  /** Tensors that have another name here than in the checkpoint, because of `rename`. */
  readonly renamed: readonly Renamed[]
  /** Tensors that were converted to the dtype that they have here. */
  readonly converted: readonly Converted[]
  /** Tensors of the checkpoint's model that are no part of `only`; left aside. */
  readonly leftOut: readonly TensorKey[]
}
