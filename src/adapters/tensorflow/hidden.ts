/**
 * What of an object's state cannot be reached from outside: private fields (`#name`), values that a WeakMap
 * keeps for the object, accessors, and functions, which may keep state of their own. A class's source says
 * which private fields and WeakMaps it uses. What a closure or a module's own variable holds is in no source
 * that belongs to the object: it stays unseen here.
 */

/** How TypeScript, esbuild and Babel write private fields where the target has none. */
const LOWERED_FIELDS: readonly RegExp[] = [
  /_classPrivateField(?:Get|Set)\w*\(\s*this\s*,\s*([\w$]+)(?:\s*,\s*["']f["']|[^"'()]*,\s*["']f["'])/g,
  /_classPrivateField(?:Get|Set)\w*\(\s*([\w$]+)\s*,\s*this\b/g,
  /\b__private(?:Get|Set|Wrapper)\(\s*this\s*,\s*([\w$]+)/g,
]

// `velocities.get(this)`: a map outside of the object that is keyed by it.
const KEYED_BY_THIS = /(?<![.\w$])([A-Za-z_$][\w$]*)\s*\.\s*(?:get|set|has)\(\s*this\s*[,)]/g
const USED_PRIVATE_NAME = /\.\s*#([\p{ID_Start}$_][\p{ID_Continue}$]*)/gu
// A private name that is declared as a method or an accessor: it is followed by its parameters.
const PRIVATE_METHOD = /(?<![.\p{ID_Continue}$]\s*)#([\p{ID_Start}$_][\p{ID_Continue}$]*)\s*\(/gu
const COMMENT_OR_TEXT =
  /\/\*[\s\S]*?\*\/|\/\/[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\[\s\S]|[^`\\])*`/g

// A class is not changed, and every save asks for it.
const known = new WeakMap<object, readonly string[]>()

/**
 * What the classes of `object` keep out of reach, a few words each: `#velocity, a private field of Lion`. Empty
 * for plain objects.
 */
export function hiddenByClass(object: object): readonly string[] {
  const hidden: string[] = []
  for (
    let prototype = Object.getPrototypeOf(object);
    prototype !== null && Object.getPrototypeOf(prototype) !== null;
    prototype = Object.getPrototypeOf(prototype)
  ) {
    const found = known.get(prototype) ?? hiddenBySource(prototype)
    known.set(prototype, found)
    hidden.push(...found)
  }
  return [...new Set(hidden)]
}

function hiddenBySource(prototype: object): readonly string[] {
  const source = sourceOf(prototype)
  const code = source.replace(COMMENT_OR_TEXT, (text) => (text.startsWith('/') ? ' ' : '""'))
  const className = classNameOf(prototype)
  const methods = new Set(Array.from(code.matchAll(PRIVATE_METHOD), ([, name]) => name!))
  const privates = Array.from(source.matchAll(USED_PRIVATE_NAME), ([, name]) => name!)
  const lowered = LOWERED_FIELDS.flatMap((pattern) =>
    Array.from(source.matchAll(pattern), ([, name]) => name!),
  )
  const maps = Array.from(code.matchAll(KEYED_BY_THIS), ([, name]) => name!)
  const hidden = [
    ...privates
      .filter((name) => !methods.has(name))
      .map((name) => `#${name}, a private field of ${className}`),
    ...lowered.map((name) => `${name}, a private field of ${className}`),
    ...maps.map((name) => `${name}, a map that ${className} keeps outside of the object`),
  ]
  if (hidden.length === 0 && /\bWeak(?:Map|Set)\b/.test(code)) {
    hidden.push(`a WeakMap that ${className} uses`)
  }
  return [...new Set(hidden)]
}

/** The text of a class: of its constructor, and of methods that a compiler has put outside of it. */
function sourceOf(prototype: object): string {
  const functions: unknown[] = [prototype.constructor]
  for (const key of Reflect.ownKeys(prototype)) {
    const { value, get, set } = Object.getOwnPropertyDescriptor(prototype, key)!
    functions.push(value, get, set)
  }
  return functions
    .filter((value) => typeof value === 'function')
    .map((value) => Function.prototype.toString.call(value))
    .join('\n')
}

function classNameOf(prototype: object): string {
  return prototype.constructor?.name || 'an unnamed class'
}
