import { execFileSync } from 'node:child_process'
import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { saveCheckpoint } from '../../src/save/save.js'
import { runFake } from '../support/cli/fake-terminal.js'
import {
  damage,
  fileName,
  saveSteps,
  smallModel,
} from '../support/manager/folder-of-checkpoints.js'
import { scratchFolder } from '../support/scratch.js'

test('the newest checkpoint is printed by its path, and nothing else', async (t) => {
  const folder = await scratchFolder(t)
  await saveSteps(folder, 1, 2, 10)
  const path = join(folder, fileName(10))
  t.deepEqual(await runFake(['latest', folder]), { code: 0, out: `${path}\n`, err: '' })
})

test('the newest is the one that was saved last, whatever its step and its name', async (t) => {
  const folder = await scratchFolder(t)
  for (const [sequence, name] of ['c.ckpt', 'a.ckpt', 'b.ckpt'].entries()) {
    const step = 100 - sequence
    await saveCheckpoint(join(folder, name), smallModel(step), null, { step, sequence })
  }
  await saveCheckpoint(join(folder, 'newer.txt'), smallModel(1), null, { step: 500, sequence: 9 })
  t.is((await runFake(['latest', folder])).out, `${join(folder, 'b.ckpt')}\n`)
})

test('damaged ones are named on stderr, the one before is printed, and every file stays', async (t) => {
  const folder = await scratchFolder(t)
  await saveSteps(folder, 1, 2, 3, 4)
  await damage(folder, 4)
  await damage(folder, 3, 'metadata')
  await writeFile(join(folder, fileName(5)), 'no checkpoint')
  const { code, out, err } = await runFake(['latest', folder])
  t.is(code, 0)
  t.is(out, `${join(folder, fileName(2))}\n`)
  for (const step of [3, 4, 5]) t.regex(err, new RegExp(`${fileName(step)}: passed over: `))
  t.is((await readdir(folder)).length, 5)
})

test('if there is none, or no valid one, the exit code is 1 and stdout is empty', async (t) => {
  const folder = await scratchFolder(t)
  t.deepEqual(await runFake(['latest', folder]), {
    code: 1,
    out: '',
    err: `ckpt: ${folder}: no checkpoint\n`,
  })
  await saveSteps(folder, 1)
  await damage(folder, 1)
  const { code, out, err } = await runFake(['latest', folder])
  t.deepEqual([code, out], [1, ''])
  t.regex(err, /no good checkpoint, of 1\n$/)
  const missing = await runFake(['latest', join(folder, 'none')])
  t.deepEqual([missing.code, missing.out], [1, ''])
})

test('a file in place of the folder is an error that names it', async (t) => {
  const folder = await scratchFolder(t)
  await writeFile(join(folder, 'file'), '')
  const { code, out, err } = await runFake(['latest', join(folder, 'file')])
  t.deepEqual([code, out], [1, ''])
  t.regex(err, /^ckpt: .*file: the folder could not be read: ENOTDIR: not a directory\n$/)
})

test('a wrong call exits with 2', async (t) => {
  for (const [argv, message] of [
    [['latest'], 'latest needs a folder'],
    [['latest', 'a', 'b'], 'latest takes one folder, not 2'],
    [['latest', '--json', 'a'], '--json'],
  ] as const) {
    const { code, err } = await runFake(argv)
    t.is(code, 2)
    t.true(err.includes(message), err)
  }
})

test('the path is relative if the folder is, so that a script can use it as it is', async (t) => {
  const folder = await scratchFolder(t)
  await saveSteps(join(folder, 'run'), 7)
  const program = new URL('../../dist/src/cli/main.js', import.meta.url).pathname
  const out = execFileSync(process.execPath, [program, 'latest', 'run'], { cwd: folder })
  t.is(out.toString(), `${join('run', fileName(7))}\n`)
})
