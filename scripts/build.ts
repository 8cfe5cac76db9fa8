/** `npm run build`: builds dist/, the library as it is published, with the viewer's page. Exits with the compiler's own code on failure. */

import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { buildThread, buildViewer } from './build-viewer.js'

const folder = fileURLToPath(new URL('..', import.meta.url))
const dist = join(folder, 'dist')

// The programs that package.json lists in `bin`. npm makes them executable when it installs them; git and `npx .` do
// not.
const main = join(dist, 'src', 'cli', 'main.js')

// Found by its manifest and not in node_modules/.bin, where it is a shell script on Windows.
const manifest = createRequire(import.meta.url).resolve('typescript/package.json')
const compiler = join(dirname(manifest), JSON.parse(readFileSync(manifest, 'utf8')).bin.tsc)

rmSync(dist, { recursive: true, force: true })
const { status, error } = spawnSync(
  process.execPath,
  [compiler, '--project', join(folder, 'tsconfig.build.json')],
  { cwd: folder, stdio: 'inherit' },
)
if (error !== undefined) throw error
// No status: killed by a signal.
process.exitCode = status ?? 1
if (status === 0) {
  if (existsSync(main)) chmodSync(main, 0o755)
  await buildViewer(join(dist, 'viewer', 'index.html'))
  await buildThread(dist)
}
