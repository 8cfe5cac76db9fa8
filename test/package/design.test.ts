import { readdir, readFile } from 'node:fs/promises'
import test from 'ava'

const root = new URL('../../', import.meta.url)

test('docs/design.md has a line for every room of src/, and none for others', async (t) => {
  const design = await readFile(new URL('docs/design.md', root), 'utf8')
  const mapped = [...design.matchAll(/^\| `(src\/[\w/-]*)` \|/gm)].map(([, room]) => room)
  const entries = await readdir(new URL('src/', root), { recursive: true, withFileTypes: true })
  // A folder that has files, and not only other folders.
  const rooms = new Set(
    entries
      .filter((entry) => entry.isFile())
      .map(({ parentPath }) => `${/\bsrc\b.*/.exec(parentPath)![0].replaceAll('\\', '/')}/`)
      .map((room) => room.replace(/\/+$/, '/')),
  )
  t.deepEqual(mapped.sort(), [...rooms].sort())
})

test('files that docs/design.md names exist', async (t) => {
  const design = await readFile(new URL('docs/design.md', root), 'utf8')
  const named = [...design.matchAll(/`((?:src|test|schema|docs)\/[\w/.-]+\.\w+)`/g)]
  t.true(named.length > 10)
  for (const [, path] of named) await t.notThrowsAsync(readFile(new URL(path!, root)), path)
})
