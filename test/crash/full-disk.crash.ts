/** Disks that are full, or become full in the middle of a save. */

import { open, readdir, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { temporaryName } from '../../src/io/file/temporary-file.js'
import { faultsOfAttempt, NEW, OLD } from '../support/crash/attempt.js'
import { Disk } from '../support/crash/disk.js'
import { inParallel } from '../support/crash/in-parallel.js'
import { report } from '../support/crash/report.js'
import { scaled } from '../support/crash/scale.js'
import { NOBODYS_PID } from '../support/crash/scene.js'
import { checkpointBytes } from '../support/crash/training.js'
import { command, mount, workspace } from '../support/crash/workspace.js'
import { testWith } from '../support/requires.js'

const PAGE = 4096

const { length } = await checkpointBytes(NEW)

// What the file takes on a disk.
const pages = Math.ceil(length / PAGE)

/** How many pages there are for the new file: evenly from none, and around just enough. */
function pagesLeft(): number[] {
  const near = [-3, -2, -1, 0, 1, 2].map((more) => pages + more)
  const count = scaled(14)
  const below = Array.from({ length: count }, (_, i) => Math.floor((i * (pages - 4)) / count))
  return [...new Set([...below, ...near])].sort((a, b) => a - b)
}

async function withOldFile(folder: string): Promise<string> {
  const path = join(folder, 'a.ckpt')
  await writeFile(path, await checkpointBytes(OLD))
  return path
}

testWith('mounts')('an overwrite on a disk that has no room for both files', async (t) => {
  const folder = await workspace(t)
  const sizes = pagesLeft()
  const faults = await inParallel(sizes, async (left) => {
    const disk = join(folder, String(left))
    await mount(disk, '-t', 'tmpfs', '-o', `size=${(pages + left) * PAGE}`, 'tmpfs')
    const path = await withOldFile(disk)
    const what = `${left} pages left`
    if (left >= pages) return faultsOfAttempt({ what, path })
    const full = await faultsOfAttempt({ what, path, error: 'ENOSPC' })
    await command('mount', '-o', `remount,size=${2 * pages * PAGE}`, disk)
    return [...full, ...(await faultsOfAttempt({ what: `${what}, then room`, path }))]
  })
  report(
    t,
    'overwrite on a full disk (tmpfs), room from none to enough',
    sizes.length,
    faults.flat(),
  )
})

testWith('mounts')('a first save on a disk that has no room for it', async (t) => {
  const folder = await workspace(t)
  // A tmpfs of no page at all is one without a limit.
  const sizes = pagesLeft().filter((left) => left > 0)
  const faults = await inParallel(sizes, async (left) => {
    const disk = join(folder, String(left))
    await mount(disk, '-t', 'tmpfs', '-o', `size=${left * PAGE}`, 'tmpfs')
    const path = join(disk, 'a.ckpt')
    const error = left < pages ? 'ENOSPC' : undefined
    return faultsOfAttempt({ what: `${left} pages`, path, error })
  })
  report(
    t,
    'first save on a full disk (tmpfs), room from none to enough',
    sizes.length,
    faults.flat(),
  )
})

/** Writes a file until the disk is full, and returns its length. */
async function fill(path: string): Promise<number> {
  const file = await open(path, 'w')
  let written = 0
  try {
    for (;;) written += (await file.write(Buffer.alloc(PAGE))).bytesWritten
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
    return written
  } finally {
    await file.close()
  }
}

testWith(
  'mounts',
  'loop devices',
  'program:mkfs.ext4',
)('an overwrite on an ext4 disk that others have filled', async (t) => {
  const { path: disk } = await Disk.create(await workspace(t), 'ext4')
  const faults: string[] = []
  const path = await withOldFile(disk)
  const filler = join(disk, 'filler')
  // Some blocks are the file system's own business.
  const sizes = pagesLeft().filter((left) => left < pages - 2)
  for (const left of sizes) {
    const filled = await fill(filler)
    await truncate(filler, filled - left * PAGE)
    await command('sync', '--file-system', disk)
    const what = `${left} pages left`
    faults.push(...(await faultsOfAttempt({ what, path, error: 'ENOSPC' })))
    await rm(filler)
  }
  faults.push(...(await faultsOfAttempt({ what: 'all of it left', path })))
  const what = 'overwrite on a full disk (ext4), room from none to almost enough'
  report(t, what, sizes.length, faults)
})

testWith('mounts')('a disk without an inode for another file', async (t) => {
  const folder = await workspace(t)
  const faults: string[] = []
  // One for the folder, one for the file.
  const attempts = [
    [2, 'ENOSPC'],
    [3, undefined],
  ] as const
  for (const [inodes, error] of attempts) {
    const disk = join(folder, `inodes-${inodes}`)
    await mount(disk, '-t', 'tmpfs', '-o', `nr_inodes=${inodes}`, 'tmpfs')
    const path = await withOldFile(disk)
    faults.push(...(await faultsOfAttempt({ what: `${inodes} inodes`, path, error })))
  }
  report(t, 'inodes used up', attempts.length, faults)
})

testWith('mounts')(
  'what killed processes have left is removed first, and makes room',
  async (t) => {
    const disk = join(await workspace(t), 'disk')
    await mount(disk, '-t', 'tmpfs', '-o', `size=${2 * pages * PAGE}`, 'tmpfs')
    const path = await withOldFile(disk)
    const name = temporaryName('a.ckpt').replace(`.${process.pid}.`, `.${NOBODYS_PID}.`)
    await writeFile(join(disk, name), await checkpointBytes(NEW))
    const faults = await faultsOfAttempt({ what: 'full of leftovers', path })
    if ((await readdir(disk)).length !== 1) faults.push('there is more than the file')
    report(t, 'a disk that is full of leftovers', 1, faults)
  },
)

testWith(
  'mounts',
  'loop devices',
  'program:mkfs.btrfs',
)('a quota that is used up', async (t) => {
  const { path: disk } = await Disk.create(await workspace(t), 'btrfs')
  await command('btrfs', 'quota', 'enable', disk)
  const faults: string[] = []
  const quotas = [1.01, 1.25, 1.5, 1.75, 1.9].map((files) => Math.floor(files * pages) * PAGE)
  for (const quota of quotas) {
    // Where a quota is used up, it cannot be raised: so each has a volume of its own.
    const volume = join(disk, String(quota))
    await command('btrfs', 'subvolume', 'create', volume)
    const path = await withOldFile(volume)
    await command('sync', '--file-system', disk)
    await command('btrfs', 'qgroup', 'limit', String(quota), volume)
    faults.push(...(await faultsOfAttempt({ what: `a quota of ${quota}`, path, error: 'EDQUOT' })))
  }
  report(t, 'a quota that is used up (btrfs)', quotas.length, faults)
})

testWith('mounts')('negative control: a save that believes short writes is caught', async (t) => {
  const folder = await workspace(t)
  const mutant = 'short-writes-taken-for-whole'
  const sizes = pagesLeft().filter((left) => left < pages)
  const faults = await inParallel(sizes, async (left) => {
    const disk = join(folder, String(left))
    await mount(disk, '-t', 'tmpfs', '-o', `size=${(pages + left) * PAGE}`, 'tmpfs')
    const path = await withOldFile(disk)
    return faultsOfAttempt({ what: `${left} pages left`, path, mutant, error: 'ENOSPC' })
  })
  report(t, `full disk, ${mutant}`, sizes.length, faults.flat(), { control: true })
})
