/** The site that `npm run docs` builds, opened in a browser. */

import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { extname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { build } from 'esbuild'
import { browsers } from '../support/browser/browsers.js'
import { pageOf, resultOf } from '../support/browser/result.js'
import type { Visits } from '../support/docs/visitor.js'
import { requires } from '../support/requires.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
const site = join(root, 'docs', 'site', 'build')

const TYPES: { readonly [extension: string]: string } = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
}

/** Serves the site, with the visitor at /visit, and resolves to what that has found. */
async function visit(t: ExecutionContext): Promise<Visits> {
  const { outputFiles } = await build({
    entryPoints: [join(root, 'test', 'support', 'docs', 'visitor.ts')],
    bundle: true,
    format: 'esm',
    write: false,
  })
  const visitor = pageOf(outputFiles[0]!.text)
  const found = await resultOf(t, chromium, '/visit', (path) => {
    if (path === '/visit') return visitor
    const file = join(site, normalize(path))
    if (!file.startsWith(site) || !existsSync(file) || statSync(file).isDirectory())
      return undefined
    const body = readFileSync(file)
    const type = TYPES[extname(file)] ?? 'application/octet-stream'
    if (type !== 'text/html') return { type, body }
    const watched = '<head><script>parent.watch?.(window)</script>'
    return { type, body: body.toString().replace('<head>', watched) }
  })
  return found as Visits
}

/** What is wrong with a link, or nothing. Links to other sites are not followed. */
function brokenBy(link: string): string | undefined {
  const { hostname, pathname, hash } = new URL(link)
  if (hostname !== 'localhost') return undefined
  const file = join(site, decodeURI(pathname))
  if (!existsSync(file)) return 'leads to no page'
  const anchor = decodeURIComponent(hash.slice(1))
  if (anchor === '' || !file.endsWith('.html')) return undefined
  return readFileSync(file, 'utf8').includes(`id="${anchor}"`) ? undefined : 'leads to no place'
}

const chromium = browsers.find(({ name }) => name === 'Chromium')!
const inChromium = requires(test.serial, {
  what: chromium.needs,
  here: chromium.program !== undefined,
})

inChromium(
  'the site is built by one command; its navigation leads through all guides and entries, without a broken link or a complaint of the browser',
  async (t) => {
    t.timeout(600_000)
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      ['--import=tsx', join('scripts', 'docs.ts')],
      { cwd: root, encoding: 'utf8' },
    )
    t.is(status, 0, stdout + stderr)
    const { visits, complaints } = await visit(t)
    t.deepEqual(complaints, [])
    t.true(visits.length > 80, `${visits.length} pages`)
    const broken = visits.flatMap(({ path, links }) =>
      links.flatMap((link) => {
        const why = brokenBy(link)
        return why === undefined ? [] : [`${path}: ${link} ${why}`]
      }),
    )
    t.deepEqual(broken, [])

    const titles = visits.map(({ title }) => title)
    const guides = readFileSync(join(root, 'docs', 'guide', 'README.md'), 'utf8')
    for (const [, file] of guides.matchAll(/\]\(([\w-]+\.md)\)/g)) {
      const page = readFileSync(join(root, 'docs', 'guide', file!), 'utf8')
      const [, title] = /^# (.*)$/m.exec(page)!
      t.true(
        titles.some((found) => found.startsWith(title!.replaceAll('`', ''))),
        title,
      )
    }
    const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
    for (const [entry, target] of Object.entries<object | string>(exports)) {
      if (typeof target === 'string' || entry === './node') continue
      const name = `lightwatch-checkpoint${entry.slice(1)}`
      t.true(
        titles.some((found) => found.startsWith(name)),
        name,
      )
    }
  },
)
