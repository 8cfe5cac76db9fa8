/**
 * The call by which Linux begins to write what it holds of a file to the disk, by koffi, an optional
 * dependency: absent without it, and on other systems.
 */

/**
 * Has the system begin to write all that it holds of a file; false where it did not. It promises nothing
 * about power cuts, does not flush the disk's cache as a sync does, and takes no error from the sync that
 * comes after it.
 */
export type WriteOutCall = (fd: number) => Promise<boolean>

// Only begins, and waits for nothing (sync_file_range(2)).
const SYNC_FILE_RANGE_WRITE = 2

let call: Promise<WriteOutCall | undefined> | undefined

/** The call on this machine, or undefined where there is none. Looked up once. */
export async function writeOutCall(): Promise<WriteOutCall | undefined> {
  call ??= findCall().catch(() => undefined)
  return call
}

async function findCall(): Promise<WriteOutCall | undefined> {
  if (process.platform !== 'linux') return undefined
  const { default: koffi } = await import('koffi')
  const libc = koffi.load(null)
  const syncFileRange = libc.func('int sync_file_range(int, int64_t, int64_t, unsigned int)')
  // By another thread: where the disk has much to do already, it may take a while.
  return (fd) =>
    new Promise((resolve) => {
      syncFileRange.async(fd, 0, 0, SYNC_FILE_RANGE_WRITE, (error: unknown, result: number) => {
        resolve(error === null && result === 0)
      })
    })
}
