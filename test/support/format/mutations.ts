/**
 * Damaged buffers without end, the same ones for the same seed: bytes and bits at random, and numbers
 * that have been trouble before at the places where a FlatBuffer keeps its offsets.
 */

/** Numbers from 0 to 1 (exclusive), the same ones for the same seed. (mulberry32) */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let z = state
    z = Math.imul(z ^ (z >>> 15), z | 1)
    z ^= z + Math.imul(z ^ (z >>> 7), z | 61)
    return ((z ^ (z >>> 14)) >>> 0) / 2 ** 32
  }
}

/** A mutated copy of one of `sources`, drawn with `random`. */
export function mutated(sources: readonly Uint8Array[], random: () => number): Uint8Array {
  const below = (n: number): number => Math.floor(random() * n)
  const source = sources[below(sources.length)]!
  const bytes = source.slice()
  const view = new DataView(bytes.buffer)
  const { length } = bytes
  for (let rounds = 1 + below(4); rounds > 0; rounds--) {
    const word = 4 * below(Math.floor(length / 4))
    const half = 2 * below(Math.floor(length / 2))
    switch (below(8)) {
      case 0:
        bytes[below(length)] = below(256)
        break
      case 1:
        bytes[below(length)]! ^= 1 << below(8)
        break
      case 2:
        view.setUint16(half, below(64), true)
        break
      case 3:
        view.setUint16(half, [0x7fff, 0x8000, 0xfffe, 0xffff, length & 0xffff][below(5)]!, true)
        break
      case 4:
        view.setUint32(word, below(length), true)
        break
      case 5: {
        const limits = [0, 1, 0x7fffffff, 0x80000000, 0xffffffff, 0xfffffffc, length, length - word]
        view.setUint32(word, limits[below(limits.length)]!, true)
        break
      }
      case 6:
        view.setUint32(word, view.getUint32(word, true) + 4 * (below(9) - 4), true)
        break
      case 7:
        bytes.copyWithin(word, 4 * below(Math.floor(length / 4)), length)
        break
    }
  }
  return below(50) === 0 ? bytes.slice(0, below(length + 1)) : bytes
}
