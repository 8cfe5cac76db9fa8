import * as fs from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { libc } from '../../../src/io/file/libc.js'
import { requires } from '../../support/requires.js'
import { scratchFolder } from '../../support/scratch.js'

// Where files can be mapped there is koffi.
const onLinux = requires(test, 'linux', 'memory maps')

/** Bytes that wait to be written to a disk, on this machine. */
function waitingBytes(): number {
  const text = fs.readFileSync('/proc/meminfo', 'utf8')
  return 1024 * Number(/^Dirty: +(\d+) kB$/m.exec(text)?.[1])
}

onLinux('the system begins to write what it holds of a file, without a sync', async (t) => {
  const begin = (await libc()).beginWriteOut!
  const path = join(await scratchFolder(t), 'file')
  const fd = fs.openSync(path, 'w')
  t.teardown(() => fs.closeSync(fd))
  const length = 256 * 2 ** 20
  const before = waitingBytes()
  for (let i = 0; i < 4; i++) fs.writeSync(fd, new Uint8Array(length / 4).fill(i + 1))
  const written = waitingBytes()
  t.is(await begin(fd), true)
  // On its way to the disk, or there: it waits no longer. (A file system in memory has nothing to do, and
  // others use this machine as well.)
  if (written - before > length / 2) t.true(waitingBytes() - before < length / 2)
  t.is(fs.fstatSync(fd).size, length)
})

onLinux('where the system does not begin, that is said, and nothing thrown', async (t) => {
  const begin = (await libc()).beginWriteOut!
  t.is(await begin(-1), false)
  const device = fs.openSync('/dev/null', 'r')
  t.teardown(() => fs.closeSync(device))
  t.is(await begin(device), false)
})
