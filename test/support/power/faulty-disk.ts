/**
 * A disk that fails when it is told to: the system writes to it as to any other, and gets errors of
 * the device (EIO). It is an NBD server (nbdkit) with a filter that fails writes while a file exists,
 * shown as a file by nbdfuse, which is a loop device, which has a file system.
 */

import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { undoAtExit } from '../crash/clean-up.js'
import { command, mount } from '../crash/workspace.js'

const MIB = 1024 * 1024

// Of XFS, the least that its maker takes, rounded up.
const LENGTH = { ext4: 64 * MIB, xfs: 320 * MIB }

// Milliseconds until the server is there, at most.
const PATIENCE = 20_000

export class FaultyDisk {
  /** Where it is mounted. */
  readonly path: string
  readonly #image: string
  readonly #shown: string
  readonly #failing: string
  #stopServer: () => Promise<void> = async () => {}

  private constructor(folder: string) {
    this.path = join(folder, 'disk')
    this.#image = join(folder, 'image')
    this.#shown = join(folder, 'shown')
    this.#failing = join(folder, 'failing')
  }

  static async create(folder: string, format: 'ext4' | 'xfs'): Promise<FaultyDisk> {
    const disk = new FaultyDisk(folder)
    await writeFile(disk.#image, '')
    await truncate(disk.#image, LENGTH[format])
    await command(`mkfs.${format}`, '-q', disk.#image)
    await disk.#startServer()
    // The journal is left alone until somebody syncs: what fails is then what the test makes fail.
    const options = format === 'ext4' ? 'loop,commit=300' : 'loop'
    await mount(disk.path, '-o', options, disk.#shown)
    return disk
  }

  /** From now on every write to the device fails. */
  async fail(): Promise<void> {
    await writeFile(this.#failing, '')
  }

  /** From now on it works again. */
  async recover(): Promise<void> {
    await rm(this.#failing, { force: true })
  }

  /**
   * Mounts what has really arrived on the device: with nothing left of what the system, or anything
   * between it and the device, has in its memory.
   */
  async mountWhatArrived(): Promise<void> {
    await command('umount', this.path)
    await this.#stopServer()
    await mount(this.path, '-o', 'loop', this.#image)
  }

  async #startServer(): Promise<void> {
    await writeFile(this.#shown, '')
    const server = spawn(
      'nbdfuse',
      [
        ...[this.#shown, '--command', 'nbdkit', '-s', '--exit-with-parent', '--filter=error'],
        ...['file', this.#image, 'error=EIO', 'error-pwrite-rate=100%'],
        `error-file=${this.#failing}`,
      ],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    )
    let said = ''
    server.stderr.setEncoding('utf8').on('data', (text: string) => {
      said += text
    })
    const ended = new Promise<void>((resolve) => server.on('close', () => resolve()))
    const kill = undoAtExit(() => server.kill('SIGKILL'))
    this.#stopServer = async () => {
      // A loop device that has been let go of holds its file a moment longer.
      const asked = performance.now()
      for (;;) {
        try {
          await command('fusermount3', '-u', this.#shown)
          break
        } catch (error) {
          if (performance.now() - asked > PATIENCE) throw error
          await wait(20)
        }
      }
      await ended
      kill()
    }
    const start = performance.now()
    while (!(await isShown(this.#shown))) {
      if (server.exitCode !== null || performance.now() - start > PATIENCE) {
        throw new Error(`there is no NBD server: ${said}`)
      }
      await wait(20)
    }
  }
}

/** Whether the server shows its disk there. */
async function isShown(path: string): Promise<boolean> {
  if (!existsSync(path)) return false
  const mounts = await command('cat', '/proc/self/mounts')
  return mounts.split('\n').some((line) => line.split(' ')[1] === path)
}
