/**
 * `npm run docs`: builds the site of guides and reference into docs/site/build. Its tools have a folder and a
 * lock file of their own, as typedoc takes TypeScript up to 6.0; they are installed on the first run.
 */

import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { installPackages } from './install-packages.js'

const site = fileURLToPath(new URL('../docs/site', import.meta.url))

await installPackages(site)
const { status } = spawnSync(process.execPath, [join(site, 'build.mjs')], { stdio: 'inherit' })
process.exitCode = status ?? 1
if (status === 0) console.log(`\nopen ${join(site, 'build', 'index.html')}`)
