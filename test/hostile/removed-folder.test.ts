import { existsSync } from 'node:fs'
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { saveCheckpoint } from '../../src/index.js'
import { scratchFolder } from '../support/scratch.js'

test('a folder that is removed during a save: not committed, and nothing is left', async (t) => {
  const folder = join(await scratchFolder(t), 'run')
  await mkdir(folder)
  const path = join(folder, 'a.ckpt')
  // Is asked for its bytes when the temporary file has been created.
  const data = async () => {
    await rm(folder, { recursive: true })
    return Float32Array.of(1, 2)
  }
  const model = { stateDict: () => ({ w: { dtype: 'float32', shape: [2], data } as const }) }
  await t.throwsAsync(saveCheckpoint(path, model), { code: 'CKPT_NOT_COMMITTED' })
  t.false(existsSync(folder))
})
