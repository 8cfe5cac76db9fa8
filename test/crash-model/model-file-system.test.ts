import test from 'ava'
import { crashImages } from '../support/crash-model/crash-states.js'
import {
  type Director,
  ModelFileSystem,
  type ModelProcess,
} from '../support/crash-model/model-file-system.js'
import { findInode } from '../support/crash-model/model-tree.js'

const OLD = Buffer.from('old')
const NEW = Buffer.from('new')

/** A folder with a file in it, and a process. */
function prepare(director?: Director): { model: ModelFileSystem; process: ModelProcess } {
  const model = new ModelFileSystem()
  model.plantFolder('/run')
  model.plantFile('/run/a', OLD)
  return { model, process: model.process('A', director === undefined ? {} : { director }) }
}

async function create(process: ModelProcess, path: string, bytes: Uint8Array): Promise<number> {
  const fd = await process.create(path, 0o666)
  await process.write(fd, bytes, 0)
  return fd
}

/** What a path may hold after a power cut now; undefined where it may hold nothing. */
function possible({ disk }: ModelFileSystem, path: string): Set<string | undefined> {
  const found = new Set<string | undefined>()
  for (const image of crashImages(disk)) {
    const inode = findInode(image, path)
    if (inode === undefined) found.add(undefined)
    else for (const content of image.contents(inode)) found.add(Buffer.from(content).toString())
  }
  return found
}

test('planted files are durable, and not part of the record', (t) => {
  const { model } = prepare()
  t.deepEqual(possible(model, '/run/a'), new Set(['old']))
  t.deepEqual(model.events, [])
})

test('a sync of a file makes its bytes durable, and not its name', async (t) => {
  const { model, process } = prepare()
  const fd = await create(process, '/run/b', NEW)
  t.true(possible(model, '/run/b').size > 3)
  await process.fsync(fd)
  t.deepEqual(possible(model, '/run/b'), new Set([undefined, 'new']))
})

test('a sync of a folder makes names durable, and not the bytes of the files', async (t) => {
  const { model, process } = prepare()
  await create(process, '/run/b', NEW)
  await process.fsync(await process.openFolder('/run'))
  const found = possible(model, '/run/b')
  t.false(found.has(undefined))
  t.true(found.has('') && found.has('\0\0\0') && found.has('new'))
})

test('a rename shows the old file or the new one, until its folder is synced', async (t) => {
  const { model, process } = prepare()
  await process.fsync(await create(process, '/run/b', NEW))
  await process.rename('/run/b', '/run/a')
  t.deepEqual(model.names('/run'), ['a'])
  t.deepEqual(possible(model, '/run/a'), new Set(['old', 'new']))
  await process.fsync(await process.openFolder('/'))
  t.deepEqual(possible(model, '/run/a'), new Set(['old', 'new']))
  await process.fsync(await process.openFolder('/run'))
  t.deepEqual(possible(model, '/run/a'), new Set(['new']))
})

test('files in a folder that is not durable are lost with it', async (t) => {
  const { model, process } = prepare()
  await process.mkdir('/run/deeper')
  await process.fsync(await create(process, '/run/deeper/b', NEW))
  await process.fsync(await process.openFolder('/run/deeper'))
  t.deepEqual(possible(model, '/run/deeper/b'), new Set([undefined, 'new']))
  await process.fsync(await process.openFolder('/run'))
  t.deepEqual(possible(model, '/run/deeper/b'), new Set(['new']))
})

test('a file that is written over may be any mixture of old and new', async (t) => {
  const { model, process } = prepare()
  const fd = await process.openForWriting('/run/a', 0o666)
  t.deepEqual(possible(model, '/run/a'), new Set(['old', '']))
  await process.write(fd, NEW, 0)
  const found = possible(model, '/run/a')
  for (const bytes of ['old', 'new', '', '\0\0\0']) t.true(found.has(bytes), bytes)
})

test('a sync that fails drops the bytes, and the next one succeeds without them', async (t) => {
  let syncs = 0
  const { model, process } = prepare(({ name }) =>
    name === 'fsync' && syncs++ === 0 ? { error: 'EIO' } : undefined,
  )
  const fd = await create(process, '/run/b', NEW)
  await t.throwsAsync(process.fsync(fd), { code: 'EIO' })
  await process.fsync(fd)
  await process.fsync(await process.openFolder('/run'))
  t.true(possible(model, '/run/b').has('\0\0\0'))
  t.is(Buffer.from(model.disk.read(findInode(model.disk, '/run/b')!)).toString(), 'new')
  // Written once more, they are to be synced once more.
  await process.write(fd, NEW, 0)
  await process.fsync(fd)
  t.deepEqual(possible(model, '/run/b'), new Set(['new']))
})

test('a write can be cut short, and a close that fails closes', async (t) => {
  const { model, process } = prepare(({ name }) =>
    name === 'write' ? { bytes: 2 } : name === 'close' ? { error: 'EIO' } : undefined,
  )
  const fd = await process.create('/run/b', 0o666)
  t.is(await process.write(fd, NEW, 0), 2)
  t.is((await process.fstat(fd)).size, 2)
  await t.throwsAsync(process.close(fd), { code: 'EIO' })
  t.deepEqual(model.openDescriptors, [])
  t.deepEqual(model.misuses, [])
  await t.throwsAsync(process.fsync(fd), { code: 'EBADF' })
  t.deepEqual(model.misuses, ['fsync'])
})

test('paths are looked up as the system does', async (t) => {
  const { model, process } = prepare()
  model.plantLink('/link', 'run/../run')
  model.plantLink('/circle', 'circle')
  t.is(await process.realpath('/link/a'), '/run/a')
  t.is((await process.lstat('/link')).kind, 'link')
  t.is(await process.readlink('/link'), 'run/../run')
  t.deepEqual(await process.readdir('/link'), ['a'])
  await t.throwsAsync(process.realpath('/circle'), { code: 'ELOOP' })
  await t.throwsAsync(process.lstat('/run/b'), { code: 'ENOENT' })
  await t.throwsAsync(process.lstat('/none/b'), { code: 'ENOENT' })
  await t.throwsAsync(process.lstat('/run/a/b'), { code: 'ENOTDIR' })
  await t.throwsAsync(process.create('/run/a', 0o666), { code: 'EEXIST' })
  await t.throwsAsync(process.mkdir('/link'), { code: 'EEXIST' })
  await t.throwsAsync(process.rename('/run/a', '/b'), { code: 'EXDEV' })
  await t.throwsAsync(process.unlink('/run'), { code: 'EISDIR' })
  await t.throwsAsync(process.openFolder('/run/a'), { code: 'ENOTDIR' })
})

test('modes are less the umask, and survive with the file', async (t) => {
  const { model, process } = prepare()
  const fd = await create(process, '/run/b', NEW)
  await process.fsync(await process.openFolder('/run'))
  t.is((await process.fstat(fd)).mode, 0o644)
  await process.fchmod(fd, 0o600)
  const modes = () => {
    const [image] = crashImages(model.disk)
    return image!.attributes(findInode(image!, '/run/b')!).map(({ mode }) => mode)
  }
  t.deepEqual(modes(), [0o644, 0o600])
  await process.fsync(fd)
  t.deepEqual(modes(), [0o600])
})

test('a killed process does nothing any more, and what it did stays as it was', async (t) => {
  const { model, process } = prepare()
  const fd = await create(process, '/run/b', NEW)
  process.kill()
  const calls = model.calls
  await t.throwsAsync(process.fsync(fd), { message: /killed/ })
  await t.throwsAsync(process.unlink('/run/b'), { message: /killed/ })
  t.is(model.calls, calls)
  t.deepEqual(model.openDescriptors, [])
  t.deepEqual(model.names('/run'), ['a', 'b'])
  t.true(possible(model, '/run/b').has(undefined))
})

test('after a restart, everything that was left is durable', async (t) => {
  const { model, process } = prepare()
  await create(process, '/run/b', NEW)
  const found = new Set<string>()
  for (const image of crashImages(model.disk)) {
    for (const newest of [false, true]) {
      const restarted = new ModelFileSystem(image.restarted(newest))
      const contents = possible(restarted, '/run/b')
      t.is(contents.size, 1)
      found.add(`${[...contents][0]}`)
    }
  }
  t.deepEqual(found, new Set(['undefined', '', 'new']))
})
