import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import * as fs from 'node:fs/promises'
import { hostname } from 'node:os'
import { dirname, join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import type { FileSystem } from '../../../src/io/file/file-system.js'
import { nodeFileSystem } from '../../../src/io/file/node-file-system.js'
import {
  createTemporaryFile,
  sweepTemporaryFiles,
  temporaryName,
} from '../../../src/io/file/temporary-file.js'
import { observedFileSystem, systemError } from '../../support/io/observed-file-system.js'
import { requires } from '../../support/requires.js'
import { scratchFolder } from '../../support/scratch.js'

/** The number of a process that has ended. */
function endedProcess(): number {
  return spawnSync(process.execPath, ['--version']).pid
}

/** The name of a temporary file that is not locked, as up to version 0.1.0. */
const unlocked = (file: string) => temporaryName(file, { locked: false })

/** A name, as the process of that number would have made it. */
const ofProcess = (pid: number, name: string) => name.replace(`.${process.pid}.`, `.${pid}.`)

/** The same, of another machine or container. */
const foreign = (name: string) =>
  name.replace(
    /\.([0-9a-f]{8})\./,
    (_, tag) => `.${tag === '00000000' ? 'f' : '0'}${tag.slice(1)}.`,
  )

const HOUR = 60 * 60

async function plant(folder: string, name: string, age = 0): Promise<void> {
  const at = Date.now() / 1000 - age
  await fs.writeFile(join(folder, name), 'bytes')
  await fs.utimes(join(folder, name), at, at)
}

/** What of `names` is still in a folder after a sweep. */
async function leftOf(
  t: ExecutionContext,
  names: readonly (readonly [name: string, age?: number])[],
  fileSystem: Partial<FileSystem> = {},
): Promise<string[]> {
  const folder = await scratchFolder(t)
  for (const [name, age] of names) await plant(folder, name, age)
  const observed = observedFileSystem()
  await sweepTemporaryFiles({ ...observed, ...fileSystem }, folder)
  t.is(observed.open.size, 0)
  return (await fs.readdir(folder)).sort()
}

/** As the system answers where nothing can be locked. */
const noLocks: Partial<FileSystem> = { lock: async () => 'unknown' }

/** As a lock is that a living saver holds. */
const heldLocks: Partial<FileSystem> = { lock: async () => 'held' }

// Which machine this is, and what lives on it, is read from /proc; locks are those of the C library.
const onLinux = requires(test, 'linux')

test('a name is hidden, tells its file and its process, and is never made twice', (t) => {
  for (const locked of [true, false]) {
    const names = Array.from({ length: 100 }, () => temporaryName('step-1.ckpt', { locked }))
    t.is(new Set(names).size, 100)
    const end = locked ? '\\.locked\\.tmp' : '\\.tmp'
    const pattern = `^\\.step-1\\.ckpt\\.[0-9a-f]{8}\\.${process.pid}\\.[0-9a-f]{16}${end}$`
    for (const name of names) t.regex(name, new RegExp(pattern))
  }
})

test('a name is at most 255 bytes long and cuts no character in two', (t) => {
  for (const file of ['n'.repeat(255), 'チ'.repeat(85), '🚀'.repeat(63)]) {
    const name = temporaryName(file)
    t.true(Buffer.byteLength(name) <= 255)
    t.true(Buffer.byteLength(name) > 250)
    t.true(name.isWellFormed())
    const kept = name.slice(1).replace(/\.[0-9a-f]{8}\.\d+\.[0-9a-f]{16}\.locked\.tmp$/, '')
    t.true(file.startsWith(kept) && kept.length > 0)
  }
})

test('a name that just fits is kept whole, and one a byte longer is not', (t) => {
  const room = 255 - Buffer.byteLength(temporaryName(''))
  t.true(temporaryName('n'.repeat(room)).startsWith(`.${'n'.repeat(room)}.`))
  t.true(temporaryName('n'.repeat(room + 1)).startsWith(`.${'n'.repeat(room)}.`))
})

// A name that another release made otherwise would be one of another machine.
onLinux('the machine in a name is its host, its start and the process namespace', async (t) => {
  const machine = [
    hostname(),
    await fs.readFile('/proc/sys/kernel/random/boot_id', 'utf8'),
    await fs.readlink('/proc/self/ns/pid'),
  ]
  const tag = createHash('sha256').update(machine.join('\n')).digest('hex').slice(0, 8)
  t.true(temporaryName('a.ckpt').startsWith(`.a.ckpt.${tag}.${process.pid}.`))
})

onLinux(
  'a file whose lock can be taken is of a dead saver, whatever its number and machine',
  async (t) => {
    const own = temporaryName('a.ckpt')
    const parent = ofProcess(process.ppid, temporaryName('b.ckpt'))
    const restarted = foreign(ofProcess(1, temporaryName('チ'.repeat(85))))
    t.deepEqual(await leftOf(t, [[own], [parent], [restarted]]), [])
  },
)

onLinux('a file whose lock is held stays, however old it is and whatever its number', async (t) => {
  const folder = await scratchFolder(t)
  const names = [temporaryName('a.ckpt'), foreign(ofProcess(endedProcess(), temporaryName('b')))]
  const holders: number[] = []
  for (const name of names) {
    await plant(folder, name, 1000 * HOUR)
    const file = await nodeFileSystem.openForLock(join(folder, name))
    t.is(await nodeFileSystem.lock(file), 'taken')
    holders.push(file)
  }
  await sweepTemporaryFiles(nodeFileSystem, folder)
  t.deepEqual((await fs.readdir(folder)).sort(), [...names].sort())
  for (const file of holders) await nodeFileSystem.close(file)
  await sweepTemporaryFiles(nodeFileSystem, folder)
  t.deepEqual(await fs.readdir(folder), [])
})

onLinux(
  'a lock that may not reach other machines is no proof for a day, but for those of this one',
  async (t) => {
    const isLocal = async () => false
    const own = temporaryName('own.ckpt')
    const [fresh, slow, old] = ['fresh', 'slow', 'old'].map((name) => foreign(temporaryName(name)))
    const names = [[own], [fresh!], [slow!, 23 * HOUR], [old!, 25 * HOUR]] as const
    t.deepEqual(await leftOf(t, names, { isLocal }), [fresh!, slow!].sort())
    const unknown = async () => {
      throw systemError('ENOSYS', 'statfs')
    }
    t.deepEqual(await leftOf(t, names, { isLocal: unknown }), [fresh!, slow!].sort())
  },
)

onLinux(
  'a file that took another name before the lock was taken is not removed by its old one',
  async (t) => {
    const folder = await scratchFolder(t)
    const name = temporaryName('a.ckpt')
    await plant(folder, name)
    const lock: FileSystem['lock'] = async (file) => {
      // It was committed in between, and something else has its name.
      await fs.rename(join(folder, name), join(folder, 'a.ckpt'))
      await fs.writeFile(join(folder, name), 'other bytes')
      return nodeFileSystem.lock(file)
    }
    await sweepTemporaryFiles({ ...nodeFileSystem, lock }, folder)
    t.deepEqual((await fs.readdir(folder)).sort(), [name, 'a.ckpt'].sort())
  },
)

test.serial('if files cannot be locked, an uncertain file stays, with one warning', async (t) => {
  const warnings: string[] = []
  const listen = (warning: Error) => warnings.push(warning.message)
  process.on('warning', listen)
  t.teardown(() => process.off('warning', listen))
  const own = temporaryName('own.ckpt')
  const other = foreign(temporaryName('other.ckpt'))
  const names = [
    [own, 1000 * HOUR],
    [other, 1000 * HOUR],
  ] as const
  t.deepEqual(await leftOf(t, names, noLocks), [own, other].sort())
  t.deepEqual(
    await leftOf(t, [[foreign(unlocked('a.ckpt'))]], noLocks).then((left) => left.length),
    1,
  )
  await new Promise((resolve) => setImmediate(resolve))
  t.is(warnings.length, 1)
  t.true(warnings[0]!.includes(own) || warnings[0]!.includes(other))
})

onLinux('the file of a process that has certainly ended goes without a lock, too', async (t) => {
  const dead = endedProcess()
  const names = [[ofProcess(dead, temporaryName('a'))], [ofProcess(dead, unlocked('b'))]] as const
  t.deepEqual(await leftOf(t, names, noLocks), [])
  t.deepEqual(await leftOf(t, names, heldLocks), [])
})

test('a file that is not locked stays while a process of its number lives, for a day', async (t) => {
  const own = unlocked('own.ckpt')
  const parent = ofProcess(process.ppid, unlocked('parent.ckpt'))
  const old = unlocked('old.ckpt')
  t.deepEqual(await leftOf(t, [[own], [parent, 23 * HOUR], [old, 25 * HOUR]]), [own, parent].sort())
})

test.serial('the file of a process that may not be asked after stays: it is alive', async (t) => {
  const theirs = ofProcess(endedProcess(), unlocked('a.ckpt'))
  const { kill } = process
  t.teardown(() => {
    process.kill = kill
  })
  // As the system answers where the process is another user's.
  process.kill = () => {
    throw systemError('EPERM', 'kill')
  }
  t.deepEqual(await leftOf(t, [[theirs]]), [theirs])
})

test('files of another machine that are not locked are removed when they are a day old', async (t) => {
  const dead = endedProcess()
  const [fresh, slow, old] = ['fresh', 'slow', 'old'].map((name) =>
    foreign(ofProcess(dead, unlocked(name))),
  )
  const names = [[fresh!], [slow!, 23 * HOUR], [old!, 25 * HOUR]] as const
  t.deepEqual(await leftOf(t, names), [fresh!, slow!].sort())
})

test('files with other names are not touched', async (t) => {
  const ours = [temporaryName('a.ckpt'), ofProcess(endedProcess(), unlocked('a.ckpt'))]
  const others = ours.flatMap((name) => [
    name.slice(1),
    `${name}.bak`,
    name.replace('.tmp', '.ckpt'),
    name.replace(/[0-9a-f]{16}/, '0123456789abcde'),
    name.replace(/[0-9a-f]{16}/, '0123456789ABCDEF'),
    name.replace(/\.\d+\./, '.0.'),
    name.replace(/\.[0-9a-f]{8}\./, '.xyz.'),
    name.replace(/(\.locked)?\.tmp/, '.unlocked.tmp'),
  ])
  others.push('.a.ckpt.tmp', 'step-1.ckpt')
  const names = others.map((name) => [name, 1000 * HOUR] as const)
  t.deepEqual(await leftOf(t, names), [...others].sort())
})

test('a folder, a pipe and a link of such a name stay, and the files after them are swept all the same', async (t) => {
  const folder = await scratchFolder(t)
  const dead = endedProcess()
  const kept = [temporaryName('folder'), ofProcess(dead, unlocked('folder'))]
  for (const name of kept) await fs.mkdir(join(folder, name))
  if (process.platform !== 'win32') {
    const [pipe, link] = [temporaryName('pipe'), temporaryName('link')]
    spawnSync('mkfifo', [join(folder, pipe)])
    await fs.writeFile(join(folder, 'dear.ckpt'), 'bytes')
    await fs.symlink('dear.ckpt', join(folder, link))
    kept.push(pipe, link, 'dear.ckpt')
  }
  await plant(folder, ofProcess(dead, unlocked('z.ckpt')))
  await sweepTemporaryFiles(nodeFileSystem, folder)
  t.deepEqual((await fs.readdir(folder)).sort(), kept.sort())
})

test('a failed clean-up is not an error of the save', async (t) => {
  const folder = await scratchFolder(t)
  await sweepTemporaryFiles(nodeFileSystem, join(folder, 'missing'))
  const dead = ofProcess(endedProcess(), unlocked('a.ckpt'))
  const theirs = foreign(unlocked('a.ckpt'))
  const locked = temporaryName('a.ckpt')
  for (const [refused, left] of [
    ['readdir', [dead, theirs, locked]],
    ['lstat', [theirs, locked]],
    ['openForLock', [locked]],
    ['fstat', [locked]],
    ['unlink', [dead, theirs, locked]],
  ] as const) {
    for (const name of [dead, theirs, locked]) await plant(folder, name, 25 * HOUR)
    const observed = observedFileSystem({
      before({ operation }) {
        if (operation === refused) throw systemError('EACCES', operation)
      },
    })
    await sweepTemporaryFiles(observed, folder)
    t.true(observed.calls.some(({ operation }) => operation === refused))
    const names = await fs.readdir(folder)
    // Without locks (not Linux) the locked one stays in any case.
    t.deepEqual(names.filter((name) => left.includes(name)).sort(), [...left].sort(), refused)
    t.is(observed.open.size, 0)
  }
})

/** Creates a temporary file and tells what became of it; none of the others may be left. */
async function create(t: ExecutionContext, fileSystem: Partial<FileSystem>) {
  const folder = await scratchFolder(t)
  const observed = observedFileSystem()
  const all = { ...observed, ...fileSystem }
  const { path, file, locked, status } = await createTemporaryFile(all, folder, 'a.ckpt', 0o600)
  t.is(dirname(path), folder)
  t.deepEqual(await fs.readdir(folder), [path.slice(folder.length + 1)])
  t.is((await nodeFileSystem.lstat(path)).identity, status.identity)
  t.is(observed.open.size, 1)
  await observed.close(file)
  return { locked, isNamedSo: path.endsWith('.locked.tmp') }
}

onLinux('a file that is created is locked', async (t) => {
  t.deepEqual(await create(t, {}), { locked: true, isNamedSo: true })
})

test('where nothing can be locked, the file is named so', async (t) => {
  t.deepEqual(await create(t, noLocks), { locked: false, isNamedSo: false })
})

test('a file that another saver sweeps before it is locked is created anew', async (t) => {
  for (const answer of ['taken', 'held'] as const) {
    let swept = 0
    const lock: FileSystem['lock'] = async () => {
      if (swept++ > 0) return 'taken'
      for (const name of await fs.readdir(folder)) await fs.unlink(join(folder, name))
      return answer
    }
    const folder = await scratchFolder(t)
    const created = await createTemporaryFile({ ...nodeFileSystem, lock }, folder, 'a', 0o600)
    t.is(swept, 2)
    t.true(created.locked)
    t.is((await fs.readdir(folder)).length, 1)
    await nodeFileSystem.close(created.file)
  }
})

test('where each lock is held by others, the file is one that is not locked in the end', async (t) => {
  t.deepEqual(await create(t, heldLocks), { locked: false, isNamedSo: false })
})

test('if a file cannot be created or examined, none is left, and the error is thrown', async (t) => {
  for (const refused of ['create', 'fstat', 'lock', 'lstat', 'rename'] as const) {
    const folder = await scratchFolder(t)
    const injected = systemError('EIO', refused)
    const observed = observedFileSystem({
      before({ operation }) {
        if (operation === refused) throw injected
      },
    })
    const lock = refused === 'rename' ? noLocks : {}
    const all = { ...observed, ...lock }
    t.is(await t.throwsAsync(createTemporaryFile(all, folder, 'a', 0o600)), injected)
    t.deepEqual(await fs.readdir(folder), [])
    t.is(observed.open.size, 0)
  }
})

test('a name that is taken is left alone, and three others are tried', async (t) => {
  for (const taken of [1, 3, 4]) {
    const folder = await scratchFolder(t)
    const names = new Set<string>()
    const create: FileSystem['create'] = async (path, mode) => {
      names.add(path)
      if (names.size > taken) return nodeFileSystem.create(path, mode)
      throw systemError('EEXIST', 'open')
    }
    const creating = createTemporaryFile({ ...nodeFileSystem, create }, folder, 'a', 0o600)
    if (taken === 4) {
      await t.throwsAsync(creating, { code: 'EEXIST' })
      t.deepEqual(await fs.readdir(folder), [])
    } else {
      const { path, file, locked } = await creating
      await nodeFileSystem.close(file)
      // If nothing can be locked, it has the name of an unlocked one now.
      if (locked) t.is([...names].at(-1), path)
      // The last one is not locked.
      if (taken === 3) t.false(locked)
    }
    t.is(names.size, Math.min(4, taken + 1))
  }
})
