/**
 * Text in a file: UTF-8, taken literally. The default TextDecoder drops a leading byte order mark and
 * turns what is not UTF-8 into U+FFFD, so that two different names could become one; neither happens
 * here.
 */

import { MAX_NAME_BYTES } from '../../generated/limits.js'
import { CheckpointError } from '../errors.js'

export { MAX_NAME_BYTES }

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Decodes UTF-8, or throws CKPT_FORMAT with rule `text.utf8`; `what` names it in the message. */
export function decodeText(bytes: Uint8Array, what: string): string {
  try {
    return decoder.decode(bytes)
  } catch (cause) {
    throw new CheckpointError('CKPT_FORMAT', `${what} is not valid UTF-8`, {
      rule: 'text.utf8',
      cause,
    })
  }
}

/**
 * Why a string cannot be the name of a tensor, a state or a metric, or undefined where it can.
 * Any script, any length up to 65,535 bytes; but not empty, and without U+0000 (a reader that ends
 * strings there would take two names for one).
 */
export function nameFault(name: string): string | undefined {
  if (name === '') return 'is empty'
  if (name.includes('\0')) return 'contains U+0000'
  if (name.length > MAX_NAME_BYTES / 3 && utf8Length(name) > MAX_NAME_BYTES) {
    return `is longer than ${MAX_NAME_BYTES} bytes`
  }
  return textFault(name)
}

/** Why a string cannot be written as UTF-8, or undefined where it can. */
export function textFault(text: string): string | undefined {
  return text.isWellFormed() ? undefined : 'contains half of a surrogate pair, which is no text'
}

function utf8Length(text: string): number {
  return new TextEncoder().encode(text).length
}
