/** A Python with PyTorch and this project's package: that of its tests, or the one that TORCH_PYTHON names. */

import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Need } from '../requires.js'

const run = promisify(execFile)

/** A file or folder of the repository. */
const repository = (path: string) => fileURLToPath(new URL(`../../../${path}`, import.meta.url))

const PYTHON = process.env.TORCH_PYTHON ?? repository('bindings/python/build/test/bin/python')

/** What a test needs that runs PyTorch. */
export const torch: Need = {
  what: 'PyTorch (bindings/python/build/test, which .ci/run makes, or TORCH_PYTHON)',
  here: existsSync(PYTHON),
}

/** Runs a script of `test/support/exchange/` and resolves to what it prints. The package is the repository's own. */
export async function runTorch(script: string, ...args: readonly string[]): Promise<string> {
  const { stdout } = await run(PYTHON, [repository(`test/support/exchange/${script}`), ...args], {
    env: {
      ...process.env,
      PYTHONPATH: repository('bindings/python/src'),
      PYTHONDONTWRITEBYTECODE: '1',
    },
    maxBuffer: 2 ** 26,
  })
  return stdout
}
