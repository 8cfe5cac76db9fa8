import test from 'ava'
import { WriteOut } from '../../../src/io/file/write-out.js'

/** A disk whose syncs last until they are told to end. */
function slowDisk() {
  const syncs: { resolve: () => void; reject: (error: Error) => void }[] = []
  const fsync = () =>
    new Promise<void>((resolve, reject) => {
      syncs.push({ resolve, reject })
    })
  return { syncs, fsync }
}

const turn = () => new Promise((resolve) => setImmediate(resolve))

test('a file is synced each time that so many bytes have been written', async (t) => {
  const disk = slowDisk()
  const writeOut = new WriteOut(disk, 3, 100)
  writeOut.wrote(99)
  t.is(disk.syncs.length, 0)
  writeOut.wrote(1)
  t.is(disk.syncs.length, 1)
  disk.syncs[0]?.resolve()
  await writeOut.finish()
  writeOut.wrote(99)
  t.is(disk.syncs.length, 1)
  writeOut.wrote(200)
  t.is(disk.syncs.length, 2)
  disk.syncs[1]?.resolve()
  await writeOut.finish()
})

test('while a sync is under way no other begins, and writing continues', async (t) => {
  const disk = slowDisk()
  const writeOut = new WriteOut(disk, 3, 100)
  for (let i = 0; i < 10; i++) writeOut.wrote(100)
  t.is(disk.syncs.length, 1)
  disk.syncs[0]?.resolve()
  await writeOut.settled()
  writeOut.wrote(1)
  t.is(disk.syncs.length, 2)
})

test('the error of a failed sync is thrown by the next write and at the end, and the sync is not retried', async (t) => {
  const disk = slowDisk()
  const writeOut = new WriteOut(disk, 3, 100)
  writeOut.wrote(100)
  disk.syncs[0]?.reject(new Error('EIO'))
  await turn()
  t.throws(() => writeOut.wrote(1), { message: 'EIO' })
  t.throws(() => writeOut.wrote(1000), { message: 'EIO' })
  await writeOut.settled()
  await t.throwsAsync(writeOut.finish(), { message: 'EIO' })
  t.is(disk.syncs.length, 1)
})

test('the end waits for the sync that is under way', async (t) => {
  const disk = slowDisk()
  const writeOut = new WriteOut(disk, 3, 1)
  writeOut.wrote(1)
  let finished = false
  const finish = writeOut.finish().then(() => {
    finished = true
  })
  await turn()
  t.false(finished)
  disk.syncs[0]?.resolve()
  await finish
  t.true(finished)
})

/** A system that knows how to begin, until it is told that it does not; each answer when asked for. */
function willingSystem() {
  const disk = slowDisk()
  const begun: ((can: boolean) => void)[] = []
  const beginWriteOut = () => new Promise<boolean>((resolve) => begun.push(resolve))
  return { ...disk, begun, beginWriteOut }
}

const MIB = 2 ** 20

test('if the system can be told to start, it is told every 8 MiB, and nothing is synced', async (t) => {
  const system = willingSystem()
  const writeOut = new WriteOut(system, 3, 32 * MIB)
  writeOut.wrote(8 * MIB - 1)
  t.is(system.begun.length, 0)
  writeOut.wrote(1)
  t.is(system.begun.length, 1)
  // Meanwhile it is not told again; afterwards what has come by then counts.
  writeOut.wrote(7 * MIB)
  writeOut.wrote(30 * MIB)
  t.is(system.begun.length, 1)
  system.begun[0]!(true)
  await writeOut.settled()
  writeOut.wrote(1)
  t.is(system.begun.length, 2)
  system.begun[1]!(true)
  await writeOut.finish()
  writeOut.wrote(8 * MIB - 1)
  t.is(system.begun.length, 2)
  writeOut.wrote(1)
  t.is(system.begun.length, 3)
  t.is(system.syncs.length, 0)
})

test('a system that cannot be told to start is asked once, and the file is synced', async (t) => {
  const system = willingSystem()
  const writeOut = new WriteOut(system, 3, 32 * MIB)
  writeOut.wrote(8 * MIB)
  system.begun[0]!(false)
  await writeOut.settled()
  writeOut.wrote(24 * MIB - 1)
  t.is(system.syncs.length, 0)
  writeOut.wrote(1)
  t.is(system.syncs.length, 1)
  writeOut.wrote(100 * MIB)
  system.syncs[0]!.resolve()
  await writeOut.settled()
  writeOut.wrote(1)
  t.is(system.syncs.length, 2)
  t.is(system.begun.length, 1)
})

test('what has come while the system found out that it cannot begin is synced at once', async (t) => {
  const system = willingSystem()
  const writeOut = new WriteOut(system, 3, 32 * MIB)
  writeOut.wrote(8 * MIB)
  writeOut.wrote(24 * MIB)
  t.is(system.syncs.length, 0)
  system.begun[0]!(false)
  await turn()
  t.is(system.syncs.length, 1)
  const end = t.throwsAsync(writeOut.finish(), { message: 'EIO' })
  system.syncs[0]!.reject(new Error('EIO'))
  await end
})
