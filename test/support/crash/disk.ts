/** The harness's own file systems, each in a file that the system uses as a disk (a loop device). */

import { truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { command, mount } from './workspace.js'

export type DiskFormat = 'ext4' | 'xfs' | 'btrfs'

// In MiB: the least that their makers take, rounded up, and room for what a test leaves on ext4.
const MIBS = { ext4: 32, xfs: 320, btrfs: 160 } as const

// Blocks of a page, whatever the size of the disk.
const OPTIONS = { ext4: ['-b', '4096'], xfs: [], btrfs: [] } as const

const MIB = 1024 * 1024

/** A disk of that format, mounted at `path`; its file lies next to it. */
export class Disk {
  readonly path: string
  readonly image: string

  private constructor(path: string) {
    this.path = path
    this.image = `${path}.image`
  }

  static async create(folder: string, format: DiskFormat): Promise<Disk> {
    const disk = new Disk(join(folder, format))
    await writeFile(disk.image, '')
    await truncate(disk.image, MIBS[format] * MIB)
    await command(`mkfs.${format}`, '-q', ...OPTIONS[format], disk.image)
    await disk.mount()
    return disk
  }

  async mount(): Promise<void> {
    // The loop device goes with the mount.
    await mount(this.path, '-o', 'loop', this.image)
  }

  async unmount(): Promise<void> {
    await command('umount', this.path)
  }
}
