import {
  copyFile,
  link,
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { runInNewContext } from 'node:vm'
import test, { type ExecutionContext } from 'ava'
import { CheckpointError, type CheckpointErrorCode } from '../../src/errors.js'
import { FolderStore } from '../../src/io/file/folder-store.js'
import { isMissing } from '../../src/io/store.js'
import { isDamage } from '../../src/manager/checkpoint-entry.js'
import { RunCheckpoints } from '../../src/manager/run-checkpoints.js'
import { saveCheckpoint } from '../../src/save/save.js'
import {
  damage,
  fileName,
  saveSteps,
  smallModel,
} from '../support/manager/folder-of-checkpoints.js'
import { scratchFolder } from '../support/scratch.js'

const checkpointsIn = (path: string) => new RunCheckpoints(new FolderStore(path))

/** The version of the file of a step, which must be there. */
const versionOf = async (folder: RunCheckpoints, step: number) =>
  (await folder.store.stat(fileName(step)))!.version

async function folderOf(t: ExecutionContext, ...steps: readonly number[]) {
  const path = await scratchFolder(t)
  await saveSteps(path, ...steps)
  return { path, folder: checkpointsIn(path) }
}

const stepsOf = async (folder: RunCheckpoints) => (await folder.list()).map(({ step }) => step)

const error = new CheckpointError('CKPT_TENSOR_CHECKSUM', 'it is damaged')

const errorOf = (code: CheckpointErrorCode, cause?: unknown) =>
  new CheckpointError(code, 'it failed', { cause })

test('names sort by step, from the first possible step to the last', (t) => {
  const folder = checkpointsIn('run')
  const steps = [0, 1, 9, 10, 99, 1000, 999_999_999_999]
  const names = steps.map((step) => folder.nameOf(step))
  t.deepEqual([...names].sort(), names)
  t.is(names[1], 'step-000000000001.ckpt')
  t.is(folder.store.locate(names[1]!), resolve('run', 'step-000000000001.ckpt'))
  for (const step of [-1, 1.5, 1e12, Number.NaN]) {
    t.throws(() => folder.nameOf(step), { instanceOf: RangeError })
  }
})

test('a missing folder is empty', async (t) => {
  const folder = checkpointsIn(join(await scratchFolder(t), 'none'))
  t.deepEqual(await folder.list(), [])
  t.deepEqual(await folder.read(), [])
  t.deepEqual(await folder.listSetAside(), [])
})

test('the list is oldest first, with the progress of each by its metadata', async (t) => {
  const { path, folder } = await folderOf(t, 20, 3, 100)
  const file = join(path, fileName(7))
  const progress = { epoch: 2, step: 7, loss: Number.NaN, metrics: { accuracy: 0.5 } }
  const { byteLength } = await saveCheckpoint(file, smallModel(), null, progress)
  await utimes(file, 1000, 1234.5)
  t.deepEqual(await stepsOf(folder), [3, 7, 20, 100])
  t.deepEqual((await folder.list())[1], {
    path: file,
    epoch: 2,
    step: 7,
    loss: Number.NaN,
    metrics: { accuracy: 0.5 },
    byteLength,
    sequence: null,
    savedAt: 1_234_500,
    isTimeRecorded: false,
    modifiedAt: 1_234_500,
  })
  await saveCheckpoint(file, smallModel(), null, { ...progress, sequence: 4, savedAt: 77 })
  await utimes(file, 1000, 1234.5)
  t.like((await folder.list()).at(-1), {
    step: 7,
    sequence: 4,
    savedAt: 77,
    isTimeRecorded: true,
    modifiedAt: 1_234_500,
  })
  await saveCheckpoint(file, smallModel(), null, progress)
  t.is((await folder.list()).at(-1)?.step, 100)
})

test('files with other names, and folders, are not checkpoints', async (t) => {
  const { path, folder } = await folderOf(t, 5)
  await saveCheckpoint(join(path, 'best.ckpt'), smallModel(), null, { step: 6 })
  await saveCheckpoint(join(path, 'step-7.ckpt'), smallModel(), null, { step: 7 })
  await saveCheckpoint(join(path, `${fileName(8)}.damaged`), smallModel(), null, { step: 8 })
  await mkdir(join(path, fileName(10)))
  await symlink(join(path, fileName(10)), join(path, fileName(11)))
  t.deepEqual(await stepsOf(folder), [5])
  t.deepEqual(
    (await folder.read()).map(({ path }) => path),
    [join(path, fileName(5))],
  )
  t.deepEqual(await folder.listSetAside(), [join(path, `${fileName(8)}.damaged`)])
})

test('the order is that of the saves; a file without a number has the place of its step', async (t) => {
  const { path, folder } = await folderOf(t, 5, 90)
  for (const [sequence, step] of [100, 200, 300, 150, 160].entries()) {
    await saveCheckpoint(join(path, fileName(step)), smallModel(), null, { step, sequence })
  }
  await writeFile(join(path, fileName(120)), 'no checkpoint')
  await writeFile(join(path, fileName(250)), 'no checkpoint')
  t.deepEqual(await stepsOf(folder), [5, 90, 100, 200, 300, 150, 160])
  t.deepEqual(
    (await folder.read()).map(({ step }) => step),
    [5, 90, 100, 120, 200, 300, 150, 160, 250],
  )
})

test('the largest number is found among the files that have not been read, too', async (t) => {
  const { path, folder } = await folderOf(t, 1)
  const none = new Set<string>()
  t.is(await folder.largestSequence(none), -1)
  const file = join(path, fileName(2))
  await saveCheckpoint(file, smallModel(), null, { step: 2, sequence: 7 })
  t.is(await folder.largestSequence(new Set([fileName(2)])), -1)
  t.is(await folder.largestSequence(none), 7)
})

test('a link to a checkpoint is one, and is read again when another file is put behind it', async (t) => {
  const { path, folder } = await folderOf(t, 5)
  const blob = join(path, 'blob')
  await saveCheckpoint(blob, smallModel(), null, { step: 7, loss: 1 })
  await symlink('blob', join(path, fileName(7)))
  t.deepEqual(await stepsOf(folder), [5, 7])
  t.deepEqual(
    (await folder.read()).map(({ isLink }) => isLink),
    [false, true],
  )
  await saveCheckpoint(blob, smallModel(), null, { step: 7, loss: 2 })
  t.deepEqual(
    (await folder.list()).map(({ loss }) => loss),
    [5, 2],
  )
})

test('each file that is not a checkpoint has a kind that says why', async (t) => {
  const { path, folder } = await folderOf(t, 1, 2, 3)
  await damage(path, 1, 'metadata')
  await rename(join(path, fileName(2)), join(path, fileName(9)))
  await symlink('nowhere', join(path, fileName(4)))
  await symlink(fileName(5), join(path, fileName(5)))
  const newer = new URL('../conformance/invalid/version-2.ckpt', import.meta.url)
  await copyFile(newer, join(path, fileName(6)))
  t.deepEqual(
    (await folder.read()).map(({ kind, step }) => [step, kind]),
    [
      [1, 'damaged'],
      [3, 'checkpoint'],
      [4, 'unreadable'],
      [5, 'unreadable'],
      [6, 'newer version'],
      [9, 'other step'],
    ],
  )
  t.deepEqual(await stepsOf(folder), [3])
})

test('a file is left out whose step is not that of its name, and one that is damaged', async (t) => {
  const { path, folder } = await folderOf(t, 5, 6, 7)
  await saveCheckpoint(join(path, fileName(9)), smallModel(), null, { step: 4 })
  await saveCheckpoint(join(path, fileName(10)), smallModel(), null, { step: -10 })
  await writeFile(join(path, fileName(8)), 'no checkpoint')
  await writeFile(join(path, fileName(11)), '')
  await damage(path, 6, 'metadata')
  t.deepEqual(await stepsOf(folder), [5, 7])
  t.is((await folder.list()).at(-1)?.step, 7)
})

test('damage in a tensor does not show in a list: no tensor is read', async (t) => {
  const { path, folder } = await folderOf(t, 5)
  await damage(path, 5)
  t.deepEqual(await stepsOf(folder), [5])
})

test('a file that is replaced, changed or removed is listed as it is now', async (t) => {
  const { path, folder } = await folderOf(t, 1, 2, 3)
  const losses = async () => (await folder.list()).map(({ loss }) => loss)
  t.deepEqual(await losses(), [1, 2, 3])
  await saveCheckpoint(join(path, fileName(2)), smallModel(), null, { step: 2, loss: 0.5 })
  t.deepEqual(await losses(), [1, 0.5, 3])
  await writeFile(join(path, fileName(3)), 'now something else')
  t.deepEqual(await losses(), [1, 0.5])
  await rm(join(path, fileName(1)))
  t.deepEqual(await losses(), [0.5])
})

test('what has been read is not read again while the file is the same', async (t) => {
  const { path, folder } = await folderOf(t, 1)
  const [first] = await folder.list()
  const [second] = await folder.list()
  t.is(first, second)
  // The same bytes in a file of its own.
  const file = join(path, fileName(1))
  await writeFile(join(path, 'copy'), await readFile(file))
  await rename(join(path, 'copy'), file)
  const [third] = await folder.list()
  t.not(third, first)
  t.is(third?.step, 1)
})

test('a damaged file is set aside under another name, with its bytes', async (t) => {
  const { path, folder } = await folderOf(t, 5)
  const file = join(path, fileName(5))
  const bytes = await readFile(file)
  const version = await versionOf(folder, 5)
  const aside = await folder.setAside(fileName(5), version, error)
  t.deepEqual(aside, { path: file, movedTo: `${file}.damaged`, error })
  t.deepEqual(await readdir(path), [`${fileName(5)}.damaged`])
  t.true(bytes.equals(await readFile(`${file}.damaged`)))
})

test('a file that is set aside replaces none that was set aside before', async (t) => {
  const { path, folder } = await folderOf(t, 5)
  const file = join(path, fileName(5))
  await writeFile(`${file}.damaged`, 'first')
  await writeFile(`${file}.damaged-2`, 'second')
  const aside = await folder.setAside(fileName(5), await versionOf(folder, 5), error)
  t.is(aside.movedTo, `${file}.damaged-3`)
  t.is(await readFile(`${file}.damaged`, 'utf8'), 'first')
  t.is(await readFile(`${file}.damaged-2`, 'utf8'), 'second')
})

test('a file is set aside where it has another name already, and keeps that', async (t) => {
  const { path, folder } = await folderOf(t, 5)
  const file = join(path, fileName(5))
  await link(file, join(path, 'kept'))
  await folder.setAside(fileName(5), await versionOf(folder, 5), error)
  t.deepEqual(await readdir(path), ['kept', `${fileName(5)}.damaged`].sort())
})

test('a valid file that has replaced the damaged one stays where it is', async (t) => {
  const { path, folder } = await folderOf(t, 5)
  const file = join(path, fileName(5))
  const version = await versionOf(folder, 5)
  await saveCheckpoint(file, smallModel(), null, { step: 5, loss: 77 })
  const aside = await folder.setAside(fileName(5), version, error)
  t.is(aside.movedTo, null)
  t.deepEqual(await readdir(path), [fileName(5)])
  t.is((await folder.list()).at(-1)?.loss, 77)
})

test('setting aside a file that is gone, or that has no free name left, changes nothing', async (t) => {
  const { path, folder } = await folderOf(t, 5)
  t.is((await folder.setAside(fileName(6), 'of old', error)).movedTo, null)
  t.deepEqual(await readdir(path), [fileName(5)])
  const file = join(path, fileName(5))
  await writeFile(`${file}.damaged`, '')
  for (let n = 2; n <= 100; n++) await writeFile(`${file}.damaged-${n}`, '')
  t.is((await folder.setAside(fileName(5), await versionOf(folder, 5), error)).movedTo, null)
  t.is((await folder.list()).at(-1)?.step, 5)
})

test('damage is an error that an older checkpoint does not share', (t) => {
  t.true(isDamage(errorOf('CKPT_TENSOR_CHECKSUM')))
  t.true(isDamage(errorOf('CKPT_FILE_LENGTH')))
  t.false(isDamage(errorOf('CKPT_VERSION')))
  t.false(isDamage(errorOf('CKPT_READ')))
  t.false(isDamage(errorOf('CKPT_STATE_MISMATCH')))
  t.false(isDamage(new Error('CKPT_TENSOR_CHECKSUM')))
})

test('a file counts as gone if it could not be opened, not if a model lacks a file of its own', (t) => {
  const none = Object.assign(new Error('ENOENT'), { code: 'ENOENT' })
  t.true(isMissing(errorOf('CKPT_READ', none)))
  // What Node throws is of another realm than a test runner's files.
  const foreign = runInNewContext('Object.assign(new Error(), { code: "ENOENT" })')
  t.true(isMissing(errorOf('CKPT_READ', foreign)))
  t.false(isMissing(errorOf('CKPT_RESTORE_INCOMPLETE', none)))
  t.false(isMissing(errorOf('CKPT_READ', Object.assign(new Error('EACCES'), { code: 'EACCES' }))))
  t.false(isMissing(none))
})
