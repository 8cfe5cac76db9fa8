/** Trainings of jax-js, each resumed in a process of its own. */

import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test from 'ava'
import { INSTALL_MS, jax } from '../support/adapters/jax-install.js'
import { loadsTypeScript } from '../support/child.js'
import { scratchFolder } from '../support/scratch.js'

const run = promisify(execFile)

test.before('jax-js is installed', async (t) => {
  t.timeout(INSTALL_MS, 'npm ci in examples/jax')
  await jax()
})

for (const device of ['wasm', 'cpu']) {
  test(`on ${device}, a run that is resumed in a new process ends bit for bit as the one that never stopped`, async (t) => {
    const folder = await scratchFolder(t)
    const program = fileURLToPath(new URL('../support/adapters/jax-training.ts', import.meta.url))
    const files: Buffer[] = []
    for (const part of ['whole', 'first', 'second']) {
      await run(process.execPath, [loadsTypeScript, program, device, folder, part])
      files.push(await readFile(join(folder, `${part}.ckpt`)))
    }
    const [whole, first, second] = files
    t.notDeepEqual(first, whole)
    t.deepEqual(second, whole)
  })
}
