/** Saves under Node's permission model, which refuses calls by descriptor. */

import { spawnSync } from 'node:child_process'
import * as fs from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { requires } from '../../support/requires.js'
import { scratchFolder } from '../../support/scratch.js'

const root = fileURLToPath(new URL('../../../', import.meta.url))
const program = join(root, 'test/support/children/save-and-stop.mjs')

const flag = process.allowedNodeEnvironmentFlags.has('--permission')
  ? '--permission'
  : '--experimental-permission'

// FileHandle.sync is refused from there on.
const refusesAllSyncs = Number(process.versions.node.split('.')[0]) >= 26

function save(folder: string, ...allowed: string[]): string {
  const allowedFiles = [`--allow-fs-read=${root}`, `--allow-fs-read=${folder}`]
  const args = [flag, ...allowedFiles, `--allow-fs-write=${folder}`, ...allowed]
  return spawnSync(process.execPath, [...args, program, 'saves', folder, 'a.ckpt'], {
    encoding: 'utf8',
  }).stdout.trim()
}

test('what may read and write in the folder alone saves durably, or says what it needs', async (t) => {
  const folder = await scratchFolder(t)
  await fs.writeFile(join(folder, 'a.ckpt'), 'old')
  await fs.chmod(join(folder, 'a.ckpt'), 0o600)
  const said = save(folder)
  if (refusesAllSyncs) {
    t.regex(said, /nothing was saved.*--allow-addons/)
    t.is(await fs.readFile(join(folder, 'a.ckpt'), 'utf8'), 'old')
  } else {
    t.is(said, 'durable')
  }
  t.is((await fs.stat(join(folder, 'a.ckpt'))).mode & 0o777, 0o600)
  t.deepEqual(await fs.readdir(folder), ['a.ckpt'])
})

requires(
  test,
  'linux',
  'package:koffi',
)('what may load add-ons as well saves durably', async (t) => {
  const folder = await scratchFolder(t)
  await fs.writeFile(join(folder, 'a.ckpt'), 'old')
  t.is(save(folder, '--allow-addons'), 'durable')
  t.deepEqual(await fs.readdir(folder), ['a.ckpt'])
})
