import test from 'ava'
import { WriteOut } from '../../src/io/write-out.js'

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

test('while a sync is under way there is no other, and writing goes on', async (t) => {
  const disk = slowDisk()
  const writeOut = new WriteOut(disk, 3, 100)
  for (let i = 0; i < 10; i++) writeOut.wrote(100)
  t.is(disk.syncs.length, 1)
  disk.syncs[0]?.resolve()
  await writeOut.settled()
  writeOut.wrote(1)
  t.is(disk.syncs.length, 2)
})

test('a sync that fails is told of by the next write, and by the end, and is not tried again', async (t) => {
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
