/** The links of all pages in the repository lead somewhere. */

import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { anchorsOf, blocksOf, linksOf } from '../support/docs/markdown.js'

const root = fileURLToPath(new URL('../..', import.meta.url))

const NOT_OURS = new Set(['node_modules', 'dist', 'build', 'target', 'coverage', 'reports', '.git'])

function pagesIn(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) return NOT_OURS.has(entry.name) ? [] : pagesIn(path)
    return entry.name.endsWith('.md') ? [path] : []
  })
}

/** What is wrong with a link, or nothing. */
function brokenBy(page: string, link: string): string | undefined {
  if (/^(https?|mailto):/.test(link)) return undefined
  const [path, anchor] = link.split('#')
  const target = path === '' ? page : join(dirname(page), decodeURI(path!))
  if (relative(root, target).startsWith('..')) return 'leads out of the repository'
  if (!existsSync(target)) return 'leads to no file'
  if (anchor === undefined) return undefined
  const file = statSync(target).isDirectory() ? join(target, 'README.md') : target
  if (!file.endsWith('.md')) return undefined
  return anchorsOf(readFileSync(file, 'utf8')).has(anchor) ? undefined : 'leads to no heading'
}

test('the relative links and anchors of every page exist', (t) => {
  const pages = pagesIn(root)
  t.true(pages.length > 20)
  const broken = pages.flatMap((page) =>
    linksOf(readFileSync(page, 'utf8')).flatMap((link) => {
      const why = brokenBy(page, link)
      return why === undefined ? [] : [`${relative(root, page)}: ${link} ${why}`]
    }),
  )
  t.deepEqual(broken, [])
})

test('the anchors of headings are those that GitHub makes', (t) => {
  const page = '# A `b_c`: d, e\n## A\n## A\n```sh\n# no heading\n```\n## [Link](x.md) & more\n'
  t.deepEqual([...anchorsOf(page)], ['a-b_c-d-e', 'a', 'a-1', 'link--more'])
})

test('links are found in text, images and references, and not in code', (t) => {
  const page =
    '[a](a.md "title") ![b](b.svg) `[c](c.md)`\n\n[d]: d.md\n```ts\nx[0](e)\n```\n<img alt="" src="f.svg">\n'
  t.deepEqual(linksOf(page), ['a.md', 'b.svg', 'd.md', 'f.svg'])
})

test('a block has the comment of the line before it as its note', (t) => {
  const page = 'text\n\n<!-- not run: why -->\n```ts\n1\n```\n\n```sh\n2\n```\n'
  t.deepEqual(blocksOf(page), [
    { language: 'ts', code: '1\n', line: 4, note: 'not run: why' },
    { language: 'sh', code: '2\n', line: 8, note: undefined },
  ])
})
