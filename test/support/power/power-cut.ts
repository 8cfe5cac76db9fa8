/**
 * A power cut, as a file system that has a journal lives through one: it is shut down with everything
 * that it has not written, and mounted again, which replays its journal. What was synced is there;
 * what was not is what the file system makes of it.
 */

import type { Disk } from '../crash/disk.js'
import { command } from '../crash/workspace.js'

/** Cuts the power of a disk. Processes may still have files open there; their calls fail. */
export async function cutPower(disk: Disk): Promise<void> {
  // Without -f: the journal in memory is lost as well.
  await command('xfs_io', '-x', '-c', 'shutdown', disk.path)
}

/** Mounts it again. Nobody may use it meanwhile. */
export async function restorePower(disk: Disk): Promise<void> {
  await disk.unmount()
  await disk.mount()
}
