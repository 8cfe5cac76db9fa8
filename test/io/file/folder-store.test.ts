import { mkdir, readdir, symlink, utimes, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import test from 'ava'
import { FolderStore } from '../../../src/io/file/folder-store.js'
import { scratchFolder } from '../../support/scratch.js'
import { storeConforms } from '../../support/store-conformance.js'

storeConforms('folder', async (t) => {
  const folder = join(await scratchFolder(t), 'run')
  return { store: () => new FolderStore(folder), contents: () => readdir(folder) }
})

test('a folder is named by its absolute path, however it was given', async (t) => {
  const folder = await scratchFolder(t)
  t.is(new FolderStore('run').path, resolve('run'))
  t.is(new FolderStore(pathToFileURL(folder)).path, folder)
  t.is(new FolderStore(folder).locate('a'), join(folder, 'a'))
  t.is(new FolderStore(folder).fileOf('a'), join(folder, 'a'))
  t.throws(() => new FolderStore(''), { instanceOf: TypeError })
})

test('folders, and links to them, are not files', async (t) => {
  const folder = await scratchFolder(t)
  const store = new FolderStore(folder)
  await mkdir(join(folder, 'folder'))
  await symlink('folder', join(folder, 'link'))
  t.deepEqual(await store.list(), [])
  t.is(await store.stat('folder'), undefined)
  t.is(await store.stat('link'), undefined)
})

test('a link counts as a file, with the version of its target', async (t) => {
  const folder = await scratchFolder(t)
  const store = new FolderStore(folder)
  await writeFile(join(folder, 'target'), 'first')
  await symlink('target', join(folder, 'link'))
  await symlink('nowhere', join(folder, 'dangling'))
  const link = await store.stat('link')
  t.like(link, { name: 'link', isLink: true, byteLength: 5 })
  t.like(await store.stat('target'), { isLink: false })
  t.like(await store.stat('dangling'), { isLink: true })
  const source = await store.open('link', { version: link!.version })
  t.is(source.size, 5)
  source.close()
  await writeFile(join(folder, 'target'), 'second')
  t.not((await store.stat('link'))?.version, link?.version)
  await t.throwsAsync(store.open('link', { version: link!.version }), { code: 'CKPT_FILE_CHANGED' })
  t.is((await store.stat('link'))?.id, link?.id)
})

test('a file has the same id whatever becomes of its times, and another version', async (t) => {
  const folder = await scratchFolder(t)
  const store = new FolderStore(folder)
  await writeFile(join(folder, 'a'), 'bytes')
  const before = await store.stat('a')
  await utimes(join(folder, 'a'), 1, 1)
  const after = await store.stat('a')
  t.is(after?.id, before?.id)
  t.not(after?.version, before?.version)
  t.is(after?.modifiedAt, 1000)
})
