/**
 * The calls of the C library that Node lacks, by koffi, an optional dependency. They are bound together
 * and once, when the first of them is needed. A group of calls that this machine lacks is undefined, and
 * each has a substitute where it is used.
 */

import { constants } from 'node:os'

/** What of the C library this machine has. Undefined: there is no such call here, or no koffi. */
export interface Libc {
  readonly map?: MapCalls
  readonly memory?: MemoryCalls
  readonly beginWriteOut?: WriteOutCall
  readonly lock?: FileCall
  readonly sync?: FileCall
  readonly attributes?: AttributeCalls
}

/** Maps files into memory. Absent on Windows and in Electron. */
export interface MapCalls {
  /** Address of a new private map of the whole file, or undefined if the system refuses. */
  map(fd: number, length: number): bigint | undefined
  unmap(address: bigint, length: number): void
  /** Memory at an address as an ArrayBuffer, which does not own it. */
  view(address: bigint, length: number): ArrayBuffer
  /**
   * Brings mapped bytes into memory, so that touching them neither waits for a device nor is fatal
   * when it fails. False if the system lacks the call, and if the call failed. `address` is that of a
   * page.
   */
  bringIn(address: bigint, length: number): boolean
}

/** Memory by its address, so that a thread can read another thread's. Absent on Windows and in Electron. */
export interface MemoryCalls {
  /** Where bytes are. Valid until their owner releases or moves them. */
  addressOf(bytes: Uint8Array): bigint
  /** Copies `length` bytes, which must not overlap. A wrong address is fatal to the process. */
  copy(target: bigint, source: bigint, length: number): void
}

/**
 * Has the system begin to write to the disk all that it holds of a file; false if it did not. It promises
 * nothing about power cuts, does not flush the disk's cache as a sync does, and takes no error from the
 * sync that comes after it. Linux only.
 */
export type WriteOutCall = (fd: number) => Promise<boolean>

/**
 * Does something to an open file, by another thread. Resolves to 0, or to the system's number of an error.
 * `lock` takes the exclusive advisory lock of the file, or fails at once with EWOULDBLOCK (flock(2)).
 * `sync` is fsync(2), for a Node that refuses it; Linux only.
 */
export type FileCall = (fd: number) => Promise<number>

/** Extended attributes of files, which do not follow links. Linux only. */
export interface AttributeCalls {
  /** Their names, or undefined if the system does not tell. */
  list(path: string): string[] | undefined
  get(path: string, name: string): Uint8Array | undefined
  /** Whether it was done. */
  set(fd: number, name: string, value: Uint8Array): boolean
  /** Whether there is no such attribute now. */
  remove(fd: number, name: string): boolean
}

/** Bytes: a multiple of the length of a page, which is 4, 16 or 64 KiB. */
export const PAGE = 64 * 1024

// The same on Linux, macOS and the BSDs.
const PROT_READ = 1
const PROT_WRITE = 2
const MAP_PRIVATE = 2
// Without it Linux refuses a writable map of more than the machine's memory, though few of its pages are
// ever written to. Elsewhere nothing is reserved.
const MAP_NORESERVE = process.platform === 'linux' ? 0x4000 : 0
const MAP_FAILED = 2n ** 64n - 1n
// Linux 5.14. Others have no such call, or another one of this number.
const MADV_POPULATE_READ = process.platform === 'linux' ? 22 : undefined
// Only begins, and waits for nothing (sync_file_range(2)).
const SYNC_FILE_RANGE_WRITE = 2
// The same on Linux, macOS and the BSDs.
const LOCK_EX = 2
const LOCK_NB = 4

let found: Promise<Libc> | undefined

/** The C library of this machine: without any calls if koffi is not there. Looked up once. Never rejects. */
export function libc(): Promise<Libc> {
  found ??= bind().catch(() => ({}))
  return found
}

async function bind(): Promise<Libc> {
  // On Windows the C library has another name, and other calls.
  if (process.platform === 'win32') return {}
  // webpack and Turbopack cannot place a native part in a bundle: they leave this import to Node.
  const { default: koffi } = await import(/* webpackIgnore: true */ 'koffi')
  const library = koffi.load(null)
  // A library that lacks a call (musl, an old one, another system) has the others.
  const has = <T>(bindCalls: () => T): T | undefined => {
    try {
      return bindCalls()
    } catch {
      return undefined
    }
  }
  const map = has((): MapCalls => {
    const mmap = library.func('void *mmap(void *, size_t, int, int, int, int64_t)')
    const munmap = library.func('int munmap(void *, size_t)')
    const madvise = library.func('int madvise(void *, size_t, int)')
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
  })
  const memory = has((): MemoryCalls => {
    const memcpy = library.func('void *memcpy(void *, const void *, size_t)')
    return {
      addressOf: (bytes) => koffi.address(bytes),
      copy(target, source, length) {
        memcpy(target, source, length)
      },
    }
  })
  const beginWriteOut = has((): WriteOutCall => {
    const syncFileRange = library.func('int sync_file_range(int, int64_t, int64_t, unsigned int)')
    // By another thread: if the disk has much to do already, it may take a while.
    return (fd) =>
      new Promise((resolve) => {
        syncFileRange.async(fd, 0, 0, SYNC_FILE_RANGE_WRITE, (error: unknown, result: number) => {
          resolve(error === null && result === 0)
        })
      })
  })
  /** A call of one descriptor and these arguments. Over a network it may take a while. */
  const fileCall = (prototype: string, ...rest: number[]): FileCall | undefined =>
    has(() => {
      const call = library.func(prototype)
      return (fd) =>
        new Promise((resolve) => {
          call.async(fd, ...rest, (error: unknown, result: number) => {
            resolve(error === null && result === 0 ? 0 : koffi.errno())
          })
        })
    })
  const lock = fileCall('int flock(int, int)', LOCK_EX | LOCK_NB)
  const sync = fileCall('int fsync(int)')
  const attributes = has((): AttributeCalls => {
    const list = library.func('long llistxattr(const char *, void *, size_t)')
    const get = library.func('long lgetxattr(const char *, const char *, void *, size_t)')
    const set = library.func('int fsetxattr(int, const char *, const void *, size_t, int)')
    const remove = library.func('int fremovexattr(int, const char *)')
    /** What a call writes that tells the length when it is given no room. */
    const read = (call: (to: Uint8Array | null, room: number) => number): Buffer | undefined => {
      const bytes = Buffer.alloc(Math.max(0, call(null, 0)))
      const length = bytes.length === 0 ? call(null, 0) : call(bytes, bytes.length)
      return length < 0 ? undefined : bytes.subarray(0, length)
    }
    const { ENODATA, EOPNOTSUPP } = constants.errno
    const lacks = (): boolean => [ENODATA, EOPNOTSUPP].includes(koffi.errno())
    return {
      list(path) {
        const names = read((to, room) => list(path, to, room))
        if (names === undefined) return lacks() ? [] : undefined
        return names.toString('latin1').split('\0').slice(0, -1)
      },
      get: (path, name) => read((to, room) => get(path, name, to, room)),
      set: (fd, name, value) => set(fd, name, value, value.byteLength, 0) === 0,
      remove: (fd, name) => remove(fd, name) === 0 || lacks(),
    }
  })
  // Electron's engine takes no memory that is not its own, and keeps its memory in a place of its own.
  const ownMemoryOnly = process.versions.electron !== undefined
  return {
    ...(map && !ownMemoryOnly && { map }),
    ...(memory && !ownMemoryOnly && { memory }),
    ...(beginWriteOut && process.platform === 'linux' && { beginWriteOut }),
    ...(lock && { lock }),
    ...(sync && process.platform === 'linux' && { sync }),
    ...(attributes && process.platform === 'linux' && { attributes }),
  }
}
