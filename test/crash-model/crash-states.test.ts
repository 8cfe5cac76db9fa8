import test from 'ava'
import { choose, crashImages, isSampled } from '../support/crash-model/crash-states.js'
import { ModelDisk, ROOT } from '../support/crash-model/model-disk.js'

const ATTRIBUTES = { mode: 0o644, uid: 1, gid: 1 }

/** A disk with empty files, whose names are not durable. */
function diskWithFiles(...names: string[]): ModelDisk {
  const disk = new ModelDisk(4)
  for (const name of names) {
    const inode = disk.nextInode
    disk.apply({ kind: 'inode', inode, type: 'file', attributes: ATTRIBUTES })
    disk.apply({ kind: 'names', changes: [{ folder: ROOT, name, inode }] })
  }
  return disk
}

const namesIn = (disk: ModelDisk, renames: 1 | 2 | 3 = 1) =>
  Array.from(crashImages(disk, renames), (image) =>
    [...image.entries(ROOT)].map(([name, inode]) => `${name}${inode}`).join(' '),
  )

test('names that were not synced are there in every subset', (t) => {
  const disk = diskWithFiles('a', 'b')
  t.deepEqual(namesIn(disk), ['', 'a1', 'b2', 'a1 b2'])
  disk.apply({ kind: 'sync', inode: ROOT })
  t.deepEqual(namesIn(disk), ['a1 b2'])
})

test('a rename is one step, or two, or three', (t) => {
  const disk = diskWithFiles('old', 'temporary')
  disk.apply({ kind: 'sync', inode: ROOT })
  disk.apply({
    kind: 'names',
    changes: [
      { folder: ROOT, name: 'old', inode: 2 },
      { folder: ROOT, name: 'temporary', inode: undefined },
    ],
  })
  t.deepEqual(namesIn(disk, 1), ['old1 temporary2', 'old2'])
  t.deepEqual(namesIn(disk, 2), ['old1 temporary2', 'old2 temporary2', 'old1', 'old2'])
  t.true(namesIn(disk, 3).includes('temporary2'))
  t.true(namesIn(disk, 3).includes(''))
})

test('a file may have each mixture of blocks, at each length that it may have', (t) => {
  const disk = diskWithFiles('a')
  disk.apply({ kind: 'sync', inode: ROOT })
  const [empty] = crashImages(disk)
  t.deepEqual([...empty!.contents(1)], [new Uint8Array(0)])
  disk.apply({ kind: 'data', inode: 1, position: 0, bytes: Uint8Array.of(1, 2, 3, 4, 5, 6) })
  const [image] = crashImages(disk)
  const found = new Set(Array.from(image!.contents(1), (bytes) => bytes.join(' ')))
  for (const bytes of ['', '1 2 3 4', '0 0 0 0', '1 2 3 4 5 6', '0 0 0 0 5 6', '1 2 3 4 0 0']) {
    t.true(found.has(bytes), bytes)
  }
  // Zeros, garbage or the new bytes in either block, or none at all.
  t.is(found.size, 3 * 3 + 3 + 1)
})

test('blocks of two writes may be of either', (t) => {
  const disk = diskWithFiles('a')
  disk.syncAll()
  for (const byte of [7, 8]) {
    disk.apply({ kind: 'data', inode: 1, position: 0, bytes: Uint8Array.of(byte, byte) })
  }
  const [image] = crashImages(disk)
  const found = new Set(Array.from(image!.contents(1), (bytes) => bytes.join(' ')))
  t.true(found.has('7 7') && found.has('8 8') && found.has('0 0') && found.has(''))
  t.is(found.size, 5)
})

test('up to a bound every choice is made once, above it the extreme ones and a sample', (t) => {
  const all = [...choose([2, 3, 4], 24)]
  t.is(all.length, 24)
  t.is(new Set(all.map(String)).size, 24)

  const ranges = Array.from({ length: 20 }, () => 2)
  const some = [...choose(ranges, 1024)].map(String)
  t.deepEqual(some, [...choose(ranges, 1024)].map(String))
  t.true(some.length > 1024 && some.length < 2 ** 20)
  for (const value of [0, 1]) {
    const base = ranges.map(() => value)
    t.true(some.includes(String(base)))
    for (const i of ranges.keys()) t.true(some.includes(String(base.with(i, 1 - value))))
  }
})

test('a sample is reported as one', (t) => {
  const few = diskWithFiles('a', 'b')
  t.false(isSampled(few, 1))
  const many = diskWithFiles(...Array.from({ length: 11 }, (_, i) => `file ${i}`))
  t.true(isSampled(many, 1))
})
