/**
 * `npm test [-- arguments of AVA]`: makes the bundles of its test files that are not fresh, all at once, and runs AVA on one
 * file more than there are processors. Tests wait for disks and other processes for a seventh of their time.
 */

import { readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { availableParallelism } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { bundleAll } from '../test/support/bundle.mjs'

const folder = fileURLToPath(new URL('../test', import.meta.url))
const files = readdirSync(folder, { recursive: true }).filter((path) => path.endsWith('.test.ts'))
await bundleAll(files.map((path) => join(folder, path)))

// The program of the package lies beside its modules, and takes its arguments from this process.
const ava = join(dirname(createRequire(import.meta.url).resolve('ava')), 'cli.mjs')
process.argv.splice(1, 1, ava, '--concurrency', String(availableParallelism() + 1))
await import(pathToFileURL(ava))
