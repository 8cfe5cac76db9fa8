/**
 * CRC-32 in WebAssembly, more than ten times as fast as with tables, for platforms without an implementation of their
 * own.
 *
 * A message is a polynomial over GF(2), and its CRC-32 the remainder of a division by P. Let y be x^128: a step of one
 * vector, 16 bytes. P divides y^300 + y^155 + y^117 + y^89 + 1. So the remainder stays the same if a vector is removed
 * and added, by xor, to the vectors 145, 183, 211 and 300 places after it. Moving all vectors but the last 300 leaves
 * 4800 bytes for the tables. (The method: Russell, "Chorba", 2024, arXiv:2412.16398.)
 */

import { compile, get, load, repeat, simd, store } from './webassembly.js'

/** CRC-32 of `bytes`. With the CRC of the preceding bytes as `seed`: the CRC-32 of both together. */
export type Crc32 = (bytes: Uint8Array, seed?: number) => number

const VECTOR = 16

// How far a vector moves, in vectors. The last is the furthest.
const MOVES = [145, 183, 211, 300] as const
const FURTHEST = MOVES[3]

// Bytes in the memory before a chunk: the vectors that may still move into it.
const PAST = FURTHEST * VECTOR

// Vectors of one turn of the loop, and bytes that are copied into the memory at once.
const UNROLLED = 4
const CHUNK = 64 * 1024

// Shorter messages, in bytes, are left to the tables.
const SHORTEST = 4 * PAST

const XOR = simd(0x51)

// Parameters: addresses, PAST bytes before the first vector and before the end.
const [AT, END] = [0, 1] as const

/** Adds to a vector those that move to its place. */
function moved(i: number): number[] {
  const at = i * VECTOR
  return [
    ...[...get(AT), ...get(AT), ...load(PAST + at)],
    ...MOVES.flatMap((move) => [...get(AT), ...load(PAST + at - move * VECTOR), ...XOR]),
    ...store(PAST + at),
  ]
}

/** A CRC-32 that leaves the end of a message to `tables`, and all of it where there is no WebAssembly. */
export function kernelCrc32(tables: Crc32): Crc32 {
  let kernel: Crc32 | undefined
  return (bytes, seed = 0) => {
    if (bytes.length < SHORTEST) return tables(bytes, seed)
    kernel ??= makeKernel(tables) ?? tables
    return kernel(bytes, seed)
  }
}

function makeKernel(tables: Crc32): Crc32 | undefined {
  const turn = UNROLLED * VECTOR
  const compiled = compile({
    memory: PAST + CHUNK,
    parameters: 2,
    locals: [],
    body: repeat(AT, END, turn, ...Array.from({ length: UNROLLED }, (_, i) => moved(i)).flat()),
  })
  if (compiled === undefined) return undefined
  const { run, memory } = compiled
  const past = new Uint8Array(memory, 0, PAST)
  const pastWords = new Uint32Array(memory, 0, PAST / 4)
  const coming = new Uint8Array(memory, PAST, CHUNK)
  const first = new Uint32Array(memory, PAST, 1)
  return (bytes, seed = 0) => {
    const body = Math.floor((bytes.length - PAST) / turn) * turn
    past.fill(0)
    for (let at = 0; at < body; at += CHUNK) {
      const length = Math.min(CHUNK, body - at)
      coming.set(bytes.subarray(at, at + length))
      if (at === 0) first[0]! ^= ~seed
      run(0, length)
      past.set(new Uint8Array(memory, length, PAST))
    }
    // The rest stays where it is, and gets what moves there.
    const rest = new Uint8Array(bytes.subarray(body))
    const words = new Uint32Array(rest.buffer, 0, PAST / 4)
    for (const move of MOVES) {
      const length = move * (VECTOR / 4)
      const from = pastWords.length - length
      for (let i = 0; i < length; i++) words[i]! ^= pastWords[from + i]!
    }
    // The remainder so far is 0, which is that of this seed.
    return tables(rest, 0xffffffff)
  }
}
