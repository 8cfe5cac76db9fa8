/**
 * Text in a file: UTF-8, decoded strictly. The default TextDecoder drops a leading byte order mark and turns invalid
 * bytes into U+FFFD. Two different names could become one.
 */

import { MAX_NAME_BYTES } from '../../generated/limits.js'
import { CheckpointError } from '../errors.js'

export { MAX_NAME_BYTES }

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Decodes UTF-8. Throws CKPT_FORMAT with rule `text.utf8`, and `what` in the message, if it is invalid. */
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
 * Why a string cannot be the name of a tensor, a state or a metric, or undefined if it can. Any script is valid, up to
 * 65,535 bytes. Invalid are the empty name and names with U+0000: a reader that ends strings there would take two names
 * for one.
 */
export function nameFault(name: string): string | undefined {
  if (name === '') return 'is empty'
  if (name.includes('\0')) return 'contains U+0000'
  if (name.length > MAX_NAME_BYTES / 3 && utf8Length(name) > MAX_NAME_BYTES) {
    return `is longer than ${MAX_NAME_BYTES} bytes`
  }
  return textFault(name)
}

/** Why a string cannot be written as UTF-8, or undefined if it can. */
export function textFault(text: string): string | undefined {
  return text.isWellFormed()
    ? undefined
    : 'contains half of a surrogate pair, which UTF-8 cannot encode'
}

function utf8Length(text: string): number {
  return new TextEncoder().encode(text).length
}
