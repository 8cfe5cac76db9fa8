/**
 * The real file system with somebody in between: every call is counted, may be refused, and every
 * descriptor that is open is known.
 */

import type { Descriptor, FileSystem } from '../../../src/io/file/file-system.js'
import { nodeFileSystem } from '../../../src/io/file/node-file-system.js'

export type Operation = keyof FileSystem

export interface Call {
  readonly operation: Operation
  /** Its place among all calls, from 0. */
  readonly index: number
  /** What it is about: the path, or that which the descriptor was opened by. */
  readonly path: string
  readonly arguments: readonly unknown[]
}

export interface ObservedFileSystem extends FileSystem {
  /** Every call so far, those that failed among them. */
  readonly calls: readonly Call[]
  /** Descriptors that were opened and not closed. */
  readonly open: ReadonlyMap<Descriptor, string>
}

/** An error as Node throws it. */
export function systemError(code: string, operation = 'call'): NodeJS.ErrnoException {
  const message = `${code}: made up by a test, ${operation} '/some/path'`
  return Object.assign(new Error(message), { code, syscall: operation })
}

/**
 * `before` is called with each call and refuses it by throwing. `writes` says how many of the bytes
 * that a write was asked for it takes; the default is all.
 */
export function observedFileSystem({
  before = () => {},
  writes = (asked) => asked,
}: {
  readonly before?: (call: Call) => void
  readonly writes?: (asked: number) => number
} = {}): ObservedFileSystem {
  const calls: Call[] = []
  const open = new Map<Descriptor, string>()
  const observe = async (operation: Operation, args: readonly unknown[]): Promise<unknown> => {
    const [about] = args as [string | Descriptor]
    const path = typeof about === 'string' ? about : (open.get(about) ?? '')
    const call = { operation, index: calls.length, path, arguments: args }
    calls.push(call)
    // A descriptor is gone after a close, also after one that fails.
    if (operation === 'close') open.delete(args[0] as Descriptor)
    try {
      before(call)
    } catch (error) {
      if (operation === 'close') await nodeFileSystem.close(args[0] as Descriptor)
      throw error
    }
    if (operation === 'write') {
      const [fd, bytes, position] = args as [Descriptor, Uint8Array, number]
      const taken = writes(bytes.byteLength)
      return taken === 0 ? 0 : nodeFileSystem.write(fd, bytes.subarray(0, taken), position)
    }
    const run = nodeFileSystem[operation] as (...args: readonly unknown[]) => Promise<unknown>
    const result = await run(...args)
    if (['create', 'openFolder', 'openForLock'].includes(operation))
      open.set(result as Descriptor, path)
    return result
  }
  const operations = Object.keys(nodeFileSystem) as Operation[]
  const observed = Object.fromEntries(
    operations.map((operation) => [
      operation,
      (...args: readonly unknown[]) => observe(operation, args),
    ]),
  ) as unknown as FileSystem
  return { ...observed, calls, open }
}
