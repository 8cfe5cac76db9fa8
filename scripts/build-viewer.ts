/**
 * Builds the viewer: one HTML file with its script and styles inside. The script is that of its workers too. The page's
 * Content-Security-Policy names both by their hashes, so that nothing else can run in it, whatever a file contains.
 */

import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build, type Plugin } from 'esbuild'

const viewer = fileURLToPath(new URL('../viewer', import.meta.url))

/** Writes the page to `target`. Throws an Error if it does not build. */
export async function buildViewer(target: string): Promise<void> {
  const { outputFiles } = await build({
    entryPoints: [join(viewer, 'src', 'main.tsx'), join(viewer, 'style', 'viewer.css')],
    outdir: viewer,
    bundle: true,
    write: false,
    minify: true,
    format: 'iife',
    target: ['es2022', 'chrome111', 'firefox113', 'safari16.4'],
    jsx: 'automatic',
    jsxImportSource: 'preact',
    legalComments: 'none',
    logLevel: 'error',
  })
  const text = (extension: string): string =>
    outputFiles.find(({ path }) => path.endsWith(extension))!.text.trim()
  const script = text('.js')
  const style = text('.css')
  if (/<\/script|<!--/i.test(script)) throw new Error('the script would end its element early')
  const page = readFileSync(join(viewer, 'page.html'), 'utf8')
    .replace('POLICY', () => policyOf(script, style))
    .replace('<!-- style -->', () => `<style>${style}</style>`)
    .replace('<!-- script -->', () => `<script>${script}</script>`)
  mkdirSync(dirname(target), { recursive: true })
  writeFileSync(target, page)
}

/**
 * Writes the program of the threads of `ckpt view`, `viewer/thread.js` in `dist`. It imports the library that is built
 * there.
 */
export async function buildThread(dist: string): Promise<void> {
  const root = dirname(viewer)
  const library: Plugin = {
    name: 'library',
    setup({ onResolve }) {
      onResolve({ filter: /^\./ }, ({ path, resolveDir }) => {
        const file = relative(root, join(resolveDir, path)).split(sep).join('/')
        return file.startsWith('viewer') ? undefined : { path: `../${file}`, external: true }
      })
    },
  }
  await build({
    entryPoints: [join(viewer, 'src', 'server', 'thread.ts')],
    outfile: join(dist, 'viewer', 'thread.js'),
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'node',
    target: 'node20.19',
    plugins: [library],
    logLevel: 'error',
  })
}

/**
 * Requests go only where the user opens a file, which may be any server. Workers are made from the page's own script.
 */
function policyOf(script: string, style: string): string {
  return [
    "default-src 'none'",
    // The comparison of tensors has a kernel in WebAssembly, which is part of the script.
    `script-src '${hashOf(script)}' 'wasm-unsafe-eval'`,
    `style-src '${hashOf(style)}'`,
    'worker-src blob:',
    'img-src data:',
    "connect-src 'self' blob: https: http:",
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ')
}

function hashOf(text: string): string {
  return `sha256-${createHash('sha256').update(text).digest('base64')}`
}
