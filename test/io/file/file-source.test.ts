import { execFileSync } from 'node:child_process'
import { pbkdf2 } from 'node:crypto'
import * as fs from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { promisify } from 'node:util'
import test from 'ava'
import { limitReads, refuseStatus } from '../../support/io/limited-reads.js'
import { requires } from '../../support/requires.js'
import { scratchFolder } from '../../support/scratch.js'
import { sourceConforms } from '../../support/source-conformance.js'
import { collectGarbage } from '../../support/trainer/garbage-collection.js'

// Loaded when the reads have been patched.
const { FileSource, openFile } = await import('../../../src/io/file/file-source.js')

const BYTES = Uint8Array.from({ length: 1_000 }, (_, i) => (i * 7) % 256)

const onLinux = requires(test, 'linux')
const onUnix = requires(test, 'posix')

/** How many descriptors of this process are open on a file. */
function descriptorsOf(path: string): number {
  const real = fs.realpathSync(path)
  return fs.readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return fs.readlinkSync(`/proc/self/fd/${fd}`) === real
    } catch {
      return false
    }
  }).length
}

async function open(path: string) {
  return new FileSource(await openFile(path))
}

test('any part of a file is read, at once or not', async (t) => {
  const path = join(await scratchFolder(t), 'file')
  fs.writeFileSync(path, BYTES)
  const source = await open(path)
  t.teardown(() => source.close())
  t.is(source.size, 1_000)
  t.false('view' in source)
  for (const [position, length] of [
    [0, 1_000],
    [0, 0],
    [1_000, 0],
    [999, 1],
    [123, 456],
  ] as const) {
    const expected = BYTES.slice(position, position + length)
    const target = new Uint8Array(length)
    await source.read(target, position)
    t.deepEqual(target, expected)
    source.readSync(target.fill(0), position)
    t.deepEqual(target, expected)
  }
})

test.serial('a short read is continued', async (t) => {
  const path = join(await scratchFolder(t), 'file')
  fs.writeFileSync(path, BYTES)
  const source = await open(path)
  t.teardown(() => source.close())
  limitReads(7)
  t.teardown(() => limitReads(Number.POSITIVE_INFINITY))
  const probe = new Uint8Array(100)
  t.is(fs.readSync(fs.openSync(path, 'r'), probe, 0, 100, 0), 7, 'the reads are not cut short')
  const target = new Uint8Array(900)
  await source.read(target, 50)
  t.deepEqual(target, BYTES.slice(50, 950))
  source.readSync(target.fill(0), 50)
  t.deepEqual(target, BYTES.slice(50, 950))
})

test('a read of more than the system is asked for at once is put together in order', async (t) => {
  const path = join(await scratchFolder(t), 'file')
  const length = 150 * 2 ** 20
  fs.writeFileSync(path, '')
  fs.truncateSync(path, length)
  const marks = [0, 64 * 2 ** 20 - 1, 64 * 2 ** 20, 128 * 2 ** 20 - 1, 128 * 2 ** 20, length - 1]
  const fd = fs.openSync(path, 'r+')
  for (const [i, at] of marks.entries()) fs.writeSync(fd, Uint8Array.of(i + 1), 0, 1, at)
  fs.closeSync(fd)
  const source = await open(path)
  t.teardown(() => source.close())
  const target = new Uint8Array(length)
  await source.read(target, 0)
  t.deepEqual(
    marks.map((at) => target[at]),
    [1, 2, 3, 4, 5, 6],
  )
  source.readSync(target.fill(0), 0)
  t.deepEqual(
    marks.map((at) => target[at]),
    [1, 2, 3, 4, 5, 6],
  )
})

test('a file that is not there is an error with the system error as its cause', async (t) => {
  const path = join(await scratchFolder(t), 'missing')
  const error = await t.throwsAsync(openFile(path), { code: 'CKPT_READ', message: /ENOENT/ })
  t.like(error?.cause, { code: 'ENOENT', path })
})

test.serial(
  'a file that cannot be examined is an error with its cause, and is closed again',
  async (t) => {
    const path = join(await scratchFolder(t), 'file')
    fs.writeFileSync(path, BYTES)
    const cause = new Error('made up by a test')
    refuseStatus(cause)
    t.teardown(() => refuseStatus(undefined))
    const error = await t.throwsAsync(openFile(path), {
      code: 'CKPT_READ',
      message: /could not be examined: made up by a test/,
    })
    t.is(error?.cause, cause)
    if (process.platform === 'linux') t.is(descriptorsOf(path), 0)
  },
)

test('a folder, a device and a socket are refused, and closed again', async (t) => {
  const folder = await scratchFolder(t)
  const refused = { code: 'CKPT_READ', message: /folder|device|could not be opened/ }
  await t.throwsAsync(openFile(folder), refused)
  if (process.platform === 'win32') return
  t.is(process.platform === 'linux' ? descriptorsOf(folder) : 0, 0)
  await t.throwsAsync(openFile('/dev/zero'), refused)
  const socket = join(folder, 'socket')
  const server = createServer().listen(socket)
  t.teardown(() => server.close())
  await new Promise((resolve) => server.once('listening', resolve))
  await t.throwsAsync(openFile(socket), refused)
})

onUnix('a pipe is refused without waiting for a writer', async (t) => {
  const path = join(await scratchFolder(t), 'pipe')
  execFileSync('mkfifo', [path])
  const outcome = await Promise.race([
    openFile(path).then(
      () => 'opened',
      (error) => error.code,
    ),
    setTimeout(5_000, 'still waiting', { ref: false }),
  ])
  t.is(outcome, 'CKPT_READ')
})

test('a file that is truncated while it is read is an error that says where it ended', async (t) => {
  const path = join(await scratchFolder(t), 'file')
  fs.writeFileSync(path, BYTES)
  const source = await open(path)
  t.teardown(() => source.close())
  fs.truncateSync(path, 600)
  const ended = { code: 'CKPT_FILE_CHANGED', message: /truncated to 600 bytes/ }
  const error = await t.throwsAsync(source.read(new Uint8Array(500), 400), ended)
  t.like(error, { offset: 600 })
  t.throws(() => source.readSync(new Uint8Array(500), 400), ended)
  // What is still there can be read.
  const target = new Uint8Array(100)
  await source.read(target, 500)
  t.deepEqual(target, BYTES.slice(500, 600))
  await t.throwsAsync(source.checkUnchanged(), { code: 'CKPT_FILE_CHANGED' })
})

test('a file that is written to in place is noticed, and one that is renamed over it is not missed', async (t) => {
  const folder = await scratchFolder(t)
  const path = join(folder, 'file')
  fs.writeFileSync(path, BYTES)
  const source = await open(path)
  t.teardown(() => source.close())
  await source.checkUnchanged()

  fs.writeFileSync(join(folder, 'new'), 'something else')
  fs.renameSync(join(folder, 'new'), path)
  await source.checkUnchanged()
  const target = new Uint8Array(1_000)
  await source.read(target, 0)
  t.deepEqual(target, BYTES)

  for (const change of [
    () => fs.writeFileSync(path, 'something new!'),
    () => fs.appendFileSync(path, 'more'),
  ]) {
    const other = await open(path)
    t.teardown(() => other.close())
    // Further than the steps in which the system's clock for files advances.
    await setTimeout(50)
    change()
    await t.throwsAsync(other.checkUnchanged(), { code: 'CKPT_FILE_CHANGED' })
  }
})

test('a file that has grown is noticed even where its time has been put back', async (t) => {
  const path = join(await scratchFolder(t), 'file')
  fs.writeFileSync(path, BYTES)
  fs.utimesSync(path, 1_000, 1_000)
  const source = await open(path)
  t.teardown(() => source.close())
  fs.appendFileSync(path, 'more')
  fs.utimesSync(path, 1_000, 1_000)
  await t.throwsAsync(source.checkUnchanged(), { code: 'CKPT_FILE_CHANGED' })
})

onLinux('an error of the system while reading is thrown with its cause', async (t) => {
  // Of a folder no bytes can be read, whoever has opened it.
  const folder = await scratchFolder(t)
  const fd = fs.openSync(folder, 'r')
  const source = new FileSource({ fd, stat: fs.fstatSync(fd, { bigint: true }) })
  t.teardown(() => source.close())
  const expected = { code: 'CKPT_READ', message: /could not be read: EISDIR/ }
  const errors = [
    await t.throwsAsync(source.read(new Uint8Array(1), 0), expected),
    t.throws(() => source.readSync(new Uint8Array(1), 0), expected),
  ]
  for (const error of errors) t.like(error?.cause, { code: 'EISDIR' })
})

test('a source that is closed reads no more', async (t) => {
  const path = join(await scratchFolder(t), 'file')
  fs.writeFileSync(path, BYTES)
  const source = await open(path)
  source.close()
  source.close()
  const closed = { code: 'CKPT_CLOSED' }
  await t.throwsAsync(source.read(new Uint8Array(1), 0), closed)
  t.throws(() => source.readSync(new Uint8Array(1), 0), closed)
  await t.throwsAsync(source.checkUnchanged(), closed)
  if (process.platform === 'linux') t.is(descriptorsOf(path), 0)
})

test.serial(
  'a read that waits for its turn is not turned to another file by a close',
  async (t) => {
    const folder = await scratchFolder(t)
    const path = join(folder, 'file')
    const other = join(folder, 'other')
    fs.writeFileSync(path, BYTES)
    fs.writeFileSync(other, new Uint8Array(1_000).fill(255))
    const source = await open(path)
    // Work for every thread of the pool, so that the read is not begun when the file is closed.
    const busy = Array.from({ length: 8 }, () => promisify(pbkdf2)('a', 'b', 50_000, 32, 'sha512'))
    const target = new Uint8Array(1_000)
    const reading = source.read(target, 0)
    source.close()
    // It would get the number of the descriptor that has just been closed.
    const fd = fs.openSync(other, 'r')
    await reading
    fs.closeSync(fd)
    t.deepEqual(target, BYTES)
    await Promise.all(busy)
    if (process.platform === 'linux') t.is(descriptorsOf(path), 0, 'it is closed in the end')
  },
)

onLinux(
  'a source that is dropped without being closed is closed when it is collected',
  async (t) => {
    const path = join(await scratchFolder(t), 'file')
    fs.writeFileSync(path, BYTES)
    await (async () => {
      const source = await open(path)
      await source.read(new Uint8Array(10), 0)
      t.is(descriptorsOf(path), 1)
    })()
    for (let tries = 0; tries < 100 && descriptorsOf(path) > 0; tries++) {
      await collectGarbage()
      await setTimeout(10)
    }
    t.is(descriptorsOf(path), 0)
  },
)

sourceConforms('a file', async (t, bytes) => {
  const path = join(await scratchFolder(t), 'file')
  fs.writeFileSync(path, bytes)
  return {
    source: await open(path),
    change: () => fs.appendFileSync(path, 'more'),
    truncate: (length) => fs.truncateSync(path, length),
  }
})
