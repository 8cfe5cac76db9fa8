import { setTimeout } from 'node:timers/promises'
import test from 'ava'
import type { MapCalls } from '../../../src/io/file/libc.js'
import { Mapping } from '../../../src/io/file/mapping.js'
import { times } from '../../support/effort.js'
import fc from '../../support/fast-check.js'
import { collectGarbage } from '../../support/trainer/garbage-collection.js'

const KIB = 1024
const MIB = 1024 * KIB
const GIB = 1024 * MIB

const ADDRESS = 0x7f00_0000_0000n

/** Calls that map nothing: what has been asked of them, with positions in the file for addresses. */
class PretendedCalls implements MapCalls {
  readonly views: { readonly position: number; readonly length: number }[] = []
  readonly broughtIn: { readonly position: number; readonly length: number }[] = []
  readonly unmapped: { readonly address: bigint; readonly length: number }[] = []
  knowsHow = true
  readonly #positions = new WeakMap<ArrayBufferLike, number>()

  map(): bigint {
    return ADDRESS
  }

  unmap(address: bigint, length: number): void {
    this.unmapped.push({ address, length })
  }

  view(address: bigint, length: number): ArrayBuffer {
    const position = Number(address - ADDRESS)
    const buffer = new ArrayBuffer(length)
    this.views.push({ position, length })
    this.#positions.set(buffer, position)
    return buffer
  }

  bringIn(address: bigint, length: number): boolean {
    this.broughtIn.push({ position: Number(address - ADDRESS), length })
    return this.knowsHow
  }

  /** Where in the file bytes are. */
  positionOf({ buffer, byteOffset }: Uint8Array): number {
    return this.#positions.get(buffer)! + byteOffset
  }
}

function mapped(length: number) {
  const calls = new PretendedCalls()
  return { calls, mapping: new Mapping(calls, ADDRESS, length) }
}

test('a view is of the bytes that were asked for, and of no other', (t) => {
  const { calls, mapping } = mapped(1_000)
  for (const [position, length] of [
    [0, 1_000],
    [0, 0],
    [1_000, 0],
    [999, 1],
    [123, 456],
  ] as const) {
    t.is(mapping.view(position, length).byteLength, length)
    t.deepEqual(calls.views.pop(), { position, length })
  }
})

test('nothing beyond the map is viewed or looked at, whatever was asked for', (t) => {
  const { calls, mapping } = mapped(1_000)
  for (const [position, length] of [
    [0, 1_001],
    [1_000, 1],
    [1_001, 0],
    [1_001, -1],
    [-1, 1],
    [-1, 0],
    [1, -1],
    [Number.NaN, 1],
    [0, Number.NaN],
    [2 ** 53, 1],
  ] as const) {
    t.throws(() => mapping.view(position, length), { instanceOf: RangeError })
    t.throws(() => mapping.look(position, length), { instanceOf: RangeError })
  }
  t.deepEqual(calls.views, [])
})

test('a look is at the bytes that were asked for, wherever the last one was', (t) => {
  const size = 2 * GIB + 300 * MIB + 5
  fc.assert(
    fc.property(
      fc.array(
        fc.record({
          from: fc.oneof(
            fc.nat(size),
            fc.constantFrom(0, GIB - 1, GIB, 2 * GIB - 3, GIB + 64 * MIB, size - 1, size),
          ),
          length: fc.oneof(
            fc.nat(5 * MIB),
            fc.constantFrom(0, 64 * MIB - 1, 64 * MIB, 64 * MIB + 1),
          ),
        }),
        { minLength: 1, maxLength: 12 },
      ),
      (looks) => {
        const { calls, mapping } = mapped(size)
        for (const { from, length } of looks) {
          const position = Math.min(from, size - length)
          const bytes = mapping.look(position, length)
          if (bytes.byteLength !== length) return false
          if (length > 0 && calls.positionOf(bytes) !== position) return false
        }
        return calls.views.every(({ position, length }) => position + length <= size)
      },
    ),
    { numRuns: times(40) },
  )
  t.pass()
})

test('a file is looked at from one end to the other in few views', (t) => {
  const size = 3 * GIB + 7
  const { calls, mapping } = mapped(size)
  for (let at = 0; at < size; at += 60 * MIB) mapping.look(at, Math.min(60 * MIB, size - at))
  t.deepEqual(calls.views, [
    { position: 0, length: GIB + 64 * MIB },
    { position: GIB, length: GIB + 64 * MIB },
    { position: 2 * GIB, length: GIB + 7 },
  ])
  // What begins in a view, and is as long as any look may be that is served by one.
  mapping.look(0, 1)
  mapping.look(GIB - 1, 64 * MIB)
  mapping.look(0, 0)
  t.is(calls.views.length, 4)
  mapping.look(0, 64 * MIB + 1)
  t.deepEqual(calls.views.at(-1), { position: 0, length: 64 * MIB + 1 })
})

test('loaded bytes begin at the start of a page, and end with the requested ones', (t) => {
  const { calls, mapping } = mapped(GIB)
  t.true(mapping.bringIn(0, 1))
  t.true(mapping.bringIn(5 * 64 * KIB + 100, 1_000))
  t.true(mapping.bringIn(64 * KIB - 1, 2))
  t.true(mapping.bringIn(64 * KIB, 4 * MIB))
  t.deepEqual(calls.broughtIn, [
    { position: 0, length: 1 },
    { position: 5 * 64 * KIB, length: 1_100 },
    { position: 0, length: 64 * KIB + 1 },
    { position: 64 * KIB, length: 4 * MIB },
  ])
  calls.knowsHow = false
  t.false(mapping.bringIn(0, 1))
})

test('a map goes when it is closed, once', (t) => {
  const { calls, mapping } = mapped(1_000)
  t.deepEqual(calls.unmapped, [])
  mapping.close()
  mapping.close()
  t.deepEqual(calls.unmapped, [{ address: ADDRESS, length: 1_000 }])
  const closed = { code: 'CKPT_CLOSED' }
  t.throws(() => mapping.checkOpen(), closed)
  t.throws(() => mapping.view(0, 1), closed)
  t.throws(() => mapping.look(0, 1), closed)
  t.throws(() => mapping.bringIn(0, 1), closed)
  t.deepEqual(calls.broughtIn, [])
})

test('a map that is needed stays when it is closed, until it is needed no more', (t) => {
  const { calls, mapping } = mapped(1_000)
  const buffers = [mapping.handOut(0, 10), mapping.handOut(10, 10), mapping.handOut(20, 10)]
  // One that has gone before.
  mapping.release()
  t.is(calls.unmapped.length, 0)
  mapping.close()
  mapping.release()
  t.is(calls.unmapped.length, 0)
  mapping.release()
  t.is(calls.unmapped.length, 1)
  t.is(buffers.length, 3)
})

test('a map that is needed no more stays open until it is closed', (t) => {
  const { calls, mapping } = mapped(1_000)
  mapping.handOut(0, 10)
  mapping.release()
  t.is(calls.unmapped.length, 0)
  mapping.close()
  t.is(calls.unmapped.length, 1)
})

/** Whether the map has been unmapped, once all that can be collected has been. */
async function isUnmapped({ unmapped }: PretendedCalls): Promise<boolean> {
  for (let tries = 0; tries < 30 && unmapped.length === 0; tries++) {
    await collectGarbage()
    await setTimeout(10)
  }
  return unmapped.length > 0
}

test('a view that has been collected needs the map no more', async (t) => {
  const { calls, mapping } = mapped(1_000)
  ;(() => mapping.handOut(0, 10))()
  mapping.close()
  t.true(await isUnmapped(calls))
})

test('a view keeps the map by its buffer alone', async (t) => {
  const { calls, mapping } = mapped(1_000)
  const buffer = (() => mapping.handOut(0, 10).buffer)()
  mapping.close()
  t.false(await isUnmapped(calls))
  t.is(buffer.byteLength, 10)
})

test('the memory of a view is not transferred by its methods', (t) => {
  const { mapping } = mapped(1_000)
  const { buffer } = mapping.handOut(0, 10)
  const methods = ['transfer', 'transferToFixedLength'].filter((name) => name in buffer)
  for (const name of methods) {
    t.throws(() => (buffer as unknown as Record<string, () => void>)[name]!(), {
      instanceOf: TypeError,
      message: /cannot be transferred: transfer a copy/,
    })
  }
  t.is(buffer.byteLength, 10)
})

test('a buffer whose memory was transferred keeps the map for good, whether before the close or after', async (t) => {
  for (const afterClose of [false, true]) {
    const { calls, mapping } = mapped(1_000)
    ;(() => {
      const { buffer } = mapping.handOut(0, 10)
      if (afterClose) mapping.close()
      structuredClone(buffer, { transfer: [buffer as ArrayBuffer] })
      mapping.close()
    })()
    t.false(await isUnmapped(calls))
  }
})
