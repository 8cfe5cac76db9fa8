import * as fs from 'node:fs/promises'
import { dirname, join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import type { CheckpointError } from '../../../src/errors.js'
import { FileSink } from '../../../src/io/file/file-sink.js'
import { observedFileSystem, systemError } from '../../support/io/observed-file-system.js'
import { scratchFolder } from '../../support/scratch.js'

const OLD = Buffer.from('the old bytes')
const NEW = Buffer.from('the new bytes')
const OTHER = Buffer.from('the bytes of another saver')

interface Disturbed {
  readonly folder: string
  readonly path: string
  readonly error: CheckpointError | undefined
}

/** A commit over OLD, or over nothing, in whose way somebody is right before the rename. */
async function disturbed(
  t: ExecutionContext,
  disturb: (path: string) => Promise<void>,
  { first = false } = {},
): Promise<Disturbed> {
  const folder = join(await scratchFolder(t), 'run')
  const path = join(folder, 'a.ckpt')
  await fs.mkdir(folder)
  if (!first) await fs.writeFile(path, OLD)
  const observed = observedFileSystem()
  const sink = new FileSink(path, { fileSystem: observed })
  await sink.begin(NEW.byteLength)
  await sink.write(NEW, 0)
  await sink.sync()
  await disturb(path)
  const error = await sink.commit().then(
    () => undefined,
    (error) => error,
  )
  await sink.abort()
  t.is(observed.open.size, 0)
  return { folder, path, error }
}

async function removeTemporary(path: string): Promise<void> {
  for (const name of await fs.readdir(dirname(path))) {
    if (name.endsWith('.tmp')) await fs.rm(join(dirname(path), name))
  }
}

test('a temporary file that is removed during a save: not committed, and the old file is there', async (t) => {
  for (const first of [false, true]) {
    const { folder, path, error } = await disturbed(t, removeTemporary, { first })
    t.is(error?.code, 'CKPT_NOT_COMMITTED')
    t.is(error?.path, path)
    t.like(error?.cause, { code: 'ENOENT' })
    t.regex(
      error?.message ?? '',
      /temporary file or its folder was removed or moved during the save/,
    )
    t.deepEqual(await fs.readdir(folder), first ? [] : ['a.ckpt'])
    if (!first) t.deepEqual(await fs.readFile(path), OLD)
  }
})

test('a folder that is moved, removed or replaced during a save: not committed', async (t) => {
  const moved = await disturbed(t, (path) => fs.rename(dirname(path), `${dirname(path)}-moved`))
  t.is(moved.error?.code, 'CKPT_NOT_COMMITTED')
  t.deepEqual(await fs.readFile(join(`${moved.folder}-moved`, 'a.ckpt')), OLD)
  await t.throwsAsync(fs.stat(moved.folder), { code: 'ENOENT' })

  const removed = await disturbed(t, (path) => fs.rm(dirname(path), { recursive: true }))
  t.is(removed.error?.code, 'CKPT_NOT_COMMITTED')
  await t.throwsAsync(fs.stat(removed.folder), { code: 'ENOENT' })

  const replaced = await disturbed(t, async (path) => {
    await fs.rename(dirname(path), `${dirname(path)}-moved`)
    await fs.mkdir(dirname(path))
  })
  t.is(replaced.error?.code, 'CKPT_NOT_COMMITTED')
  t.deepEqual(await fs.readdir(replaced.folder), [])
})

test('a temporary file that is gone, and another saver’s file in the place of the old one: uncertain', async (t) => {
  const { path, error } = await disturbed(t, async (path) => {
    await removeTemporary(path)
    await fs.writeFile(`${path}.other`, OTHER)
    await fs.rename(`${path}.other`, path)
  })
  t.is(error?.code, 'CKPT_NOT_DURABLE')
  t.regex(error?.message ?? '', /uncertain/)
  t.deepEqual(await fs.readFile(path), OTHER)
})

test('a temporary file that was moved over the destination by hand is a commit without a promise', async (t) => {
  const { path, error } = await disturbed(t, async (path) => {
    const names = await fs.readdir(dirname(path))
    await fs.rename(join(dirname(path), names.find((name) => name.endsWith('.tmp'))!), path)
  })
  t.is(error?.code, 'CKPT_NOT_DURABLE')
  t.regex(error?.message ?? '', /in place/)
  t.deepEqual(await fs.readFile(path), NEW)
})

test('a failed rename that left both files in place is reported as that failure', async (t) => {
  const path = join(await scratchFolder(t), 'a.ckpt')
  await fs.writeFile(path, OLD)
  const injected = systemError('EIO', 'rename')
  const observed = observedFileSystem({
    before({ operation }) {
      if (operation === 'rename') throw injected
    },
  })
  const sink = new FileSink(path, { fileSystem: observed })
  await sink.begin(NEW.byteLength)
  await sink.write(NEW, 0)
  await sink.sync()
  const error = await t.throwsAsync<CheckpointError>(sink.commit(), { code: 'CKPT_NOT_COMMITTED' })
  t.is(error?.cause, injected)
  await sink.abort()
  t.deepEqual(await fs.readdir(dirname(path)), ['a.ckpt'])
})
