/**
 * Values as text, for jobs that the server of `ckpt view` carries out. JSON would lose what numbers are not finite, the
 * sign of zero, integers beyond 2^53, and typed arrays; here all of them come back as they were.
 */

// The key of an object that stands for something else.
const TAG = '$'

const ARRAYS = { Uint8Array, Uint32Array, Float64Array } as const

type Tagged =
  | { readonly [TAG]: 'number' | 'bigint'; readonly of: string }
  | { readonly [TAG]: 'object'; readonly of: readonly (readonly [string, unknown])[] }
  | { readonly [TAG]: keyof typeof ARRAYS; readonly of: string }

/** A value as one line of text. Properties that are undefined are left out. */
export function toText(value: unknown): string {
  return JSON.stringify(encoded(value))
}

/** The value of a text. Throws a SyntaxError for text that `toText` did not make. */
export function fromText(text: string): unknown {
  return decoded(JSON.parse(text))
}

// Walks of our own: JSON's callbacks take ten times as long for a hundred thousand names.

function encoded(value: unknown): unknown {
  if (typeof value === 'number') {
    return Number.isFinite(value) && !Object.is(value, -0) ? value : tagged('number', value)
  }
  if (typeof value === 'bigint') return tagged('bigint', value)
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(encoded)
  if (ArrayBuffer.isView(value)) return { [TAG]: value.constructor.name, of: base64Of(value) }
  const entries = Object.entries(value).map(([key, each]) => [key, encoded(each)] as const)
  // The names of a file's attributes are the file's.
  if (Object.hasOwn(value, TAG)) return { [TAG]: 'object', of: entries }
  return Object.fromEntries(entries)
}

/** Decodes an array or object in place. */
function decoded(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  const all = value as { [key: string | number]: unknown }
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) {
      if (typeof value[i] === 'object') value[i] = decoded(value[i])
    }
    return value
  }
  for (const key of Object.keys(all)) {
    // It is there, so that no name reaches a prototype.
    if (typeof all[key] === 'object') all[key] = decoded(all[key])
  }
  return Object.hasOwn(all, TAG) ? untagged(all as unknown as Tagged) : all
}

function tagged(kind: 'number' | 'bigint', value: number | bigint): Tagged {
  return { [TAG]: kind, of: Object.is(value, -0) ? '-0' : String(value) }
}

function untagged({ [TAG]: kind, of }: Tagged): unknown {
  switch (kind) {
    case 'number':
      return Number(of)
    case 'bigint':
      return BigInt(of)
    case 'object':
      return Object.fromEntries(of)
    default: {
      if (!Object.hasOwn(ARRAYS, kind))
        throw new SyntaxError(`expected a typed array, found ${kind}`)
      const text = atob(of)
      const bytes = new Uint8Array(text.length)
      for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i)
      return new ARRAYS[kind](bytes.buffer)
    }
  }
}

// Bytes that become characters in one call, whose arguments they are.
const CALL = 8192

function base64Of({ buffer, byteOffset, byteLength }: ArrayBufferView): string {
  const bytes = new Uint8Array(buffer, byteOffset, byteLength)
  let text = ''
  for (let at = 0; at < byteLength; at += CALL) {
    text += String.fromCharCode(...bytes.subarray(at, at + CALL))
  }
  return btoa(text)
}
