/**
 * `with-node.ts VERSION COMMAND...`: runs a command of node_modules/.bin with another Node, 22, 24 or 26,
 * of the smoke test's workspace. Exits as the command does.
 */

import { spawnSync } from 'node:child_process'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { fileOf, workspace } from './workspace.js'

const root = fileURLToPath(new URL('../../..', import.meta.url))
const [version, command, ...args] = process.argv.slice(2)
const program = fileOf(await workspace(), `node-${version}`, 'bin', 'node')
const PATH = [dirname(program), join(root, 'node_modules', '.bin'), process.env.PATH].join(
  delimiter,
)
// Of the loader that the tests have for TypeScript: Node 26 says that its way is deprecated.
const NODE_OPTIONS = '--disable-warning=DEP0205'
const env = { ...process.env, PATH, NODE_OPTIONS }
const { status } = spawnSync(command!, args, { stdio: 'inherit', env })
process.exitCode = status ?? 1
