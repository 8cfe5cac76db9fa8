/**
 * The config of a run: JSON text, kept as given. A value that JSON cannot hold (NaN, undefined, a bigint, a Date) is
 * refused with its path. JSON.stringify would silently turn it into null, drop it, or change its type.
 */

import { MAX_CONFIG_DEPTH } from '../../generated/limits.js'
import { CheckpointError } from '../errors.js'
import { printable } from '../printable.js'
import { describe, isPlainObject } from './attributes.js'
import { textFault } from './text.js'

/**
 * The text that a file keeps of `config`. A string must be JSON text, and stays as it is; any other value becomes JSON.
 * Throws a TypeError with the path of what JSON cannot hold.
 */
export function configText(config: unknown): string {
  if (typeof config !== 'string') return jsonText(config, 'config', 0)
  const fault = textFault(config)
  if (fault !== undefined) throw new TypeError(`config ${fault}`)
  try {
    JSON.parse(config)
  } catch (cause) {
    throw new TypeError('a config that is a string must be JSON text', { cause })
  }
  return config
}

/** The value of a file's config. Throws CKPT_FORMAT, rule `config.json`, if it is not JSON. */
export function parseConfig(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    // The engine's message quotes the text unescaped, and a printed error includes its cause.
    const cause = new SyntaxError(printable((error as SyntaxError).message))
    throw new CheckpointError('CKPT_FORMAT', 'the config is not JSON text', {
      rule: 'config.json',
      cause,
    })
  }
}

function jsonText(value: unknown, path: string, depth: number): string {
  switch (typeof value) {
    case 'boolean':
      return String(value)
    case 'number':
      if (!Number.isFinite(value)) break
      return Object.is(value, -0) ? '-0' : JSON.stringify(value)
    case 'string': {
      const fault = textFault(value)
      if (fault !== undefined) throw new TypeError(`${path} ${fault}`)
      return JSON.stringify(value)
    }
    case 'object':
      if (value === null) return 'null'
      if (depth > MAX_CONFIG_DEPTH) {
        throw new TypeError(
          `${path} is nested more than ${MAX_CONFIG_DEPTH} levels deep (or in itself)`,
        )
      }
      if (Array.isArray(value)) {
        return `[${Array.from(value, (item, i) => jsonText(item, `${path}[${i}]`, depth + 1)).join()}]`
      }
      if (isPlainObject(value) && typeof value.toJSON !== 'function') {
        const members = Object.keys(value).map((key) => {
          const at = `${path}.${key}`
          const fault = textFault(key)
          if (fault !== undefined) throw new TypeError(`the key ${JSON.stringify(at)} ${fault}`)
          return `${JSON.stringify(key)}:${jsonText(value[key], at, depth + 1)}`
        })
        return `{${members.join()}}`
      }
  }
  const what = typeof value === 'number' ? String(value) : describe(value)
  throw new TypeError(`${path} is ${what}, which JSON cannot hold`)
}
