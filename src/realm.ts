/**
 * What holds in every realm. Test runners (Jest, Vitest's VM pools) and `node:vm` run modules in a realm of
 * their own, with classes of its own: what Node or another realm makes is no `instanceof` of them.
 */

/** What kind of thing a value is, whichever realm made it: `URL`, `Blob`, `ArrayBuffer`, `Map`, `Error`. */
export function kindOf(value: unknown): string {
  return Object.prototype.toString.call(value).slice('[object '.length, -1)
}

/** Whether a value is a URL. */
export function isUrl(value: unknown): value is URL {
  return kindOf(value) === 'URL'
}

/**
 * `Symbol.dispose`, which older engines and realms lack. Compilers that lower `using` then take this one;
 * a member under `undefined` would be a method of that name.
 */
export const dispose: typeof Symbol.dispose = known('dispose')

/** `Symbol.asyncDispose`, as `dispose`. */
export const asyncDispose: typeof Symbol.asyncDispose = known('asyncDispose')

function known<Name extends 'dispose' | 'asyncDispose'>(name: Name): SymbolConstructor[Name] {
  return Symbol[name] ?? (Symbol.for(`Symbol.${name}`) as SymbolConstructor[Name])
}
