/**
 * The calls of the C library that Node lacks, through koffi, an optional dependency. All are bound together, when the
 * first is needed. A group of calls is undefined if this machine lacks it, and each has a substitute where it is used.
 */

import { constants } from 'node:os'

/** The calls that this machine has. Undefined: the system lacks the call, or koffi is not installed. */
export interface Libc {
  readonly map?: MapCalls
  readonly memory?: MemoryCalls
  readonly readCached?: ReadCachedCall
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
  /** The memory at an address as an ArrayBuffer, which does not own it. */
  view(address: bigint, length: number): ArrayBuffer
  /**
   * Loads mapped bytes into memory. Touching them then neither waits for a device nor ends the process if the device
   * fails. False if the system lacks the call, or if the call failed. `address` must be that of a page.
   */
  bringIn(address: bigint, length: number): boolean
}

/** Memory by its address, so that a thread can read another thread's. Absent on Windows and in Electron. */
export interface MemoryCalls {
  /** The address of bytes. Valid until their owner releases or moves them. */
  addressOf(bytes: Uint8Array): bigint
  /** Copies `length` bytes. The two ranges must not overlap. A wrong address ends the process. */
  copy(target: bigint, source: bigint, length: number): void
}

/**
 * Reads bytes of a file that the system holds in memory, and waits for no device. Returns how many it read from
 * `position` on, or -1 if it read none. `address` is that of `length` bytes of memory; a wrong one ends the process.
 * Linux only.
 */
export type ReadCachedCall = (
  fd: number,
  address: bigint,
  length: number,
  position: number,
) => number

/**
 * Asks the system to start writing all that it holds of a file to the disk; false if it did not. It promises nothing
 * about power cuts. Unlike a sync it does not flush the disk's cache, and it takes no error from the next sync. Linux
 * only.
 */
export type WriteOutCall = (fd: number) => Promise<boolean>

/**
 * Does something to an open file, in another thread. Resolves to 0, or to the system's error number. `lock` takes the
 * exclusive advisory lock of the file, or fails at once with EWOULDBLOCK (flock(2)). `sync` is fsync(2), for versions
 * of Node that refuse it; Linux only.
 */
export type FileCall = (fd: number) => Promise<number>

/** Extended attributes of files, which do not follow links. Linux only. */
export interface AttributeCalls {
  /** Their names, or undefined if the system does not tell. */
  list(path: string): string[] | undefined
  get(path: string, name: string): Uint8Array | undefined
  /** Returns whether the attribute was set. */
  set(fd: number, name: string, value: Uint8Array): boolean
  /** Returns whether the file lacks the attribute afterwards. */
  remove(fd: number, name: string): boolean
}

/** In bytes: a multiple of the length of a page, which is 4, 16 or 64 KiB. */
export const PAGE = 64 * 1024

// The same on Linux, macOS and the BSDs.
const PROT_READ = 1
const PROT_WRITE = 2
const MAP_PRIVATE = 2
// Without it Linux refuses a writable map of more than the machine's memory, although few of its pages are ever written
// to. Other systems reserve nothing.
const MAP_NORESERVE = process.platform === 'linux' ? 0x4000 : 0
const MAP_FAILED = 2n ** 64n - 1n
// Since Linux 5.14. Other systems lack the call, or have another call of this number.
const MADV_POPULATE_READ = process.platform === 'linux' ? 22 : undefined
// Fails instead of waiting for a device (preadv2(2)).
const RWF_NOWAIT = 8
// Starts writing, and waits for nothing (sync_file_range(2)).
const SYNC_FILE_RANGE_WRITE = 2
// The same on Linux, macOS and the BSDs.
const LOCK_EX = 2
const LOCK_NB = 4

let found: Promise<Libc> | undefined

/** The C library of this machine; without any calls if koffi is not installed. Bound once. Never rejects. */
export function libc(): Promise<Libc> {
  found ??= bind().catch(() => ({}))
  return found
}

async function bind(): Promise<Libc> {
  // On Windows the C library has another name and other calls.
  if (process.platform === 'win32') return {}
  // webpack and Turbopack cannot place a native part in a bundle: they leave this import to Node.
  const { default: koffi } = await import(/* webpackIgnore: true */ 'koffi')
  const library = koffi.load(null)
  // A library that lacks one call (musl, an old version, another system) still has the others.
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
  const readCached = has((): ReadCachedCall => {
    // The range below is of two words of 64 bits.
    if (koffi.sizeof('size_t') !== 8) throw new Error('this machine has shorter addresses')
    const preadv2 = library.func('int64_t preadv2(int, const void *, int, int64_t, int)')
    // One range of memory: its address and its length.
    const range = new BigUint64Array(2)
    return (fd, address, length, position) => {
      range[0] = address
      range[1] = BigInt(length)
      return Number(preadv2(fd, range, 1, position, RWF_NOWAIT))
    }
  })
  const beginWriteOut = has((): WriteOutCall => {
    const syncFileRange = library.func('int sync_file_range(int, int64_t, int64_t, unsigned int)')
    // In another thread: the call may block while the disk is busy.
    return (fd) =>
      new Promise((resolve) => {
        syncFileRange.async(fd, 0, 0, SYNC_FILE_RANGE_WRITE, (error: unknown, result: number) => {
          resolve(error === null && result === 0)
        })
      })
  })
  /** A call with one descriptor and these arguments. Over a network it may block. */
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
    /** Reads what a call writes. Given no room, the call returns the length. */
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
  // Electron's engine accepts only its own memory, and keeps it in a separate place.
  const ownMemoryOnly = process.versions.electron !== undefined
  return {
    ...(map && !ownMemoryOnly && { map }),
    ...(memory && !ownMemoryOnly && { memory }),
    ...(readCached && process.platform === 'linux' && !ownMemoryOnly && { readCached }),
    ...(beginWriteOut && process.platform === 'linux' && { beginWriteOut }),
    ...(lock && { lock }),
    ...(sync && process.platform === 'linux' && { sync }),
    ...(attributes && process.platform === 'linux' && { attributes }),
  }
}
