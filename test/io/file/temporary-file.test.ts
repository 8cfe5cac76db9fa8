import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import * as fs from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { nodeFileSystem } from '../../../src/io/file/file-system.js'
import { sweepTemporaryFiles, temporaryName } from '../../../src/io/file/temporary-file.js'
import { observedFileSystem, systemError } from '../../support/io/observed-file-system.js'
import { requires } from '../../support/requires.js'
import { scratchFolder } from '../../support/scratch.js'

/** The number of a process that has ended. */
function endedProcess(): number {
  return spawnSync(process.execPath, ['--version']).pid
}

/** A temporary file's name, as the process of that number would have made it. */
const nameOf = (file: string, pid: number) =>
  temporaryName(file).replace(`.${process.pid}.`, `.${pid}.`)

/** The same, of another machine. */
const foreign = (name: string) =>
  name.replace(
    /\.([0-9a-f]{8})\./,
    (_, tag) => `.${tag === '00000000' ? 'f' : '0'}${tag.slice(1)}.`,
  )

test('a name is hidden, tells its file and its process, and is never made twice', (t) => {
  const names = Array.from({ length: 100 }, () => temporaryName('step-1.ckpt'))
  t.is(new Set(names).size, 100)
  for (const name of names) {
    t.regex(
      name,
      new RegExp(`^\\.step-1\\.ckpt\\.[0-9a-f]{8}\\.${process.pid}\\.[0-9a-f]{16}\\.tmp$`),
    )
  }
})

test('a name is at most 255 bytes long and cuts no character in two', (t) => {
  for (const file of ['n'.repeat(255), 'チ'.repeat(85), '🚀'.repeat(63)]) {
    const name = temporaryName(file)
    t.true(Buffer.byteLength(name) <= 255)
    t.true(Buffer.byteLength(name) > 250)
    t.true(name.isWellFormed())
    const kept = name.slice(1).replace(/\.[0-9a-f]{8}\.\d+\.[0-9a-f]{16}\.tmp$/, '')
    t.true(file.startsWith(kept) && kept.length > 0)
  }
})

test('a name that just fits is kept whole, and one a byte longer is not', (t) => {
  const room = 255 - Buffer.byteLength(temporaryName(''))
  t.true(temporaryName('n'.repeat(room)).startsWith(`.${'n'.repeat(room)}.`))
  t.true(temporaryName('n'.repeat(room + 1)).startsWith(`.${'n'.repeat(room)}.`))
})

// Which machine this is, and what lives on it, is read from /proc.
const onLinux = requires(test, 'linux')

// A name that another release made otherwise would be one of another machine, and stay for a day.
onLinux('the machine in a name is its host, its start and the process namespace', async (t) => {
  const machine = [
    hostname(),
    await fs.readFile('/proc/sys/kernel/random/boot_id', 'utf8'),
    await fs.readlink('/proc/self/ns/pid'),
  ]
  const tag = createHash('sha256').update(machine.join('\n')).digest('hex').slice(0, 8)
  t.true(temporaryName('a.ckpt').startsWith(`.a.ckpt.${tag}.${process.pid}.`))
})

test('files of processes that have ended are removed, those of living ones stay', async (t) => {
  const folder = await scratchFolder(t)
  const left = [nameOf('a.ckpt', endedProcess()), nameOf('チ'.repeat(85), endedProcess())]
  const living = [temporaryName('a.ckpt'), nameOf('a.ckpt', process.ppid)]
  for (const name of [...left, ...living]) await fs.writeFile(join(folder, name), 'bytes')
  await sweepTemporaryFiles(nodeFileSystem, folder)
  t.deepEqual((await fs.readdir(folder)).sort(), living.sort())
})

test.serial('the file of a process that may not be asked after stays: it is alive', async (t) => {
  const folder = await scratchFolder(t)
  const theirs = nameOf('a.ckpt', endedProcess())
  await fs.writeFile(join(folder, theirs), 'bytes')
  const { kill } = process
  t.teardown(() => {
    process.kill = kill
  })
  // As the system answers where the process is another user's.
  process.kill = () => {
    throw systemError('EPERM', 'kill')
  }
  await sweepTemporaryFiles(nodeFileSystem, folder)
  t.deepEqual(await fs.readdir(folder), [theirs])
})

test('files of another machine are removed when nobody has written to them for a day', async (t) => {
  const folder = await scratchFolder(t)
  const hour = 60 * 60
  const now = Date.now() / 1000
  const ages = new Map([
    [foreign(nameOf('new.ckpt', 1)), 0],
    [foreign(nameOf('slow.ckpt', 1)), 23 * hour],
    [foreign(nameOf('old.ckpt', 1)), 25 * hour],
  ])
  for (const [name, age] of ages) {
    await fs.writeFile(join(folder, name), 'bytes')
    await fs.utimes(join(folder, name), now - age, now - age)
  }
  await sweepTemporaryFiles(nodeFileSystem, folder)
  const kept = await fs.readdir(folder)
  t.deepEqual(kept.map((name) => name.split('.')[1]).sort(), ['new', 'slow'])
})

test('nothing that is not called like one of ours is touched', async (t) => {
  const folder = await scratchFolder(t)
  const ours = nameOf('a.ckpt', endedProcess())
  const others = [
    ours.slice(1),
    `${ours}.bak`,
    ours.replace('.tmp', '.ckpt'),
    ours.replace(/[0-9a-f]{16}/, '0123456789abcde'),
    ours.replace(/[0-9a-f]{16}/, '0123456789ABCDEF'),
    ours.replace(/\.\d+\./, '.0.'),
    ours.replace(/\.[0-9a-f]{8}\./, '.xyz.'),
    '.a.ckpt.tmp',
    'step-1.ckpt',
  ]
  for (const name of others) {
    await fs.writeFile(join(folder, name), 'bytes')
    await fs.utimes(join(folder, name), 0, 0)
  }
  await sweepTemporaryFiles(nodeFileSystem, folder)
  t.deepEqual((await fs.readdir(folder)).sort(), others.sort())
})

test('a folder of that name stays, and the files after it are swept all the same', async (t) => {
  const folder = await scratchFolder(t)
  const name = nameOf('a.ckpt', endedProcess())
  await fs.mkdir(join(folder, name))
  await fs.writeFile(join(folder, nameOf('z.ckpt', endedProcess())), 'bytes')
  await sweepTemporaryFiles(nodeFileSystem, folder)
  t.deepEqual(await fs.readdir(folder), [name])
})

test('what cannot be tidied up is nobody’s error', async (t) => {
  const folder = await scratchFolder(t)
  await sweepTemporaryFiles(nodeFileSystem, join(folder, 'missing'))
  const ours = nameOf('a.ckpt', endedProcess())
  const theirs = foreign(temporaryName('a.ckpt'))
  for (const [refused, left] of [
    ['readdir', [ours, theirs]],
    ['lstat', [theirs]],
    ['unlink', [ours, theirs]],
  ] as const) {
    for (const name of [ours, theirs]) await fs.writeFile(join(folder, name), 'bytes')
    const observed = observedFileSystem({
      before({ operation }) {
        if (operation === refused) throw systemError('EACCES', operation)
      },
    })
    await sweepTemporaryFiles(observed, folder)
    t.true(observed.calls.some(({ operation }) => operation === refused))
    t.deepEqual((await fs.readdir(folder)).sort(), [...left].sort())
  }
})
