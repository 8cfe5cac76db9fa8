/** The viewer's real page, under its own policy, with a script of the test's that uses it like a person. */

import { createHash } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { buildViewer } from '../../../scripts/build-viewer.js'
import type { Served } from '../browser/result.js'

const require = createRequire(import.meta.url)

/** The page with axe and the script `driver`, a file in this folder. They are the only exception of its policy. */
export async function drivenPage(driver: string): Promise<Served> {
  const folder = await mkdtemp(join(tmpdir(), 'ckpt-page-'))
  try {
    const file = join(folder, 'index.html')
    await buildViewer(file)
    const page = await readFile(file, 'utf8')
    const { outputFiles } = await build({
      entryPoints: [fileURLToPath(new URL(driver, import.meta.url))],
      bundle: true,
      format: 'iife',
      target: 'es2022',
      write: false,
    })
    const axe = await readFile(require.resolve('axe-core/axe.min.js'), 'utf8')
    const scripts = [axe, outputFiles[0]!.text].map((text) =>
      text.replaceAll('</script', '<\\/script'),
    )
    const hashes = scripts.map(
      (text) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`,
    )
    const body = page
      .replace("script-src '", () => `script-src ${hashes.join(' ')} '`)
      .replace(
        '<meta name="ckpt-files" content="">',
        '<meta name="ckpt-files" content="files.json">',
      )
      .replace(
        '</body>',
        () => `${scripts.map((text) => `<script>${text}</script>`).join('')}</body>`,
      )
    return { type: 'text/html; charset=utf-8', body }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Serves the page with files, as `ckpt view` does for a folder. */
export function servedRun(
  page: Served,
  files: ReadonlyMap<string, Uint8Array>,
): (path: string) => Served | undefined {
  const listed = [...files.keys()].map((name) => ({ name, path: `files/${name}`, version: '1' }))
  const listing = { title: 'run', isRun: true, isLocal: true, files: listed }
  return (path) => {
    if (path === '/') return page
    if (path === '/files.json') return { type: 'application/json', body: JSON.stringify(listing) }
    const file = files.get(path.replace('/files/', ''))
    return file && { type: 'application/octet-stream', body: file }
  }
}
