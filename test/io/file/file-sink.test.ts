import { execFileSync } from 'node:child_process'
import * as fs from 'node:fs/promises'
import { createServer } from 'node:net'
import { basename, dirname, join, relative } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { CheckpointError } from '../../../src/errors.js'
import { FileSink } from '../../../src/io/file/file-sink.js'
import type { FileSystem } from '../../../src/io/file/file-system.js'
import { nodeFileSystem } from '../../../src/io/file/node-file-system.js'
import type { Durability } from '../../../src/io/sink.js'
import {
  type Call,
  type ObservedFileSystem,
  type Operation,
  observedFileSystem,
  systemError,
} from '../../support/io/observed-file-system.js'
import { requires } from '../../support/requires.js'
import { scratchFolder } from '../../support/scratch.js'
import { filePlace, sinkConforms } from '../../support/sink-conformance.js'

const OLD = Buffer.from('the old bytes')
const NEW = Buffer.from('the new bytes, of another length')

/** Goes through a whole commit, as a save does. */
async function commit(
  path: string,
  bytes: Uint8Array,
  fileSystem: FileSystem = nodeFileSystem,
  durable = true,
): Promise<Durability> {
  const sink = new FileSink(path, { fileSystem, durable })
  try {
    await sink.begin(bytes.byteLength)
    await sink.write(bytes.subarray(5), 5)
    await sink.write(bytes.subarray(0, 5), 0)
    await sink.sync()
    return await sink.commit()
  } catch (error) {
    await sink.abort()
    throw error
  }
}

/** The mode bits of a file. */
const modeOf = async (path: string) => (await fs.stat(path)).mode & 0o7777

/** What went wrong is said to have left things as they were, and it has. */
async function refuses(
  t: ExecutionContext,
  path: string,
  reason: RegExp,
  fileSystem?: FileSystem,
): Promise<void> {
  const error = await t.throwsAsync(commit(path, NEW, fileSystem), {
    instanceOf: CheckpointError,
    code: 'CKPT_NOT_COMMITTED',
    message: reason,
  })
  t.is(error?.path, path)
}

test('a commit replaces the whole old file, and leaves nothing next to it', async (t) => {
  const folder = await scratchFolder(t)
  const path = join(folder, 'a.ckpt')
  t.is(await commit(path, OLD), process.platform === 'win32' ? 'file-only' : 'durable')
  t.deepEqual(await fs.readFile(path), OLD)
  await commit(path, NEW)
  t.deepEqual(await fs.readFile(path), NEW)
  t.deepEqual(await fs.readdir(folder), ['a.ckpt'])
})

test('nothing is visible at the path before the commit', async (t) => {
  const path = join(await scratchFolder(t), 'a.ckpt')
  const sink = new FileSink(path)
  await sink.begin(NEW.byteLength)
  await sink.write(NEW, 0)
  await sink.sync()
  await t.throwsAsync(fs.stat(path), { code: 'ENOENT' })
  await sink.commit()
  t.deepEqual(await fs.readFile(path), NEW)
})

test('the order of a commit is write, sync, rename, sync of the folder', async (t) => {
  const folder = await fs.realpath(await scratchFolder(t))
  const path = join(folder, 'a.ckpt')
  const observed = observedFileSystem()
  await commit(path, NEW, observed)
  const { calls } = observed
  const steps = calls.map(({ operation }) => operation)
  const at = (operation: Call['operation']) => steps.indexOf(operation)
  t.true(
    steps.lastIndexOf('openFolder') < at('create'),
    'a lack of descriptors has to show before the commit',
  )
  // The first sync is of the folder above: the name of this one may not be durable yet.
  const fileSync = steps.indexOf('fsync', at('fsync') + 1)
  t.true(steps.lastIndexOf('write') < fileSync)
  t.true(fileSync < at('rename'))
  t.true(at('rename') < steps.lastIndexOf('fsync'))
  t.is(steps.filter((step) => step === 'fsync').length, 3)
  const synced = calls.filter(({ operation }) => operation === 'fsync')
  const written = calls.find(({ operation }) => operation === 'write')
  t.deepEqual(
    synced.map((call) => call.path),
    [dirname(folder), written!.path, folder],
  )
  t.is(observed.open.size, 0)
})

test('an abort leaves what was there, and no temporary file; after a commit it does nothing', async (t) => {
  const folder = await scratchFolder(t)
  const path = join(folder, 'a.ckpt')
  await commit(path, OLD)
  const observed = observedFileSystem()
  const sink = new FileSink(path, { fileSystem: observed })
  await sink.begin(NEW.byteLength)
  await sink.write(NEW, 0)
  t.deepEqual((await fs.readdir(folder)).sort(), [basename(sink.temporary), 'a.ckpt'].sort())
  await sink.abort()
  await sink.abort()
  t.deepEqual(await fs.readdir(folder), ['a.ckpt'])
  t.deepEqual(await fs.readFile(path), OLD)
  t.is(observed.open.size, 0)

  const watched = observedFileSystem()
  const committed = new FileSink(path, { fileSystem: watched })
  await committed.abort()
  t.deepEqual(watched.calls, [], 'nothing has been begun')
  await committed.begin(NEW.byteLength)
  await committed.write(NEW, 0)
  await committed.sync()
  await committed.commit()
  const { length } = watched.calls
  await committed.abort()
  t.is(watched.calls.length, length)
  t.deepEqual(await fs.readFile(path), NEW)
})

test('a sink that was not begun, or is over, takes nothing', async (t) => {
  const sink = new FileSink(join(await scratchFolder(t), 'a.ckpt'))
  await t.throwsAsync(sink.write(NEW, 0), { instanceOf: TypeError })
  await t.throwsAsync(sink.sync(), { instanceOf: TypeError })
  await t.throwsAsync(sink.commit(), { instanceOf: TypeError })
  await sink.begin(NEW.byteLength)
  await sink.abort()
  await t.throwsAsync(sink.write(NEW, 0), { instanceOf: TypeError })
  await t.throwsAsync(sink.commit(), { instanceOf: TypeError })
})

test('the mode of the file that is replaced is kept', async (t) => {
  const path = join(await scratchFolder(t), 'a.ckpt')
  for (const mode of [0o600, 0o640, 0o664, 0o444, 0o755, 0o2660]) {
    await fs.rm(path, { force: true })
    await fs.writeFile(path, OLD)
    await fs.chmod(path, mode)
    const observed = observedFileSystem()
    await commit(path, NEW, observed)
    t.is(await modeOf(path), mode)
    t.deepEqual(await fs.readFile(path), NEW)
    // Nobody may read the new bytes by the time in which they lie in the temporary file.
    const steps = observed.calls.map(({ operation }) => operation)
    t.is(observed.calls[steps.indexOf('create')]!.arguments[1], 0o600)
    t.true(steps.indexOf('fchmod') < steps.indexOf('write'))
    t.false(steps.includes('fchown'), 'its owner is the same')
  }
})

test.serial('a new file has the mode 0666 less the umask', async (t) => {
  const path = join(await scratchFolder(t), 'a.ckpt')
  for (const umask of [0o022, 0o027, 0o077, 0]) {
    await fs.rm(path, { force: true })
    const before = process.umask(umask)
    try {
      await commit(path, NEW)
    } finally {
      process.umask(before)
    }
    t.is(await modeOf(path), 0o666 & ~umask)
  }
})

const isRoot = process.getuid?.() === 0
const asRoot = requires(test, 'root')

asRoot('the owner of the file that is replaced is kept, where root saves', async (t) => {
  const path = join(await scratchFolder(t), 'a.ckpt')
  const own = [process.getuid!(), process.getgid!()] as const
  for (const [uid, gid] of [
    [12_345, 23_456],
    [12_345, own[1]],
    [own[0], 23_456],
  ] as const) {
    await commit(path, OLD)
    await fs.chown(path, uid, gid)
    await fs.chmod(path, 0o640)
    await commit(path, NEW)
    const status = await fs.stat(path)
    t.deepEqual([status.uid, status.gid, await modeOf(path)], [uid, gid, 0o640])
  }
})

asRoot('where the owner cannot be kept, nobody of the new group gets in', async (t) => {
  for (const [gid, mode] of [
    [23_456, 0o604],
    // The group is the same one that it was.
    [process.getgid!(), 0o664],
  ] as const) {
    const path = join(await scratchFolder(t), 'a.ckpt')
    await commit(path, OLD)
    await fs.chown(path, 12_345, gid)
    await fs.chmod(path, 0o664)
    const observed = observedFileSystem({
      before({ operation }) {
        if (operation === 'fchown') throw systemError('EPERM', operation)
      },
    })
    await commit(path, NEW, observed)
    t.deepEqual(await fs.readFile(path), NEW)
    t.is(await modeOf(path), mode)
  }
})

test('a symbolic link is followed: the file that it names is replaced, and the link stays', async (t) => {
  const folder = await scratchFolder(t)
  await fs.mkdir(join(folder, 'real'))
  const real = join(folder, 'real', 'a.ckpt')
  await fs.writeFile(real, OLD)
  // Relative to its own folder, through a second link, and through a link to a folder.
  await fs.symlink('real', join(folder, 'folder'))
  await fs.symlink(join('folder', 'a.ckpt'), join(folder, 'second'))
  await fs.symlink(join(folder, 'second'), join(folder, 'first'))
  for (const name of ['first', 'second', 'folder/a.ckpt']) {
    await fs.writeFile(real, OLD)
    const observed = observedFileSystem()
    await commit(join(folder, name), NEW, observed)
    t.deepEqual(await fs.readFile(real), NEW)
    const temporary = observed.calls.find(({ operation }) => operation === 'create')!.path
    t.is(dirname(temporary), await fs.realpath(dirname(real)))
  }
  t.true((await fs.lstat(join(folder, 'first'))).isSymbolicLink())
  t.true((await fs.lstat(join(folder, 'second'))).isSymbolicLink())
  t.deepEqual(await fs.readdir(join(folder, 'real')), ['a.ckpt'])
})

test('a link to a missing file creates that file, if its folder exists', async (t) => {
  const folder = await scratchFolder(t)
  const link = join(folder, 'latest.ckpt')
  await fs.symlink('step-1.ckpt', link)
  await commit(link, NEW)
  t.true((await fs.lstat(link)).isSymbolicLink())
  t.deepEqual(await fs.readFile(join(folder, 'step-1.ckpt')), NEW)

  await fs.symlink('nowhere/step-2.ckpt', join(folder, 'lost.ckpt'))
  await refuses(t, join(folder, 'lost.ckpt'), /ENOENT/)
})

test('links that form a circle, or lead to a folder, are refused', async (t) => {
  const folder = await scratchFolder(t)
  await fs.symlink('there', join(folder, 'here'))
  await fs.symlink('here', join(folder, 'there'))
  await refuses(t, join(folder, 'here'), /circle/)
  await fs.mkdir(join(folder, 'folder'))
  await fs.symlink('folder', join(folder, 'link'))
  await refuses(t, join(folder, 'link'), /folder/)
  t.deepEqual((await fs.readdir(folder)).sort(), ['folder', 'here', 'link', 'there'])
})

test('as many links are followed as the system follows, and no more', async (t) => {
  const folder = await scratchFolder(t)
  await fs.writeFile(join(folder, '0'), OLD)
  for (let i = 1; i <= 41; i++) await fs.symlink(`${i - 1}`, join(folder, `${i}`))
  await commit(join(folder, '40'), NEW)
  t.deepEqual(await fs.readFile(join(folder, '0')), NEW)
  await refuses(t, join(folder, '41'), /circle/)
})

test('a hard link to the file that is replaced keeps the old bytes', async (t) => {
  const folder = await scratchFolder(t)
  await fs.writeFile(join(folder, 'a.ckpt'), OLD)
  await fs.link(join(folder, 'a.ckpt'), join(folder, 'twin.ckpt'))
  await commit(join(folder, 'a.ckpt'), NEW)
  t.deepEqual(await fs.readFile(join(folder, 'twin.ckpt')), OLD)
})

test('a folder, a pipe and a socket are refused as destinations, and stay', async (t) => {
  const folder = await scratchFolder(t)
  await fs.mkdir(join(folder, 'folder'))
  await refuses(t, join(folder, 'folder'), /is a folder/)
  await refuses(t, folder, /is a folder/)
  if (process.platform !== 'win32') {
    execFileSync('mkfifo', [join(folder, 'pipe')])
    await refuses(t, join(folder, 'pipe'), /is a device, pipe or socket/)
    const server = createServer().listen(join(folder, 'socket'))
    t.teardown(() => server.close())
    await new Promise((resolve) => server.once('listening', resolve))
    await refuses(t, join(folder, 'socket'), /is a device, pipe or socket/)
    t.deepEqual((await fs.readdir(folder)).sort(), ['folder', 'pipe', 'socket'])
  }
})

test('missing folders are created, and the name of each is synced in the one above', async (t) => {
  const folder = await scratchFolder(t)
  const path = join(folder, 'runs', 'today', 'first', 'a.ckpt')
  const observed = observedFileSystem()
  await commit(path, NEW, observed)
  t.deepEqual(await fs.readFile(path), NEW)
  const opened = observed.calls.filter(({ operation }) => operation === 'openFolder')
  t.deepEqual(
    opened.map((call) => relative(folder, call.path)),
    ['..', '', 'runs', join('runs', 'today'), join('runs', 'today', 'first')],
  )
  // Four names of folders (that of the one that was there may not be durable yet), the file, its name.
  t.is(observed.calls.filter(({ operation }) => operation === 'fsync').length, 6)
  t.is(observed.open.size, 0)
})

test('a file where a folder is needed is refused', async (t) => {
  const folder = await scratchFolder(t)
  await fs.writeFile(join(folder, 'file'), OLD)
  await refuses(t, join(folder, 'file', 'a.ckpt'), /ENOTDIR/)
  await refuses(t, join(folder, 'file', 'deeper', 'a.ckpt'), /ENOTDIR/)
  t.deepEqual(await fs.readFile(join(folder, 'file')), OLD)
})

test('a folder that another process creates at the same time is used', async (t) => {
  const folder = await scratchFolder(t)
  const path = join(folder, 'runs', 'a.ckpt')
  const observed = observedFileSystem()
  const mkdir = async (made: string) => {
    await fs.mkdir(made)
    return observed.mkdir(made)
  }
  await commit(path, NEW, { ...observed, mkdir })
  t.deepEqual(await fs.readFile(path), NEW)
})

test('a path is taken from the folder that the process is in', async (t) => {
  const folder = await scratchFolder(t)
  const path = relative(process.cwd(), join(folder, 'a.ckpt'))
  await commit(path, NEW)
  t.deepEqual(await fs.readFile(join(folder, 'a.ckpt')), NEW)
})

test('a name may be as long as the file system takes, in any script', async (t) => {
  for (const name of ['n'.repeat(255), 'チ'.repeat(85), `${'🚀'.repeat(63)}abc`]) {
    const folder = await scratchFolder(t)
    const path = join(folder, name)
    await commit(path, OLD)
    const observed = observedFileSystem()
    await commit(path, NEW, observed)
    t.deepEqual(await fs.readdir(folder), [name])
    t.deepEqual(await fs.readFile(path), NEW)
    const temporary = observed.calls.find(({ operation }) => operation === 'create')!.path
    t.true(Buffer.byteLength(basename(temporary)) <= 255)
    t.true(temporary.isWellFormed())
  }
  await refuses(t, join(await scratchFolder(t), 'n'.repeat(256)), /ENAMETOOLONG/)
})

test('a temporary name that is taken is not touched, and another one is tried', async (t) => {
  const folder = await scratchFolder(t)
  const path = join(folder, 'a.ckpt')
  const planted: string[] = []
  const plantAt = (tries: number) => {
    const observed = observedFileSystem()
    const create = async (temporary: string, mode: number) => {
      if (planted.length < tries) {
        // A link to a file that is dear to somebody, which must not be written through.
        await fs.symlink(join(folder, 'victim'), temporary)
        planted.push(temporary)
      }
      return observed.create(temporary, mode)
    }
    return { ...observed, create }
  }
  await fs.writeFile(join(folder, 'victim'), OLD)
  await commit(path, NEW, plantAt(3))
  t.is(new Set(planted).size, 3)
  t.deepEqual(await fs.readFile(path), NEW)
  t.deepEqual(await fs.readFile(join(folder, 'victim')), OLD)

  planted.length = 0
  await refuses(t, path, /EEXIST/, plantAt(Number.POSITIVE_INFINITY))
  t.is(planted.length, 4)
  for (const link of planted) t.true((await fs.lstat(link)).isSymbolicLink())
  t.deepEqual(await fs.readFile(join(folder, 'victim')), OLD)
})

test('a short write is continued', async (t) => {
  const path = join(await scratchFolder(t), 'a.ckpt')
  const bytes = Uint8Array.from({ length: 5_000 }, (_, i) => i % 251)
  for (const writes of [() => 1, (asked: number) => Math.ceil(asked / 2), () => 7]) {
    const observed = observedFileSystem({
      writes: (asked) => Math.min(asked, writes(asked)),
    })
    await commit(path, bytes, observed)
    t.true(observed.calls.filter(({ operation }) => operation === 'write').length > 5)
    t.deepEqual(new Uint8Array(await fs.readFile(path)), bytes)
  }
})

test('a write of 0 bytes without an error is an error, not an endless loop', async (t) => {
  const folder = await scratchFolder(t)
  const path = join(folder, 'a.ckpt')
  await commit(path, OLD)
  await refuses(t, path, /wrote 0 bytes/, observedFileSystem({ writes: () => 0 }))
  t.deepEqual(await fs.readFile(path), OLD)
  t.deepEqual(await fs.readdir(folder), ['a.ckpt'])
})

test('bytes that are reported as written but missing are noticed before the commit', async (t) => {
  const folder = await scratchFolder(t)
  const path = join(folder, 'a.ckpt')
  await commit(path, OLD)
  const observed = observedFileSystem()
  const write: FileSystem['write'] = async (fd, bytes, position) =>
    position === 5 ? bytes.byteLength : observed.write(fd, bytes, position)
  await refuses(t, path, /expected a file of 32 bytes, found 5/, { ...observed, write })
  t.deepEqual(await fs.readFile(path), OLD)
  t.deepEqual(await fs.readdir(folder), ['a.ckpt'])
})

test('no more than 64 MiB are handed to the system at once', async (t) => {
  const path = join(await scratchFolder(t), 'a.ckpt')
  const bytes = new Uint8Array(130 * 1024 * 1024)
  bytes[bytes.length - 1] = 7
  const asked: number[] = []
  const observed = observedFileSystem({
    writes(length) {
      asked.push(length)
      return length
    },
  })
  const sink = new FileSink(path, { fileSystem: observed })
  await sink.begin(bytes.byteLength)
  await sink.write(bytes, 0)
  await sink.sync()
  await sink.commit()
  t.deepEqual(asked, [64 * 2 ** 20, 64 * 2 ** 20, 2 * 2 ** 20])
  const file = await fs.open(path)
  const last = new Uint8Array(1)
  await file.read(last, 0, 1, bytes.length - 1)
  await file.close()
  t.is(last[0], 7)
})

/** Writes NEW in pieces of eight bytes, with time between them for what happens on the way. */
async function writeSlowly(sink: FileSink): Promise<void> {
  await sink.begin(NEW.byteLength)
  for (let at = 0; at < NEW.byteLength; at += 8) {
    await sink.write(NEW.subarray(at, at + 8), at)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  await sink.sync()
}

/** Of the calls about the temporary file: where the last write is, and those of an operation. */
function onTheWay(observed: ObservedFileSystem, wanted: Operation) {
  const steps = observed.calls.filter(({ path }) => path.endsWith('.tmp'))
  const last = steps.findLastIndex(({ operation }) => operation === 'write')
  const found = steps.flatMap(({ operation }, i) => (operation === wanted ? [i] : []))
  return { before: found.filter((at) => at < last), after: found.filter((at) => at > last) }
}

test('the system begins to write a long file on the way, and it is synced at the end alone', async (t) => {
  const path = join(await scratchFolder(t), 'a.ckpt')
  const observed = observedFileSystem()
  let begun = 0
  const beginWriteOut = async () => {
    begun++
    return true
  }
  const fileSystem = { ...observed, beginWriteOut }
  const sink = new FileSink(path, { fileSystem, syncEvery: 10 })
  await writeSlowly(sink)
  t.is(await sink.commit(), process.platform === 'win32' ? 'file-only' : 'durable')
  t.true(begun > 1)
  t.deepEqual(onTheWay(observed, 'fsync').before, [])
  t.is(onTheWay(observed, 'fsync').after.length, 1)
  t.deepEqual(await fs.readFile(path), NEW)
})

test('where it cannot begin, a long file is synced on the way, and at the end all the same', async (t) => {
  const path = join(await scratchFolder(t), 'a.ckpt')
  const observed = observedFileSystem()
  const fileSystem = { ...observed, beginWriteOut: async () => false }
  const sink = new FileSink(path, { fileSystem, syncEvery: 10 })
  await writeSlowly(sink)
  t.is(await sink.commit(), process.platform === 'win32' ? 'file-only' : 'durable')
  t.true(onTheWay(observed, 'fsync').before.length > 0)
  t.true(onTheWay(observed, 'fsync').after.length > 0)
  t.deepEqual(await fs.readFile(path), NEW)
})

test('it is synced on the way each 32 MiB', async (t) => {
  const path = join(await scratchFolder(t), 'a.ckpt')
  const observed = observedFileSystem()
  const fileSystem = { ...observed, beginWriteOut: async () => false }
  const sink = new FileSink(path, { fileSystem })
  const syncs = async () => {
    await new Promise((resolve) => setImmediate(resolve))
    return observed.calls.filter((call) => call.operation === 'fsync' && call.path.endsWith('.tmp'))
      .length
  }
  const length = 32 * 2 ** 20
  await sink.begin(length)
  await sink.write(new Uint8Array(length - 1), 0)
  t.is(await syncs(), 0)
  await sink.write(new Uint8Array(1), length - 1)
  t.is(await syncs(), 1)
  await sink.abort()
})

test('a save that is not durable does not wait for the disk', async (t) => {
  const path = join(await scratchFolder(t), 'a.ckpt')
  const careless = observedFileSystem()
  await commit(path, OLD, careless, false)
  t.false(careless.calls.some(({ operation }) => operation === 'fsync'))
})

test('a sync on the way that fails ends the save, though one after it succeeds', async (t) => {
  const folder = await scratchFolder(t)
  const path = join(folder, 'a.ckpt')
  await commit(path, OLD)
  let failed = false
  const observed = observedFileSystem({
    before({ operation, path }) {
      if (operation !== 'fsync' || failed || path === folder || !path.startsWith(folder)) return
      failed = true
      throw systemError('EIO', 'fsync')
    },
  })
  const fileSystem = { ...observed, beginWriteOut: async () => false }
  const sink = new FileSink(path, { fileSystem, syncEvery: 1 })
  await sink.begin(NEW.byteLength)
  await sink.write(NEW, 0)
  await t.throwsAsync(sink.sync(), { code: 'CKPT_NOT_COMMITTED', message: /EIO/ })
  await sink.abort()
  t.deepEqual(await fs.readFile(path), OLD)
  t.deepEqual(await fs.readdir(folder), ['a.ckpt'])
  t.is(observed.open.size, 0)
})

test('an abort waits for what the system is asked on the way before it closes the file', async (t) => {
  const path = join(await scratchFolder(t), 'a.ckpt')
  for (const begins of [true, false]) {
    let asked = false
    let closedMeanwhile = false
    const take = async () => {
      asked = true
      await new Promise((resolve) => setTimeout(resolve, 50))
      asked = false
    }
    const fileSystem: FileSystem = {
      ...nodeFileSystem,
      async beginWriteOut() {
        if (begins) await take()
        return begins
      },
      async fsync(fd) {
        await take()
        await nodeFileSystem.fsync(fd)
      },
      async close(fd) {
        closedMeanwhile ||= asked
        await nodeFileSystem.close(fd)
      },
    }
    const sink = new FileSink(path, { fileSystem, syncEvery: 1 })
    await sink.begin(NEW.byteLength)
    await sink.write(NEW, 0)
    await new Promise((resolve) => setImmediate(resolve))
    t.true(asked)
    await sink.abort()
    t.false(closedMeanwhile)
  }
})

/** What is at the path before a commit, in which every call is made to fail in turn. */
interface Scenario {
  readonly name: string
  /** Returns the path to save to. */
  prepare(folder: string): Promise<string>
}

const scenarios: readonly Scenario[] = [
  {
    name: 'a first save',
    prepare: async (folder) => join(folder, 'a.ckpt'),
  },
  {
    name: 'a save over a file',
    async prepare(folder) {
      await fs.writeFile(join(folder, 'a.ckpt'), OLD)
      return join(folder, 'a.ckpt')
    },
  },
  {
    name: 'a save through a link',
    async prepare(folder) {
      await fs.mkdir(join(folder, 'real'))
      await fs.writeFile(join(folder, 'real', 'a.ckpt'), OLD)
      await fs.symlink(join('real', 'a.ckpt'), join(folder, 'link'))
      return join(folder, 'link')
    },
  },
  {
    name: 'a save into folders that are not there',
    prepare: async (folder) => join(folder, 'one', 'two', 'a.ckpt'),
  },
  ...(isRoot
    ? [
        {
          name: "a save over somebody else's file",
          async prepare(folder: string) {
            await fs.writeFile(join(folder, 'a.ckpt'), OLD)
            await fs.chown(join(folder, 'a.ckpt'), 12_345, 23_456)
            return join(folder, 'a.ckpt')
          },
        },
      ]
    : []),
]

const CODES = ['EIO', 'ENOSPC', 'EDQUOT', 'EROFS', 'EACCES', 'EMFILE', 'EINTR']

// What is done without, where it fails: tidying up, and giving the file to the owner of the old one.
const DISPENSABLE = new Set(['readdir', 'fchown'])

/** What a path holds: bytes, or null. */
const contentOf = (path: string) =>
  fs.readFile(path).then(
    (bytes) => bytes.toString(),
    () => null,
  )

for (const { name, prepare } of scenarios) {
  test(`${name}: whatever call fails, the path holds the whole old or the whole new file`, async (t) => {
    const rehearsal = observedFileSystem()
    await commit(await prepare(await scratchFolder(t)), NEW, rehearsal)
    const rename = rehearsal.calls.findIndex(({ operation }) => operation === 'rename')
    t.true(rename > 0)
    const folderAbove = rehearsal.calls.findIndex(({ operation }) => operation === 'openFolder')
    let refused = 0
    for (const { operation, index } of rehearsal.calls) {
      for (const code of CODES) {
        const folder = await scratchFolder(t)
        const path = await prepare(folder)
        const old = await contentOf(path)
        const injected = systemError(code, operation)
        const observed = observedFileSystem({
          before(call) {
            if (call.index === index) throw injected
          },
        })
        const outcome = await commit(path, NEW, observed).then(
          (durability) => durability,
          (error: CheckpointError) => {
            t.is(error.cause, injected)
            t.regex(error.message, new RegExp(`${code}: made up by a test`))
            t.is(error.path, path)
            return error.code
          },
        )
        const at = `${code} in call ${index}, ${operation}`
        if (index > rename) {
          t.is(outcome, operation === 'close' ? 'durable' : 'CKPT_NOT_DURABLE', at)
        } else if (
          DISPENSABLE.has(operation) ||
          // Whoever may not read the folder above cannot sync it, and has not made this one in it.
          (index === folderAbove && code === 'EACCES')
        ) {
          t.is(outcome, 'durable', at)
        } else {
          t.is(outcome, 'CKPT_NOT_COMMITTED', at)
          refused++
        }
        const expected = outcome === 'CKPT_NOT_COMMITTED' ? old : NEW.toString()
        t.is(await contentOf(path), expected, at)
        const files = (await fs.readdir(folder, { recursive: true })).map((file) => basename(file))
        t.false(
          files.some((file) => file.endsWith('.tmp')),
          `${at}: ${files}`,
        )
        t.is(observed.open.size, 0, at)
        // A sync that has failed is never tried again: the next one would claim a success.
        const syncs = observed.calls.filter((call) => call.operation === 'fsync')
        const synced = syncs.map((call) => call.path)
        t.is(new Set(synced).size, synced.length, at)
      }
    }
    t.true(refused >= 8 * CODES.length)
  })
}

test('a folder that cannot be synced on its file system makes a save that is durable as a file only', async (t) => {
  for (const code of ['EINVAL', 'ENOTSUP', 'ENOSYS']) {
    const folder = await scratchFolder(t)
    const folders = new Set<unknown>()
    const observed = observedFileSystem({
      before({ operation, arguments: [fd] }) {
        // The number of a folder that was closed may come back as a file's.
        if (operation === 'close') folders.delete(fd)
        if (operation === 'fsync' && folders.has(fd)) throw systemError(code, operation)
      },
    })
    const openFolder = async (path: string) => {
      const fd = await observed.openFolder(path)
      folders.add(fd)
      return fd
    }
    // In a folder that is there, and in folders that have to be made.
    for (const path of [join(folder, 'a.ckpt'), join(folder, 'one', 'two', 'a.ckpt')]) {
      folders.clear()
      t.is(await commit(path, NEW, { ...observed, openFolder }), 'file-only', code)
      t.deepEqual(await fs.readFile(path), NEW)
    }
    t.is(observed.open.size, 0)
  }
})

test('a system that does not open folders makes a save that is durable as a file only', async (t) => {
  const path = join(await scratchFolder(t), 'one', 'a.ckpt')
  const observed = observedFileSystem({
    before({ operation }) {
      if (operation === 'openFolder') throw systemError('EPERM', operation)
    },
  })
  t.is(await commit(path, NEW, observed), 'file-only')
  t.deepEqual(await fs.readFile(path), NEW)
})

test('an error without a code is never taken for a system that cannot sync folders', async (t) => {
  const injected = new Error('made up by a test, without a code')
  for (const [operation, renamed, code] of [
    ['openFolder', false, 'CKPT_NOT_COMMITTED'],
    ['fsync', false, 'CKPT_NOT_COMMITTED'],
    ['fsync', true, 'CKPT_NOT_DURABLE'],
  ] as const) {
    const path = join(await scratchFolder(t), 'new', 'a.ckpt')
    let after = false
    const observed = observedFileSystem({
      before(call) {
        if (call.operation === 'rename') after = true
        const folder = !call.path.endsWith('.tmp')
        if (call.operation === operation && folder && after === renamed) throw injected
      },
    })
    const error = await t.throwsAsync<CheckpointError>(commit(path, NEW, observed), {
      code,
    })
    t.is(error?.cause, injected)
    t.is(observed.open.size, 0)
  }
})

test('a rename that took place but reports an error is not reported as nothing saved', async (t) => {
  const folder = await scratchFolder(t)
  const path = join(folder, 'a.ckpt')
  await commit(path, OLD)
  const observed = observedFileSystem()
  const rename = async (from: string, to: string) => {
    await observed.rename(from, to)
    // As over a network, where the answer was lost.
    throw systemError('EIO', 'rename')
  }
  const error = await t.throwsAsync(commit(path, NEW, { ...observed, rename }), {
    code: 'CKPT_NOT_DURABLE',
  })
  t.like(error?.cause, { code: 'EIO' })
  t.false(observed.calls.some(({ operation }) => operation === 'unlink'))
  t.deepEqual(await fs.readFile(path), NEW)
  t.deepEqual(await fs.readdir(folder), ['a.ckpt'])
  t.is(observed.open.size, 0)
})

test('a failed rename whose result cannot be examined is reported as that failure', async (t) => {
  const folder = await scratchFolder(t)
  const path = join(folder, 'a.ckpt')
  await commit(path, OLD)
  let renamed = false
  const observed = observedFileSystem({
    before(call) {
      renamed ||= call.operation === 'rename'
      if (call.operation === 'rename') throw systemError('EACCES', call.operation)
      if (renamed && call.operation === 'lstat') throw systemError('EIO')
    },
  })
  await refuses(t, path, /EACCES/, observed)
  t.deepEqual(await fs.readFile(path), OLD)
  t.deepEqual(await fs.readdir(folder), ['a.ckpt'])
})

test('if even the temporary file cannot be removed, the first error is the one that is thrown', async (t) => {
  const path = join(await scratchFolder(t), 'a.ckpt')
  await commit(path, OLD)
  const observed = observedFileSystem({
    before({ operation }) {
      if (operation === 'fsync') throw systemError('ENOSPC', operation)
      if (operation === 'unlink' || operation === 'close') throw systemError('EIO', operation)
    },
  })
  await refuses(t, path, /ENOSPC/, observed)
  t.deepEqual(await fs.readFile(path), OLD)
})

const onLinuxAsRoot = requires(test, 'mounts')

onLinuxAsRoot('a disk that is full keeps the old file, wherever it gets full', async (t) => {
  const folder = await scratchFolder(t)
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', folder], { stdio: 'pipe' })
  t.teardown(() => execFileSync('umount', [folder]))
  const path = join(folder, 'a.ckpt')
  const old = new Uint8Array(256 * 1024).fill(1)
  await commit(path, old)
  for (let kib = 256; kib <= 1024; kib += 64) {
    // The old file and the new one have to fit beside one another.
    const fits = kib <= 1024 - 256
    const bytes = new Uint8Array(kib * 1024).fill(2)
    if (fits) {
      await commit(path, bytes)
      await commit(path, old)
      continue
    }
    // libuv answers with a short count first, and only then with an error.
    const error = await t.throwsAsync<CheckpointError>(commit(path, bytes))
    t.is(error?.code, 'CKPT_NOT_COMMITTED')
    t.like(error?.cause, { code: 'ENOSPC' })
    t.is(Buffer.compare(await fs.readFile(path), old), 0)
    t.deepEqual(await fs.readdir(folder), ['a.ckpt'])
  }
})

test('two who save to one path at the same time leave whole files, and one of theirs', async (t) => {
  const folder = await scratchFolder(t)
  const path = join(folder, 'a.ckpt')
  const contents = [200_000, 300_000].map((length, i) => new Uint8Array(length).fill(i + 1))
  await commit(path, contents[0]!)
  let running = 2
  const save = async (bytes: Uint8Array) => {
    for (let i = 0; i < 40; i++) await commit(path, bytes)
    running--
  }
  const seen = new Set<number>()
  const read = async () => {
    while (running > 0) {
      const bytes = await fs.readFile(path)
      const whose = contents.findIndex((content) => Buffer.compare(content, bytes) === 0)
      t.not(whose, -1, `a torn file of ${bytes.length} bytes`)
      seen.add(whose)
    }
  }
  await Promise.all([...contents.map(save), read()])
  t.true(seen.size > 0)
  t.deepEqual(await fs.readdir(folder), ['a.ckpt'])
})

test('a commit that is not to be durable replaces the file in one step, and syncs nothing', async (t) => {
  const path = join(await scratchFolder(t), 'new/folder/a.ckpt')
  let renames = 0
  const fileSystem: FileSystem = {
    ...nodeFileSystem,
    fsync: () => Promise.reject(new Error('nothing was to be synced')),
    async rename(from, to) {
      if (to === path) renames++
      await nodeFileSystem.rename(from, to)
    },
  }
  for (const bytes of [OLD, NEW]) {
    t.is(await commit(path, bytes, fileSystem, false), 'none')
    t.deepEqual(await fs.readFile(path), bytes)
  }
  t.is(renames, 2)
  t.deepEqual(await fs.readdir(dirname(path)), ['a.ckpt'])
})

test('a long commit that is not to be durable syncs nothing on the way either', async (t) => {
  const path = join(await scratchFolder(t), 'a.ckpt')
  for (const begins of [true, false]) {
    const observed = observedFileSystem()
    let asked = false
    const beginWriteOut = async () => {
      asked = true
      return begins
    }
    const fileSystem = { ...observed, beginWriteOut }
    const sink = new FileSink(path, { fileSystem, durable: false, syncEvery: 1 })
    await sink.begin(NEW.byteLength)
    await sink.write(NEW, 0)
    await sink.sync()
    t.is(await sink.commit(), 'none')
    t.false(observed.calls.some(({ operation }) => operation === 'fsync'))
    t.false(asked)
  }
})

test('a commit that is not to be durable still checks that every byte has arrived', async (t) => {
  const path = join(await scratchFolder(t), 'a.ckpt')
  await commit(path, OLD)
  const fileSystem: FileSystem = {
    ...nodeFileSystem,
    // Says that it has written all, and has not.
    async write(file, bytes, position) {
      await nodeFileSystem.write(file, bytes.subarray(0, -1), position)
      return bytes.byteLength
    },
  }
  await t.throwsAsync(commit(path, NEW, fileSystem, false), { code: 'CKPT_NOT_COMMITTED' })
  t.deepEqual(await fs.readFile(path), OLD)
})

sinkConforms('a file', async (t) => {
  const place = await filePlace(t)
  return { ...place, sink: () => new FileSink(place.path) }
})

sinkConforms('a file that is not to be durable', async (t) => {
  const place = await filePlace(t)
  return { ...place, sink: () => new FileSink(place.path, { durable: false }) }
})
