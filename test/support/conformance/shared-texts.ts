/**
 * Metadata at the limit of what sharing may blow up: a list of values over one long text, and of one
 * null that is there many times. Each visit counts, as if nothing were shared, so the readers' budget of
 * four times the length of the metadata and 65,536 bytes ends at a certain number of them: here with
 * the last byte of it. A reader that counts anything else than docs/format.md says ends elsewhere.
 */

import type { Attributes } from '../../../src/format/attributes.js'
import { entry, forgeAttributes, listValue, nullValue, textValue } from '../hostile/forge.js'

const TEXT = 'lightwatch '.repeat(91)
const TEXTS = 64

/** The most nulls that a reader accepts. */
export const MAX_NULLS = 233

/** A file of metadata alone, with a list of the texts and so many nulls. */
export function sharedTexts(nulls: number): Uint8Array {
  return forgeAttributes((b) => {
    const text = textValue(b, b.createString(TEXT))
    const none = nullValue(b)
    const items = [...new Array<number>(TEXTS).fill(text), ...new Array<number>(nulls).fill(none)]
    return [entry(b, 'sharing', listValue(b, items))]
  })
}

/** What the model's attributes are in it. */
export function sharedTextsHold(nulls: number): Attributes {
  return {
    sharing: [...new Array<string>(TEXTS).fill(TEXT), ...new Array<null>(nulls).fill(null)],
  }
}
