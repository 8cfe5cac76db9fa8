import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'

const root = fileURLToPath(new URL('../..', import.meta.url))

test('no declaration that a user compiles needs one of another package', async (t) => {
  const { exports } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'))
  const seen = new Set<string>()
  const foreign: string[] = []
  const visit = async (file: string): Promise<void> => {
    if (seen.has(file)) return
    seen.add(file)
    // Comments have examples, which import the package by its name.
    const text = (await readFile(join(root, file), 'utf8')).replaceAll(/\/\*.*?\*\//gs, '')
    for (const [, name] of text.matchAll(/(?:from|import) ?\(?'([^']+)'/g)) {
      if (name!.startsWith('.')) await visit(join(dirname(file), name!.replace(/\.js$/, '.d.ts')))
      else foreign.push(`${file}: ${name}`)
    }
  }
  const entries = JSON.stringify(exports).matchAll(/dist\/src\/[\w/-]+\.d\.ts/g)
  for (const [entry] of entries) await visit(entry)
  t.true(seen.size > 20)
  t.deepEqual(foreign, [])
})
