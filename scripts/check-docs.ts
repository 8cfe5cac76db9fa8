/**
 * Part of `npm run lint`: every exported name of src/ has a doc comment directly above it, where editors and the
 * reference show it. Prints those that have none, and exits with 1.
 */

import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

const EXPORT =
  /^export (?:declare )?(?:async )?(?:abstract )?(?:class|interface|function\*?|type|const|let|enum) ([\w$]+)/

const undocumented: string[] = []
for (const entry of readdirSync(join(root, 'src'), { recursive: true, withFileTypes: true })) {
  if (!entry.isFile() || !entry.name.endsWith('.ts')) continue
  const file = join(entry.parentPath, entry.name)
  const lines = readFileSync(file, 'utf8').split('\n')
  const done = new Set<string>()
  for (const [i, line] of lines.entries()) {
    const [, name] = EXPORT.exec(line) ?? []
    // The first overload of a function has the comment.
    if (name === undefined || done.has(name)) continue
    done.add(name)
    if (lines[i - 1]?.trimEnd().endsWith('*/')) continue
    undocumented.push(`${relative(root, file).replaceAll('\\', '/')}:${i + 1} ${name}`)
  }
}
for (const each of undocumented.sort()) console.error(`${each} has no doc comment`)
if (undocumented.length > 0) process.exitCode = 1
