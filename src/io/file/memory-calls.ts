/**
 * Memory by its address, so that a thread can read what belongs to another one; by koffi, an optional
 * dependency: absent without it.
 */

export interface MemoryCalls {
  /** Where bytes are. Good for as long as their owner neither lets go of them nor moves them. */
  addressOf(bytes: Uint8Array): bigint
  /** Copies `length` bytes, which must not overlap. Whatever is wrong with an address is fatal. */
  copy(target: bigint, source: bigint, length: number): void
}

let calls: Promise<MemoryCalls | undefined> | undefined

/** The calls on this machine, or undefined where there are none. Looked up once. */
export async function memoryCalls(): Promise<MemoryCalls | undefined> {
  calls ??= findCalls().catch(() => undefined)
  return calls
}

async function findCalls(): Promise<MemoryCalls | undefined> {
  // Electron's engine keeps memory in a place of its own, and on Windows the C library has another name.
  if (process.platform === 'win32' || process.versions.electron !== undefined) return undefined
  const { default: koffi } = await import('koffi')
  const memcpy = koffi.load(null).func('void *memcpy(void *, const void *, size_t)')
  return {
    addressOf: (bytes) => koffi.address(bytes),
    copy(target, source, length) {
      memcpy(target, source, length)
    },
  }
}
