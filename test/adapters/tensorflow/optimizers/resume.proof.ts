import { execFile } from 'node:child_process'
import { mkdtempSync } from 'node:fs'
import { readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test from 'ava'
import { IDENTICAL_KINDS } from '../../../support/adapters/optimizers/own.js'
import { INSTALL_MS } from '../../../support/adapters/tensorflow-trainings.js'
import { loadsTypeScript } from '../../../support/child.js'

const run = promisify(execFile)
const root = fileURLToPath(new URL('../../../..', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'own-optimizers-'))
test.after.always(() => rm(folder, { recursive: true, force: true }))

// One process for all kinds: each takes a part of its training, one after another.
let trained: Promise<void> | undefined
async function trainAll(): Promise<void> {
  const program = fileURLToPath(
    new URL('../../../support/adapters/optimizers/process.ts', import.meta.url),
  )
  for (const part of ['whole', 'first', 'second']) {
    await run(process.execPath, [loadsTypeScript, program, folder, part], { cwd: root })
  }
}

for (const kind of IDENTICAL_KINDS) {
  test(`${kind}: resumed in a new process, it ends bit for bit as the run that never stopped`, async (t) => {
    t.timeout(INSTALL_MS)
    trained ??= trainAll()
    await trained
    const [whole, first, second] = await Promise.all(
      ['whole', 'first', 'second'].map((part) => readFile(join(folder, `${kind}-${part}.ckpt`))),
    )
    t.notDeepEqual(first, whole)
    t.deepEqual(second, whole)
  })
}
