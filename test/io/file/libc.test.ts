import * as fs from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import koffi from 'koffi'
import { libc } from '../../../src/io/file/libc.js'
import { requires } from '../../support/requires.js'
import { scratchFolder } from '../../support/scratch.js'

// Where files can be mapped there is koffi.
const onLinux = requires(test, 'linux', 'memory maps')

// cachestat(2), since Linux 6.5: what the system holds of one file, whatever else this machine writes.
const CACHESTAT = 451

/** How many pages of a file wait to be written to a disk; undefined if the system does not tell. */
function dirtyPages(fd: number): bigint | undefined {
  const call = koffi.load(null).func('long syscall(long, long, void *, void *, long)')
  const wholeFile = new BigUint64Array(2)
  // In this order: pages in memory, dirty ones, those on their way, evicted ones, those evicted not long ago.
  const counts = new BigUint64Array(5)
  const result = call(
    CACHESTAT,
    fd,
    new Uint8Array(wholeFile.buffer),
    new Uint8Array(counts.buffer),
    0,
  )
  return result === 0 ? counts[1] : undefined
}

onLinux('the system begins to write what it holds of a file, without a sync', async (t) => {
  const begin = (await libc()).beginWriteOut!
  const path = join(await scratchFolder(t), 'file')
  const fd = fs.openSync(path, 'w')
  t.teardown(() => fs.closeSync(fd))
  const length = 64 * 2 ** 20
  fs.writeSync(fd, new Uint8Array(length).fill(1))
  const before = dirtyPages(fd)
  t.is(await begin(fd), true)
  // On their way to the disk, or there: they wait no longer. (A file system in memory has none.)
  if (before === undefined) t.log('this system does not tell what waits')
  else t.true(dirtyPages(fd)! <= before / 2n)
  t.is(fs.fstatSync(fd).size, length)
})

onLinux('where the system does not begin, that is said, and nothing thrown', async (t) => {
  const begin = (await libc()).beginWriteOut!
  t.is(await begin(-1), false)
  const device = fs.openSync('/dev/null', 'r')
  t.teardown(() => fs.closeSync(device))
  t.is(await begin(device), false)
})
