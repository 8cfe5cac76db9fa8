/**
 * Tests of values that work in every realm. Test runners (Jest, Vitest's VM pools) and `node:vm` run modules in a realm
 * with classes of its own. `instanceof` is false there for values that Node or another realm made.
 */

/** The kind of a value, whichever realm made it: `URL`, `Blob`, `ArrayBuffer`, `Map`, `Error`. */
export function kindOf(value: unknown): string {
  return Object.prototype.toString.call(value).slice('[object '.length, -1)
}

/** Whether a value is a Map. */
export function isMap<T>(value: T): value is Extract<T, ReadonlyMap<unknown, unknown>> {
  return kindOf(value) === 'Map'
}

/** Whether a value is a Uint8Array. */
export function isUint8Array(value: unknown): value is Uint8Array {
  return kindOf(value) === 'Uint8Array'
}

/** Whether a value is a URL. */
export function isUrl(value: unknown): value is URL {
  return kindOf(value) === 'URL'
}

/**
 * `Symbol.dispose`, which older engines and realms lack. Compilers that lower `using` use this symbol in that case.
 * Without it, the method would be named "undefined".
 */
export const dispose: typeof Symbol.dispose = known('dispose')

/** `Symbol.asyncDispose`, for the same reason as `dispose`. */
export const asyncDispose: typeof Symbol.asyncDispose = known('asyncDispose')

function known<Name extends 'dispose' | 'asyncDispose'>(name: Name): SymbolConstructor[Name] {
  return Symbol[name] ?? (Symbol.for(`Symbol.${name}`) as SymbolConstructor[Name])
}
