/**
 * Part of `npm run lint`: every name of src/ that another folder imports, or that the package exports, has a
 * doc comment directly above it, where editors show it. Prints those that have none, and exits with 1.
 */

import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

const EXPORT =
  /^export (?:declare )?(?:async )?(?:abstract )?(?:class|interface|function\*?|type|const|let|enum) ([\w$]+)/

/** `import { a, type b as c } from './x.js'` and `export … from`: the list of names, and the file. */
const LINK = /^(?:import|export) (?:type )?\{([^}]*)\} from '(\.[^']+)'/gm

const files = readdirSync(join(root, 'src'), { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
  .map((entry) => relative(root, join(entry.parentPath, entry.name)).replaceAll('\\', '/'))
  .sort()

/** The entries of package.json, as files of src/. */
const entries = new Set(
  [
    ...readFileSync(join(root, 'package.json'), 'utf8').matchAll(/dist\/(src\/[\w/-]+)\.d\.ts/g),
  ].map(([, path]) => `${path}.ts`),
)

const seenElsewhere = new Set<string>()
for (const file of files) {
  const text = readFileSync(join(root, file), 'utf8')
  for (const [, names, from] of text.matchAll(LINK)) {
    const target = join(dirname(file), from!).replaceAll('\\', '/').replace(/\.js$/, '.ts')
    if (dirname(target) === dirname(file) && !entries.has(file)) continue
    for (const part of names!.split(',')) {
      const [name] = part
        .trim()
        .replace(/^type /, '')
        .split(' as ')
      if (name) seenElsewhere.add(`${target} ${name}`)
    }
  }
}

const undocumented: string[] = []
for (const file of files) {
  const lines = readFileSync(join(root, file), 'utf8').split('\n')
  const done = new Set<string>()
  for (const [i, line] of lines.entries()) {
    const [, name] = EXPORT.exec(line) ?? []
    // Of an overloaded function the first has the comment.
    if (name === undefined || done.has(name)) continue
    done.add(name)
    if (!entries.has(file) && !seenElsewhere.has(`${file} ${name}`)) continue
    if (!lines[i - 1]?.trimEnd().endsWith('*/')) undocumented.push(`${file}:${i + 1} ${name}`)
  }
}
for (const each of undocumented) console.error(`${each} has no doc comment`)
if (undocumented.length > 0) process.exitCode = 1
