import { mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { loadCheckpoint } from '../../../src/load/load.js'
import { startChild } from '../../support/child.js'
import { scratchFolder } from '../../support/scratch.js'

const program = 'save-and-leave'

test('a process ends only when its save is durable', async (t) => {
  const path = join(await scratchFolder(t), 'a.ckpt')
  const { code, errors } = await startChild(t, program, [path]).ended
  t.is(code, 0, errors)
  await using checkpoint = await loadCheckpoint(path)
  await checkpoint.verify()
  const data = checkpoint.model.get('w').data
  t.is(data.at(-1), 1)
})

test('a failed save without a handler ends the process with its error', async (t) => {
  const folder = await scratchFolder(t)
  await mkdir(join(folder, 'a.ckpt'))
  const { code, errors } = await startChild(t, program, [join(folder, 'a.ckpt')]).ended
  t.is(code, 1)
  t.regex(errors, /CKPT_NOT_COMMITTED/)
  t.deepEqual(await readdir(folder), ['a.ckpt'])
})
