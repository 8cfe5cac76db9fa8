import { mkdir, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { FileSink } from '../../../src/io/file/file-sink.js'
import type { FileSystem } from '../../../src/io/file/file-system.js'
import { fileNamed } from '../../../src/io/file/file-version.js'
import { nodeFileSystem } from '../../../src/io/file/node-file-system.js'
import type { Condition } from '../../../src/io/store.js'
import { systemError } from '../../support/io/observed-file-system.js'
import { requires } from '../../support/requires.js'
import { scratchFolder } from '../../support/scratch.js'

const NEW = Buffer.from('the new bytes')

/** A sink that has everything but its commit. */
async function ready(path: string, condition: Condition, changes: Partial<FileSystem> = {}) {
  const fileSystem = { ...nodeFileSystem, ...changes }
  const sink = new FileSink(path, { condition, fileSystem })
  await sink.begin(NEW.length)
  await sink.write(NEW, 0)
  await sink.sync()
  return sink
}

async function fileIn(t: ExecutionContext) {
  const folder = await scratchFolder(t)
  return { folder, path: join(folder, 'a.ckpt') }
}

const versionOf = async (path: string) => (await fileNamed(path))!.version
const ifAbsent = { ifAbsent: true } as const

test('a new file has one name, and the mode of any other new file', async (t) => {
  const { folder, path } = await fileIn(t)
  const sink = await ready(path, ifAbsent)
  t.is(await sink.commit(), process.platform === 'win32' ? 'file-only' : 'durable')
  await sink.abort()
  t.deepEqual(await readFile(path), NEW)
  t.deepEqual(await readdir(folder), ['a.ckpt'])
  t.is((await stat(path)).nlink, 1)
  await writeFile(join(folder, 'other'), '')
  t.is((await stat(path)).mode, (await stat(join(folder, 'other'))).mode)
})

test('a file that is there ends the save before a byte is written', async (t) => {
  const { folder, path } = await fileIn(t)
  await writeFile(path, 'old')
  let written = 0
  const write: FileSystem['write'] = async (...args) => {
    written++
    return nodeFileSystem.write(...args)
  }
  await t.throwsAsync(ready(path, ifAbsent, { write }), { code: 'CKPT_EXISTS' })
  await t.throwsAsync(ready(path, { ifVersion: 'another' }, { write }), {
    code: 'CKPT_FILE_CHANGED',
  })
  t.is(written, 0)
  t.deepEqual(await readdir(folder), ['a.ckpt'])
})

test('whatever takes the name meanwhile stays: a file, a folder, a link to nothing', async (t) => {
  for (const take of [
    (path: string) => writeFile(path, 'theirs'),
    (path: string) => symlink('nowhere', path),
    (path: string) => mkdir(path),
  ]) {
    const { folder, path } = await fileIn(t)
    const sink = await ready(path, ifAbsent)
    await take(path)
    const before = await versionOf(path)
    await t.throwsAsync(sink.commit(), { code: 'CKPT_EXISTS' })
    await sink.abort()
    t.is(await versionOf(path), before)
    t.deepEqual(await readdir(folder), ['a.ckpt'])
  }
})

test('a link whose answer was lost has made the file', async (t) => {
  const { folder, path } = await fileIn(t)
  const link: FileSystem['link'] = async (from, to) => {
    await nodeFileSystem.link!(from, to)
    throw systemError('EEXIST', 'link')
  }
  const sink = await ready(path, ifAbsent, { link })
  await sink.commit()
  await sink.abort()
  t.deepEqual(await readFile(path), NEW)
  t.deepEqual(await readdir(folder), ['a.ckpt'])
})

test('a file system without hard links refuses the save, and says so', async (t) => {
  for (const code of ['EPERM', 'ENOTSUP']) {
    const { folder, path } = await fileIn(t)
    const link: FileSystem['link'] = async () => {
      throw systemError(code, 'link')
    }
    const sink = await ready(path, ifAbsent, { link })
    await t.throwsAsync(sink.commit(), { code: 'CKPT_NOT_COMMITTED', message: /hard links/ })
    await sink.abort()
    t.deepEqual(await readdir(folder), [])
  }
})

test('a version that was replaced, changed in place or removed meanwhile is CKPT_FILE_CHANGED', async (t) => {
  for (const change of [
    async (path: string) => {
      await rm(path)
      await writeFile(path, 'the old bytes')
    },
    (path: string) => writeFile(path, 'more than the old bytes'),
    (path: string) => rm(path),
  ]) {
    const { folder, path } = await fileIn(t)
    await writeFile(path, 'the old bytes')
    const sink = await ready(path, { ifVersion: await versionOf(path) })
    await change(path)
    const names = await readdir(folder)
    const before = await fileNamed(path)
    await t.throwsAsync(sink.commit(), { code: 'CKPT_FILE_CHANGED' })
    await sink.abort()
    t.deepEqual(await fileNamed(path), before)
    t.is((await readdir(folder)).length, names.length - 1)
  }
})

test('a link to the file is replaced behind its name, by the version of both', async (t) => {
  const { folder, path } = await fileIn(t)
  await writeFile(join(folder, 'target'), 'old')
  await symlink('target', path)
  const sink = await ready(path, { ifVersion: await versionOf(path) })
  await sink.commit()
  t.deepEqual(await readFile(join(folder, 'target')), NEW)
  t.true((await fileNamed(path))?.isLink)
})

requires(test, 'program:flock')(
  'of savers that found the same version, one wins, and the others learn it',
  async (t) => {
    const { path } = await fileIn(t)
    await writeFile(path, 'old')
    const condition = { ifVersion: await versionOf(path) }
    const sinks = await Promise.all(Array.from({ length: 6 }, () => ready(path, condition)))
    const results = await Promise.allSettled(sinks.map((sink) => sink.commit()))
    const codes = results.map((result) =>
      result.status === 'fulfilled' ? 'won' : result.reason.code,
    )
    t.deepEqual(codes.sort(), [...Array(5).fill('CKPT_FILE_CHANGED'), 'won'].sort())
    await Promise.all(sinks.map((sink) => sink.abort()))
  },
)

test('a saver that hangs with the lock does not hang the others', async (t) => {
  const { folder, path } = await fileIn(t)
  await writeFile(path, 'old')
  const lock: FileSystem['lock'] = async () => 'held'
  const sink = await ready(path, { ifVersion: await versionOf(path) }, { lock })
  await t.throwsAsync(sink.commit(), { code: 'CKPT_NOT_COMMITTED', message: /lock/ })
  await sink.abort()
  t.is(await readFile(path, 'utf8'), 'old')
  t.deepEqual(await readdir(folder), ['a.ckpt'])
})
