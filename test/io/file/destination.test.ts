import * as fs from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { loadCheckpoint, saveCheckpoint } from '../../../src/index.js'
import { CheckpointManager } from '../../support/built.js'
import { requires } from '../../support/requires.js'
import { scratchFolder } from '../../support/scratch.js'

const data = Float32Array.of(1)
const model = { stateDict: () => ({ w: { shape: [1], data } }) }

const stepAt = async (path: string): Promise<number> => {
  await using checkpoint = await loadCheckpoint(path)
  return checkpoint.step
}

/** Folders in which `home/data` is a link to `disk/data`, so that `home/data/..` is `disk`. */
async function linkedFolders(t: ExecutionContext): Promise<{ home: string; disk: string }> {
  const root = await fs.realpath(await scratchFolder(t))
  const [home, disk] = [join(root, 'home'), join(root, 'disk')]
  await fs.mkdir(join(disk, 'data'), { recursive: true })
  await fs.mkdir(home)
  await fs.symlink(join(disk, 'data'), join(home, 'data'))
  return { home, disk }
}

// Windows takes `..` off the text of a path.
const onPosix = requires(test, 'posix')

onPosix(
  '`..` behind a link is the folder above the one that it leads to, as in a load',
  async (t) => {
    const { home, disk } = await linkedFolders(t)
    const path = `${home}/data/../a.ckpt`
    await saveCheckpoint(path, model, null, { step: 1 })
    await saveCheckpoint(path, model, null, { step: 2 })
    t.is(await stepAt(path), 2)
    t.is(await stepAt(join(disk, 'a.ckpt')), 2)
    t.deepEqual(await fs.readdir(home), ['data'])
  },
)

onPosix('folders that are missing are made where the path leads', async (t) => {
  const { home, disk } = await linkedFolders(t)
  const path = `${home}/data/../runs/today/a.ckpt`
  await saveCheckpoint(path, model, null, { step: 1 })
  t.is(await stepAt(path), 1)
  t.is(await stepAt(join(disk, 'runs', 'today', 'a.ckpt')), 1)
  // The system goes into a folder before it goes out of it.
  const around = `${home}/missing/../b.ckpt`
  await saveCheckpoint(around, model, null, { step: 2 })
  t.is(await stepAt(around), 2)
  t.is(await stepAt(join(home, 'b.ckpt')), 2)
})

onPosix('`..` in a link goes the same way', async (t) => {
  const { home, disk } = await linkedFolders(t)
  await fs.symlink('data/../latest.ckpt', join(home, 'link.ckpt'))
  await saveCheckpoint(join(home, 'link.ckpt'), model, null, { step: 1 })
  t.is(await stepAt(join(home, 'link.ckpt')), 1)
  t.is(await stepAt(join(disk, 'latest.ckpt')), 1)
  t.deepEqual((await fs.readdir(home)).sort(), ['data', 'link.ckpt'])
})

onPosix(
  'a link that names a folder by its last slash is refused, as it cannot be loaded',
  async (t) => {
    const folder = await scratchFolder(t)
    await fs.symlink('a.ckpt/', join(folder, 'link.ckpt'))
    await t.throwsAsync(saveCheckpoint(join(folder, 'link.ckpt'), model), {
      code: 'CKPT_NOT_COMMITTED',
      message: /the path names a folder/,
    })
    t.deepEqual(await fs.readdir(folder), ['link.ckpt'])
  },
)

onPosix('a manager lists and resumes what it has saved behind a link', async (t) => {
  const { home, disk } = await linkedFolders(t)
  const manager = new CheckpointManager(`${home}/data/../run`)
  await manager.save(model, null, { step: 5 })
  await manager.flush()
  const list = await manager.list()
  t.deepEqual(
    list.map(({ step }) => step),
    [5],
  )
  t.is((await manager.restoreLatest(model))?.step, 5)
  t.deepEqual(await fs.readdir(join(disk, 'run')), ['step-000000000005.ckpt'])
  await manager.close()
})

test.serial(
  'a relative path is of the folder that the process is in when it is given',
  async (t) => {
    const root = await scratchFolder(t)
    const [one, two] = [join(root, 'one'), join(root, 'two')]
    for (const folder of [one, two]) await fs.mkdir(folder)
    const before = process.cwd()
    t.teardown(() => process.chdir(before))
    process.chdir(one)
    const moving = {
      async stateDict() {
        process.chdir(two)
        return model.stateDict()
      },
    }
    await saveCheckpoint('a.ckpt', moving)
    process.chdir(one)
    const manager = new CheckpointManager('run')
    t.is(manager.folder, 'run')
    await manager.save(model, null, { step: 1 })
    process.chdir(two)
    await manager.save(model, null, { step: 2 })
    await manager.close()
    t.deepEqual(
      (await manager.list()).map(({ step }) => step),
      [1, 2],
    )
    t.deepEqual(await fs.readdir(two), [])
    t.deepEqual((await fs.readdir(one)).sort(), ['a.ckpt', 'run'])
  },
)

test.serial('a relative path in a folder that is gone is an error of the save', async (t) => {
  const gone = join(await scratchFolder(t), 'gone')
  await fs.mkdir(gone)
  const before = process.cwd()
  t.teardown(() => process.chdir(before))
  process.chdir(gone)
  await fs.rmdir(gone)
  await t.throwsAsync(saveCheckpoint('a.ckpt', model), { code: 'CKPT_NOT_COMMITTED' })
})
