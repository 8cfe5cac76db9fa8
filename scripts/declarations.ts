/**
 * The public API as text: the exports of every entry of package.json, and the declarations behind these names with all
 * that they refer to, from the `.d.ts` files of `npm run build`. It leaves out comments, private members, constructors
 * of classes that are exported as types, and everything that no entry leads to. So the text changes only when the API
 * does.
 */

import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** A name that a file exports or imports; it is `original` in the file `from`. */
interface Link {
  readonly from: string
  readonly original: string
  /** Only its type can be reached, not its value: a class cannot be constructed. */
  readonly typeOnly: boolean
}

interface DeclarationFile {
  /** The texts of declarations by name; several if a function is overloaded. */
  readonly declarations: ReadonlyMap<string, readonly string[]>
  /** Undefined if the file itself declares it. */
  readonly exports: ReadonlyMap<string, Link | undefined>
  readonly imports: ReadonlyMap<string, Link>
  readonly stars: readonly string[]
}

/** The API of the package in `root`, whose dist/ must have been built. */
export function describeApi(root: string): string {
  const api = new Api(root)
  const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const entries = Object.entries(exports).flatMap(([entry, target]) => typesOf(entry, target))
  const lists = entries.map(({ entry, types }, i) => {
    const same = entries.slice(0, i).find((earlier) => earlier.types === types)
    if (same !== undefined) return `${entry}\n  as ${same.entry}\n`
    const names = [...api.namesOf(types)].sort()
    for (const name of names) api.reach(types, name, false)
    return `${entry}\n${names.map((name) => `  ${name}\n`).join('')}`
  })
  return `${HEADING}\n${lists.join('\n')}\n${api.text()}`
}

const HEADING = `The public API, by entry, and the declarations behind it, by file. Made by \`npm run api\`.
`

/** The declarations of an entry, for each condition under which they differ. */
function typesOf(entry: string, target: unknown): { entry: string; types: string }[] {
  if (typeof target !== 'object' || target === null || !('types' in target)) return []
  const { types } = target
  if (typeof types === 'string') return [{ entry, types: join(types) }]
  return Object.entries(types as Record<string, string>).map(([condition, path]) => ({
    entry: `${entry} (${condition})`,
    types: join(path),
  }))
}

class Api {
  readonly #root: string
  readonly #files = new Map<string, DeclarationFile>()
  /** By file and name. */
  readonly #reached = new Map<string, Map<string, readonly string[]>>()

  constructor(root: string) {
    this.#root = root
  }

  #file(path: string): DeclarationFile {
    let file = this.#files.get(path)
    if (file === undefined) {
      file = parse(path, readFileSync(join(this.#root, path), 'utf8'))
      this.#files.set(path, file)
    }
    return file
  }

  /** The exports of a file: its own names and those of files that it re-exports. */
  namesOf(path: string): Set<string> {
    const { exports, stars } = this.#file(path)
    return new Set([...exports.keys(), ...stars.flatMap((star) => [...this.namesOf(star)])])
  }

  /** Collects the declaration behind a name of a file, and everything that it refers to. */
  reach(path: string, name: string, typeOnly: boolean): void {
    const { declarations, exports, imports, stars } = this.#file(path)
    const own = declarations.get(name)
    if (own === undefined) {
      const link = exports.get(name) ?? imports.get(name)
      if (link !== undefined) this.reach(link.from, link.original, typeOnly || link.typeOnly)
      else
        for (const star of stars) if (this.namesOf(star).has(name)) this.reach(star, name, typeOnly)
      return
    }
    const texts = own.map((text) => (typeOnly ? withoutConstructor(text) : text))
    const reached = this.#reached.get(path) ?? new Map<string, readonly string[]>()
    const before = reached.get(name)?.join('').length ?? -1
    // A declaration that was reached as a type may also be reached as a value, which includes more.
    if (texts.join('').length <= before) return
    this.#reached.set(path, reached.set(name, texts))
    for (const [word] of texts.join('\n').matchAll(REFERENCE)) {
      if (word !== name) this.reach(path, word, true)
    }
  }

  text(): string {
    return [...this.#reached]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([path, reached]) => {
        const sorted = [...reached].sort(([a], [b]) => (a < b ? -1 : 1))
        const texts = sorted.flatMap(([, declarations]) => declarations)
        const source = path.replace(/^dist\//, '').replace(/\.d\.ts$/, '.ts')
        return `${source}\n\n${texts.map((text) => `${text.replace(/^/gm, '  ')}\n`).join('')}`
      })
      .join('\n')
  }
}

/** Reads the compiler's output: one statement per paragraph, imports and exports by name. */
function parse(path: string, source: string): DeclarationFile {
  const declarations = new Map<string, string[]>()
  const exports = new Map<string, Link | undefined>()
  const imports = new Map<string, Link>()
  const stars: string[] = []
  for (const statement of statementsOf(withoutComments(source))) {
    const [, from] = /\bfrom '(\.[^']+)'/.exec(statement) ?? []
    const target = from && join(dirname(path), from).replace(/\.js$/, '.d.ts')
    if (/^export \*/.test(statement)) {
      if (target !== undefined) stars.push(target)
    } else if (/^(import|export) (type )?\{/.test(statement)) {
      const isImport = statement.startsWith('import')
      for (const { original, alias, typeOnly } of namesIn(statement)) {
        const link = target === undefined ? undefined : { from: target, original, typeOnly }
        if (!isImport) exports.set(alias, link ?? imports.get(original))
        else if (link !== undefined) imports.set(alias, { ...link, typeOnly: false })
      }
    } else {
      const [, name] = DECLARATION.exec(statement) ?? []
      if (name === undefined) continue
      declarations.set(name, [
        ...(declarations.get(name) ?? []),
        statement.replace(/^(export )?(declare )?/, ''),
      ])
      if (statement.startsWith('export ')) exports.set(name, undefined)
    }
  }
  return { declarations, exports, imports, stars }
}

const DECLARATION =
  /^(?:export )?(?:declare )?(?:abstract )?(?:const|let|var|class|interface|type|enum|function|namespace) ([\w$]+)/

/** A word where a type can stand: the names of members, parameters and functions are followed by these. */
const REFERENCE = /[\w$]+(?![\w$]|\??[:(])/g

function namesIn(statement: string) {
  const [, list = ''] = /\{([^}]*)\}/.exec(statement) ?? []
  const parts = list.split(',').map((part) => part.trim())
  return parts
    .filter((part) => part !== '')
    .map((part) => {
      const typeOnly = /^\w+ type /.test(statement) || part.startsWith('type ')
      const [original, alias = original] = part.replace(/^type /, '').split(' as ')
      return { original: original!, alias: alias!, typeOnly }
    })
}

function withoutConstructor(text: string): string {
  return text.replace(/^ {2}constructor\(.*?\);\n/ms, '')
}

/** Strings are kept, because a comment can seem to begin in one. */
function withoutComments(source: string): string {
  return source.replace(/('(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*")|\/\*.*?\*\/|\/\/[^\n]*/gs, '$1')
}

/** The statements at the top level, without private members and empty lines. */
function statementsOf(source: string): string[] {
  const statements: string[] = []
  let depth = 0
  let start = 0
  for (let at = 0; at < source.length; at++) {
    const character = source[at]!
    if ('({['.includes(character)) depth++
    else if (')}]'.includes(character)) depth--
    const ends =
      depth === 0 && (character === ';' || (character === '}' && isBlock(source.slice(start, at))))
    if (!ends) continue
    statements.push(tidy(source.slice(start, at + 1)))
    start = at + 1
  }
  return statements
}

const isBlock = (text: string) =>
  /^\s*(export )?(declare )?(abstract )?(class|interface|enum|namespace) /.test(text)

function tidy(text: string): string {
  const lines = text.split('\n').filter((line) => line.trim() !== '')
  return lines
    .filter((line) => !/^\s*(#private;|private\b)/.test(line))
    .map((line) => line.replace(/^( {4})+/, (indent) => ' '.repeat(indent.length / 2)).trimEnd())
    .join('\n')
}
