/** The codes, and the rules, that the bytes of a file can break. */

import { ruleNames } from '../format/rule-names.js'

export const CODES_OF_BYTES = [
  'CKPT_NOT_A_CHECKPOINT',
  'CKPT_VERSION',
  'CKPT_FILE_LENGTH',
  'CKPT_METADATA_CHECKSUM',
  'CKPT_FLATBUFFER',
  'CKPT_FORMAT',
  'CKPT_TENSOR_CHECKSUM',
] as const

/** As the source of the library names them, each once. */
export async function rulesOfBytes(): Promise<string[]> {
  const rules = ['gap']
  for (const file of ['head', 'decode', 'tensor-table', 'text', 'rules']) {
    rules.push(...(await ruleNames(`${file}.ts`)))
  }
  for (const rule of await ruleNames('flatbuffer-verifier.ts')) {
    // An identifier is what the head tells first.
    if (rule !== 'identifier') rules.push(`flatbuffer.${rule}`)
  }
  return [...new Set(rules)].sort()
}
