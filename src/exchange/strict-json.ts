/**
 * JSON as serde_json accepts it, for headers of other programs. Rejects what JSON.parse silently accepts: duplicate
 * keys, integers that a double would round, and lone surrogates.
 */

/** A value. An integer is a bigint if a double does not hold it; other numbers are a JsonFloat. */
export type Json = null | boolean | number | bigint | string | JsonFloat | Json[] | JsonObject

/** Members in the order of the text. */
export type JsonObject = Map<string, Json>

/** A number with a fraction or an exponent in the text. */
export class JsonFloat {
  readonly value: number

  constructor(value: number) {
    this.value = value
  }
}

// Levels of nested values; the limit of serde_json.
const MAX_DEPTH = 127

/** Parses a text. Throws a SyntaxError with the broken rule and its position. */
export function parseStrictJson(text: string): Json {
  return new Parser(text).all()
}

const NUMBER = /-?(?:0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?/y
const SPACE = /[ \t\n\r]*/y
const WORDS = { t: ['true', true], f: ['false', false], n: ['null', null] } as const

class Parser {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  all(): Json {
    const value = this.#value(0)
    this.#space()
    if (this.#at < this.#text.length) this.#fail('expected the end')
    return value
  }

  #value(depth: number): Json {
    this.#space()
    const first = this.#text[this.#at]
    switch (first) {
      case '{':
        return this.#object(depth)
      case '[':
        return this.#array(depth)
      case '"':
        return this.#string()
      case 't':
      case 'f':
      case 'n': {
        const [word, value] = WORDS[first]
        if (!this.#text.startsWith(word, this.#at)) this.#fail('expected a value')
        this.#at += word.length
        return value
      }
    }
    return this.#number()
  }

  #object(depth: number): JsonObject {
    if (depth >= MAX_DEPTH) this.#fail(`nested more than ${MAX_DEPTH} levels deep`)
    const members: JsonObject = new Map()
    this.#at++
    if (this.#take('}')) return members
    do {
      this.#space()
      const at = this.#at
      if (this.#text[at] !== '"') this.#fail('expected a key')
      const key = this.#string()
      if (!this.#take(':')) this.#fail('expected ":"')
      const value = this.#value(depth + 1)
      if (members.has(key)) {
        this.#at = at
        this.#fail(`the key ${JSON.stringify(key.slice(0, 80))} is there twice`)
      }
      members.set(key, value)
    } while (this.#take(','))
    if (!this.#take('}')) this.#fail('expected "," or "}"')
    return members
  }

  #array(depth: number): Json[] {
    if (depth >= MAX_DEPTH) this.#fail(`nested more than ${MAX_DEPTH} levels deep`)
    const items: Json[] = []
    this.#at++
    if (this.#take(']')) return items
    do items.push(this.#value(depth + 1))
    while (this.#take(','))
    if (!this.#take(']')) this.#fail('expected "," or "]"')
    return items
  }

  #string(): string {
    const text = this.#text
    let end = this.#at
    do {
      end = text.indexOf('"', end + 1)
      if (end === -1) this.#fail('a string that does not end')
    } while (isEscaped(text, end))
    let value = ''
    try {
      value = JSON.parse(text.slice(this.#at, end + 1))
    } catch {
      this.#fail('a string with a control character or an unknown escape')
    }
    if (!value.isWellFormed()) this.#fail('half of a surrogate pair')
    this.#at = end + 1
    return value
  }

  #number(): Json {
    NUMBER.lastIndex = this.#at
    const found = NUMBER.exec(this.#text)
    if (found === null) this.#fail('expected a value')
    const [digits, fraction, exponent] = found!
    this.#at += digits.length
    if (fraction !== undefined || exponent !== undefined || digits === '-0') {
      return new JsonFloat(Number(digits))
    }
    const value = Number(digits)
    // Beyond a uint64 the digits do not matter.
    if (Number.isSafeInteger(value)) return value
    return digits.length > 20 ? new JsonFloat(value) : BigInt(digits)
  }

  #space(): void {
    const code = this.#text.charCodeAt(this.#at)
    // Rare.
    if (code > 32) return
    SPACE.lastIndex = this.#at
    this.#at += SPACE.exec(this.#text)![0].length
  }

  #take(sign: string): boolean {
    this.#space()
    if (this.#text[this.#at] !== sign) return false
    this.#at++
    return true
  }

  #fail(what: string): never {
    throw new SyntaxError(`${what} at character ${this.#at}`)
  }
}

/** Whether an odd number of backslashes precedes a character. */
function isEscaped(text: string, at: number): boolean {
  let start = at
  while (text[start - 1] === '\\') start--
  return (at - start) % 2 === 1
}
