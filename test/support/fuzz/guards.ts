/**
 * What notices a fault that leaves no trace: a read outside of a buffer (FlatBuffers' runtime reads
 * zeros there, in silence), an allocation out of all proportion, a changed prototype. They change
 * the process that they run in, so they are for fuzzing alone.
 */

import { ByteBuffer } from 'flatbuffers'

/** An oracle has been violated. Nothing in the library throws one. */
export class Violation extends Error {
  override readonly name = 'Violation'
}

/** Throws a Violation where `condition` does not hold. */
export function demand(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Violation(`${what} is not what it has to be`)
}

/** Makes every read of FlatBuffers' runtime outside of its buffer throw a Violation. */
export function watchRuntime(): void {
  const prototype = ByteBuffer.prototype
  // All others are made of these.
  const reads = [
    ['readUint8', 1],
    ['readUint16', 2],
    ['readInt32', 4],
  ] as const
  for (const [name, size] of reads) {
    const read = prototype[name]
    prototype[name] = function (this: ByteBuffer, offset: number): number {
      check(this, offset, size, name)
      return read.call(this, offset)
    }
  }
  const string = prototype.__string
  prototype.__string = function (this: ByteBuffer, offset: number, encoding?: never) {
    const start = offset + this.readInt32(offset)
    const length = this.readInt32(start)
    check(this, start + 4, length, '__string')
    return string.call(this, offset, encoding)
  } as typeof string
}

function check(buffer: ByteBuffer, offset: number, size: number, name: string): void {
  if (!(Number.isInteger(offset) && offset >= 0 && size >= 0)) {
    throw new Violation(`${name} of ${size} bytes at ${offset}`)
  }
  if (offset + size > buffer.capacity()) {
    throw new Violation(`${name} at ${offset}, in a buffer of ${buffer.capacity()} bytes`)
  }
}

/** Most bytes that a single allocation may take at the moment. */
export const allocation = { limit: Number.POSITIVE_INFINITY }

/** Makes every allocation of bytes beyond `allocation.limit` throw a Violation. */
export function watchAllocations(): void {
  const watched = <T extends typeof Uint8Array | ArrayBufferConstructor>(type: T): T =>
    new Proxy(type, {
      construct(target, args: unknown[], newTarget) {
        const [length] = args
        if (typeof length === 'number' && length > allocation.limit) {
          throw new Violation(`an allocation of ${length} bytes`)
        }
        return Reflect.construct(target, args, newTarget)
      },
    })
  globalThis.Uint8Array = watched(Uint8Array)
  globalThis.ArrayBuffer = watched(ArrayBuffer)
}

const PROTOTYPES: readonly object[] = [
  Object.prototype,
  Array.prototype,
  Function.prototype,
  Map.prototype,
  Error.prototype,
]
const PROPERTIES = PROTOTYPES.map((prototype) => Reflect.ownKeys(prototype).length)

/** Throws a Violation where a prototype has been added to. */
export function checkPrototypes(): void {
  for (let i = 0; i < PROTOTYPES.length; i++) {
    if (Reflect.ownKeys(PROTOTYPES[i]!).length !== PROPERTIES[i]) {
      throw new Violation('a prototype was changed')
    }
  }
}
