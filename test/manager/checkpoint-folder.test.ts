import {
  link,
  mkdir,
  readdir,
  readFile,
  rename,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { CheckpointError } from '../../src/errors.js'
import { CheckpointFolder } from '../../src/manager/checkpoint-folder.js'
import { saveCheckpoint } from '../../src/save/save.js'
import {
  damage,
  fileName,
  saveSteps,
  smallModel,
} from '../support/manager/folder-of-checkpoints.js'
import { scratchFolder } from '../support/scratch.js'

async function folderOf(t: ExecutionContext, ...steps: readonly number[]) {
  const path = await scratchFolder(t)
  await saveSteps(path, ...steps)
  return { path, folder: new CheckpointFolder(path) }
}

const stepsOf = async (folder: CheckpointFolder) => (await folder.list()).map(({ step }) => step)

const error = new CheckpointError('CKPT_TENSOR_CHECKSUM', 'it is damaged')

test('names sort by step, from the first to the last that there can be', (t) => {
  const folder = new CheckpointFolder('run')
  const steps = [0, 1, 9, 10, 99, 1000, 999_999_999_999]
  const paths = steps.map((step) => folder.pathOf(step))
  t.deepEqual([...paths].sort(), paths)
  t.is(paths[1], join('run', 'step-000000000001.ckpt'))
  for (const step of [-1, 1.5, 1e12, Number.NaN]) {
    t.throws(() => folder.pathOf(step), { instanceOf: RangeError })
  }
})

test('a folder that is not there is empty', async (t) => {
  const folder = new CheckpointFolder(join(await scratchFolder(t), 'none'))
  t.deepEqual(await folder.list(), [])
  t.deepEqual(await folder.newestFirst(), [])
  t.is(await folder.latest(), null)
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
    savedAt: 1_234_500,
  })
  t.is((await folder.latest())?.step, 100)
})

test('files of other names, links and folders are none of the checkpoints', async (t) => {
  const { path, folder } = await folderOf(t, 5)
  await saveCheckpoint(join(path, 'best.ckpt'), smallModel(), null, { step: 6 })
  await saveCheckpoint(join(path, 'step-7.ckpt'), smallModel(), null, { step: 7 })
  await saveCheckpoint(join(path, `${fileName(8)}.damaged`), smallModel(), null, { step: 8 })
  await symlink(join(path, 'step-7.ckpt'), join(path, fileName(7)))
  await symlink(join(path, 'nowhere'), join(path, fileName(9)))
  await mkdir(join(path, fileName(10)))
  t.deepEqual(await stepsOf(folder), [5])
  t.deepEqual(await folder.newestFirst(), [join(path, fileName(5))])
})

test('a file is left out whose step is not that of its name, and one that is damaged', async (t) => {
  const { path, folder } = await folderOf(t, 5, 6, 7)
  await saveCheckpoint(join(path, fileName(9)), smallModel(), null, { step: 4 })
  await saveCheckpoint(join(path, fileName(10)), smallModel(), null, { step: -10 })
  await writeFile(join(path, fileName(8)), 'no checkpoint')
  await writeFile(join(path, fileName(11)), '')
  await damage(path, 6, 'metadata')
  t.deepEqual(await stepsOf(folder), [5, 7])
  t.is((await folder.latest())?.step, 7)
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
  await folder.remove(join(path, fileName(1)))
  await folder.remove(join(path, fileName(1)))
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
  const identity = await folder.identify(file)
  const aside = await folder.setAside(file, identity!, error)
  t.deepEqual(aside, { path: file, movedTo: `${file}.damaged`, error })
  t.deepEqual(await readdir(path), [`${fileName(5)}.damaged`])
  t.true(bytes.equals(await readFile(`${file}.damaged`)))
})

test('a file that is set aside replaces none that was set aside before', async (t) => {
  const { path, folder } = await folderOf(t, 5)
  const file = join(path, fileName(5))
  await writeFile(`${file}.damaged`, 'first')
  await writeFile(`${file}.damaged-2`, 'second')
  const aside = await folder.setAside(file, (await folder.identify(file))!, error)
  t.is(aside.movedTo, `${file}.damaged-3`)
  t.is(await readFile(`${file}.damaged`, 'utf8'), 'first')
  t.is(await readFile(`${file}.damaged-2`, 'utf8'), 'second')
})

test('a file is set aside where it has another name already, and keeps that', async (t) => {
  const { path, folder } = await folderOf(t, 5)
  const file = join(path, fileName(5))
  await link(file, join(path, 'kept'))
  await folder.setAside(file, (await folder.identify(file))!, error)
  t.deepEqual(await readdir(path), ['kept', `${fileName(5)}.damaged`].sort())
})

test('a whole file that came in place of the damaged one stays where it is', async (t) => {
  const { path, folder } = await folderOf(t, 5)
  const file = join(path, fileName(5))
  const identity = await folder.identify(file)
  await saveCheckpoint(file, smallModel(), null, { step: 5, loss: 77 })
  const aside = await folder.setAside(file, identity!, error)
  t.is(aside.movedTo, null)
  t.deepEqual(await readdir(path), [fileName(5)])
  t.is((await folder.latest())?.loss, 77)
})

test('setting aside what is gone, or has no free name left, changes nothing', async (t) => {
  const { path, folder } = await folderOf(t, 5)
  const gone = join(path, fileName(6))
  t.is((await folder.setAside(gone, 'of old', error)).movedTo, null)
  t.deepEqual(await readdir(path), [fileName(5)])
  const file = join(path, fileName(5))
  await writeFile(`${file}.damaged`, '')
  for (let n = 2; n <= 100; n++) await writeFile(`${file}.damaged-${n}`, '')
  t.is((await folder.setAside(file, (await folder.identify(file))!, error)).movedTo, null)
  t.is((await folder.latest())?.step, 5)
})
