/**
 * The calls of the C library that map files, by koffi, an optional dependency: absent without it, and
 * on Windows.
 */

export interface MapCalls {
  /** Address of a new private map of the whole file, or undefined where the system refuses. */
  map(fd: number, length: number): bigint | undefined
  unmap(address: bigint, length: number): void
  /** Memory at an address as an ArrayBuffer, which does not own it. */
  view(address: bigint, length: number): ArrayBuffer
  /**
   * Brings mapped bytes into memory, so that touching them neither waits for a device nor is fatal
   * where it fails. False where the system does not know how, and where it could not. `address` is
   * that of a page.
   */
  bringIn(address: bigint, length: number): boolean
}

/** Bytes: a multiple of the length of a page, which is 4, 16 or 64 KiB. */
export const PAGE = 64 * 1024

// The same on Linux, macOS and the BSDs.
const PROT_READ = 1
const PROT_WRITE = 2
const MAP_PRIVATE = 2
// Without it Linux refuses a writable map of more than the machine's memory, though nobody is going to
// write to all of it. Elsewhere nothing is reserved.
const MAP_NORESERVE = process.platform === 'linux' ? 0x4000 : 0
const MAP_FAILED = 2n ** 64n - 1n
// Linux 5.14. Others have no such call, or another one of this number.
const MADV_POPULATE_READ = process.platform === 'linux' ? 22 : undefined

let calls: Promise<MapCalls | undefined> | undefined

/** The calls for mapping on this machine, or undefined where there are none. Looked up once. */
export async function mapCalls(): Promise<MapCalls | undefined> {
  calls ??= findCalls().catch(() => undefined)
  return calls
}

async function findCalls(): Promise<MapCalls | undefined> {
  // Electron's engine takes no memory that is not its own.
  if (process.platform === 'win32' || process.versions.electron !== undefined) return undefined
  const { default: koffi } = await import('koffi')
  const libc = koffi.load(null)
  const mmap = libc.func('void *mmap(void *, size_t, int, int, int, int64_t)')
  const munmap = libc.func('int munmap(void *, size_t)')
  const madvise = libc.func('int madvise(void *, size_t, int)')
  return {
    map(fd, length) {
      const flags = MAP_PRIVATE | MAP_NORESERVE
      const at = mmap(null, length, PROT_READ | PROT_WRITE, flags, fd, 0)
      const address = koffi.address(at)
      return address === MAP_FAILED || address === 0n ? undefined : address
    },
    unmap(address, length) {
      munmap(address, length)
    },
    view: (address, length) => koffi.view(address, length),
    bringIn(address, length) {
      if (MADV_POPULATE_READ === undefined) return false
      return madvise(address, length, MADV_POPULATE_READ) === 0
    },
  }
}
