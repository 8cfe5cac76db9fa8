/**
 * Reads restored states again and compares them with the checkpoint. A trainer may initialise its weights after it has
 * loaded them, copy them to the wrong place, or round them.
 */

import { CheckpointError } from '../errors.js'
import { crc32 } from '../format/checksum.js'
import type { CheckpointTensor } from '../load/state.js'
import { type CollectedTensor, collectState, tensorBytes } from '../save/collect.js'
import { bytesOf } from '../state.js'
import { keyText, type TensorKey } from './compare.js'
import { ConvertedTensor } from './converted-tensor.js'
import { answer, incomplete } from './take-over.js'
import { isMemory, type Pair } from './targets.js'

// The most names in a message.
const NAMED = 10

const OF_TRAINER = [
  'expected the trainer to hold what it was given, found other values in its state afterwards:',
  'Let loadStateDict() finish what it does, and leave its tensors as they were saved',
] as const

const OF_FILE = [
  'the trainer was given damaged bytes, because they were not verified (verify: false):',
  'Restore another checkpoint',
] as const

/** How a tensor differs. If its bytes in the file are damaged, that is the reason, and not the trainer. */
interface Difference {
  readonly reason: string
  readonly damage?: CheckpointError | undefined
}

/**
 * Reads the tensors of `pairs` back; by default only those of objects that have a `loadStateDict`. Throws
 * CKPT_RESTORE_INCOMPLETE with the names of the tensors that differ from the checkpoint. If the file is damaged there
 * (`verify: false`), the `cause` is CKPT_TENSOR_CHECKSUM. Throws it too if an abort ends the wait for a trainer's answer.
 */
export async function readBack(
  pairs: readonly Pair[],
  all: boolean,
  signal: AbortSignal | undefined,
): Promise<void> {
  const names = pairs.map(({ saved }) => saved.name)
  let differing: Awaited<ReturnType<typeof differencesOf>>
  try {
    differing = await differencesOf(pairs, all, signal)
  } catch (cause) {
    if (!signal?.aborted) throw cause
    throw incomplete(
      'the restore was aborted while the trainer was asked for its state',
      names,
      cause,
    )
  }
  if (differing.length === 0) return
  const lines = differing.slice(0, NAMED).map((one) => `${keyText(one)} ${one.reason}`)
  const rest = differing.length - lines.length
  const wrong = new Set(differing.map(({ state }) => state))
  const restored = names.filter((name) => !wrong.has(name))
  const cause = differing.find(({ damage }) => damage !== undefined)?.damage
  const [headline, remedy] = cause === undefined ? OF_TRAINER : OF_FILE
  throw new CheckpointError(
    'CKPT_RESTORE_INCOMPLETE',
    `${headline}\n  ${lines.join('\n  ')}${rest > 0 ? `\n  and ${rest} more` : ''}\n` +
      `${remedy}; readBack: false restores without this comparison`,
    { restored, tensors: differing.map(({ state, tensor }) => ({ state, tensor })), cause },
  )
}

async function differencesOf(
  pairs: readonly Pair[],
  all: boolean,
  signal: AbortSignal | undefined,
) {
  const differing: (TensorKey & Difference)[] = []
  for (const { target, collected, saved } of pairs) {
    // A trainer skips a state of another kind; the caller has been warned.
    const isOther = saved.kind !== null && collected.kind !== null && saved.kind !== collected.kind
    if (saved.size === 0 || isOther || (isMemory({ target }) && !all)) continue
    const { tensors } = await answer(collectState(target, saved.name), signal)
    for (const [name, tensor] of saved) {
      const difference = await answer(differenceOf(tensor, tensors.get(name)), signal)
      if (difference !== undefined)
        differing.push({ state: saved.name, tensor: name, ...difference })
    }
  }
  return differing
}

/** How a tensor differs from the saved one; undefined if it does not. */
async function differenceOf(
  saved: CheckpointTensor,
  here: CollectedTensor | undefined,
): Promise<Difference | undefined> {
  if (here === undefined) return { reason: 'is not there' }
  const [expected, actual] = [saved, here].map(
    ({ dtype, shape }) => `${dtype} [${shape.join(', ')}]`,
  )
  if (expected !== actual) return { reason: `is ${actual}, and not ${expected}` }
  const { dtype, byteLength, name } = here
  const bytes =
    here.bytes ?? tensorBytes(await here.fetch!(), dtype, byteLength, `the tensor ${name}`)
  const checksum = crc32(bytes)
  if (saved instanceof ConvertedTensor) {
    const isSame = checksum === crc32(bytesOf(await saved.read()))
    return isSame ? undefined : { reason: 'has other elements' }
  }
  if (saved.segment().checksumFault(checksum) === undefined) return undefined
  // Only now, because it reads the tensor from the file once more.
  const damage = saved.segment().checksumFault(crc32(bytesOf(await saved.read())))
  return damage === undefined
    ? { reason: 'has other elements' }
    : { reason: 'is damaged in the file: checksum mismatch', damage }
}
