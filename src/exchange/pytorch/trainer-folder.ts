/**
 * A checkpoint of Hugging Face's Trainer: a folder with the optimizer, the scheduler, the weights and the progress in
 * separate files. It is opened by its `optimizer.pt`.
 */

import { isCheckpointError } from '../../errors.js'
import { type Attribute, copyAttributes, isPlainObject } from '../../format/attributes.js'
import type { Source } from '../../io/source.js'
import { readSafetensorsFile, readSafetensorsIndex } from '../safetensors-file.js'
import {
  ForeignState,
  foreignFault,
  type InputPlace,
  type Training,
  type TrainingProgress,
} from '../training.js'

/** The file by which the folder is opened. */
export const TRAINER_OPTIMIZER = 'optimizer.pt'

const STATE = 'trainer_state.json'
const SCHEDULER = 'scheduler.pt'

// Longest trainer_state.json, in bytes: it has an entry for each logged step.
const MAX_STATE = 64 * 1024 * 1024

/** Reads a file of PyTorch. */
type Read = (place: InputPlace) => Promise<Training>

/**
 * Adds the files in the same folder to the optimizer. Without a `trainer_state.json` it returns the training unchanged.
 * Takes ownership of the training, and closes it on failure. The states of random generators are NumPy's, and are left
 * out.
 */
export async function withTrainerFolder(
  optimizer: Training,
  place: InputPlace,
  read: Read,
): Promise<Training> {
  const opened = [optimizer]
  const close = (): void => {
    for (const each of opened) each.close()
  }
  const openNext = async (name: string, reader: Read): Promise<Training | undefined> => {
    const source = await siblingOf(place, name)
    if (source === undefined) return undefined
    const training = await reader({ name, source, sibling: place.sibling })
    opened.push(training)
    return training
  }
  try {
    const state = await siblingOf(place, STATE)
    if (state === undefined) return optimizer
    const attributes = await readState(state)
    const weights =
      (await openNext('model.safetensors', readSafetensorsFile)) ??
      (await openNext('model.safetensors.index.json', readSafetensorsIndex)) ??
      (await openNext('pytorch_model.bin', read))
    const scheduler = await openNext(SCHEDULER, read)
    const extras = new Map([['trainer_state', new ForeignState([], attributes)]])
    if (scheduler !== undefined) extras.set('scheduler', scheduler.model)
    return {
      ...optimizer,
      model: weights?.model ?? optimizer.model,
      extras,
      progress: progressOf(attributes),
      close,
    }
  } catch (error) {
    close()
    throw error
  }
}

/** A file in the same folder; undefined if there is none. */
async function siblingOf(place: InputPlace, name: string): Promise<Source | undefined> {
  try {
    return await place.sibling(name)
  } catch (error) {
    if (isCheckpointError(error) && error.code === 'CKPT_READ') return undefined
    throw error
  }
}

async function readState(source: Source): Promise<{ readonly [key: string]: Attribute }> {
  try {
    const bytes = new Uint8Array(Math.min(source.size, MAX_STATE))
    await source.read(bytes, 0)
    const text = new TextDecoder().decode(bytes)
    // Python writes NaN and the infinities unquoted, which JSON does not allow. Text is left unchanged.
    const json = text.replace(/"(?:[^"\\]|\\.)*"|NaN|-?Infinity/g, (token) =>
      token.startsWith('"') ? token : 'null',
    )
    const value: unknown = JSON.parse(json)
    if (isPlainObject(value)) return copyAttributes(value, STATE)
  } catch (cause) {
    if (isCheckpointError(cause)) throw cause
    throw foreignFault('trainer.state', `${STATE} is not JSON text as the Trainer writes it`, {
      cause,
    })
  } finally {
    source.close()
  }
  throw foreignFault('trainer.state', `${STATE} is not an object`)
}

function progressOf(state: { readonly [key: string]: Attribute }): TrainingProgress {
  const { epoch, global_step: step, log_history: history } = state
  const progress: { -readonly [key in keyof TrainingProgress]: TrainingProgress[key] } = {}
  // The Trainer's epoch has a fraction for the progress within it.
  if (typeof epoch === 'number' && epoch >= 0) progress.epoch = Math.floor(epoch)
  if (typeof step === 'number' && Number.isSafeInteger(step) && step >= 0) progress.step = step
  const metrics: { [name: string]: number } = {}
  for (const entry of Array.isArray(history) ? history : []) {
    if (!isPlainObject(entry)) continue
    if (typeof entry.loss === 'number') progress.loss = entry.loss
    for (const [name, value] of Object.entries(entry)) {
      if (name.startsWith('eval_') && typeof value === 'number') metrics[name] = value
    }
  }
  if (Object.keys(metrics).length > 0) progress.metrics = metrics
  return progress
}
