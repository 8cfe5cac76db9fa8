import test from 'ava'
import { ByteBuffer } from 'flatbuffers'
import { hashOf, NameIndex } from '../../src/format/name-index.js'
import fc from '../support/fast-check.js'
import { CURIOUS_NAMES } from '../support/format/contents.js'

/** An index of names that stand one behind the other, as FlatBuffers has strings. */
function indexFor(names: readonly (string | Uint8Array)[]): NameIndex {
  const encoder = new TextEncoder()
  const texts = names.map((name) => (typeof name === 'string' ? encoder.encode(name) : name))
  const positions: number[] = []
  let end = 0
  for (const { length } of texts) {
    positions.push(end)
    end += 4 + length
  }
  const bytes = new Uint8Array(end)
  const view = new DataView(bytes.buffer)
  for (const [i, text] of texts.entries()) {
    view.setUint32(positions[i]!, text.length, true)
    bytes.set(text, positions[i]! + 4)
  }
  return new NameIndex(new ByteBuffer(bytes), names.length, (i) => positions[i]!)
}

test('finds every name that was added, by the number of its turn, and no other one', (t) => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.string({ unit: 'grapheme', maxLength: 20 })),
      fc.string(),
      (names, other) => {
        const index = indexFor(names)
        for (const _ of names) if (!index.addNext()) return false
        const found = names.every((name, i) => index.indexOf(name) === i)
        return found && index.indexOf(other) === names.indexOf(other)
      },
    ),
  )
  t.pass()
})

test('a name that is there already is told, and the first one keeps its number', (t) => {
  const index = indexFor(['a', 'b', 'a', 'c'])
  t.deepEqual(
    [1, 2, 3, 4].map(() => index.addNext()),
    [true, true, false, true],
  )
  t.is(index.indexOf('a'), 0)
  t.is(index.indexOf('c'), 3)
})

test('a name that was not added yet is not found', (t) => {
  const index = indexFor(['a', 'b'])
  t.is(index.indexOf('a'), -1)
  index.addNext()
  t.is(index.indexOf('a'), 0)
  t.is(index.indexOf('b'), -1)
})

test('names that have confused readers of other formats are names like any other', (t) => {
  const index = indexFor(CURIOUS_NAMES)
  for (const name of CURIOUS_NAMES) t.true(index.addNext(), name)
  for (const [i, name] of CURIOUS_NAMES.entries()) t.is(index.indexOf(name), i, name)
})

test('half of a surrogate pair is not the replacement character that an encoder makes of it', (t) => {
  const index = indexFor(['\ufffd'])
  index.addNext()
  t.is(index.indexOf('\ufffd'), 0)
  t.is(index.indexOf('\ud800'), -1)
})

test('the hash is MurmurHash3 with 32 bits, wherever in memory the bytes are', (t) => {
  // Published vectors.
  for (const [text, seed, hash] of [
    ['', 0, 0],
    ['', 1, 0x514e28b7],
    ['', 0xffffffff, 0x81f16f39],
    ['a', 0x9747b28c, 0x7fa09ea6],
    ['ab', 0x9747b28c, 0x74875592],
    ['abc', 0x9747b28c, 0xc84a62dd],
    ['abcd', 0x9747b28c, 0xf0478627],
    ['test', 0x9747b28c, 0x704b81dc],
    ['Hello, world!', 0x9747b28c, 0x24884cba],
    ['The quick brown fox jumps over the lazy dog', 0x9747b28c, 0x2fa826cd],
  ] as const) {
    const bytes = new TextEncoder().encode(text)
    for (const before of [0, 1, 6]) {
      const memory = new Uint8Array(before + bytes.length + 7).fill(0xff)
      memory.set(bytes, before)
      t.is(hashOf(memory, before, bytes.length, seed), hash, text)
    }
  }
})

test('of the names of a large module, a string is made of none', (t) => {
  const names = Array.from({ length: 20_000 }, (_, i) => `layers.${i % 100}.heads.${i}.weight`)
  const index = indexFor(names)
  const { decode } = TextDecoder.prototype
  let made = 0
  TextDecoder.prototype.decode = function (...bytes) {
    made++
    return decode.apply(this, bytes)
  }
  t.teardown(() => {
    TextDecoder.prototype.decode = decode
  })
  for (const name of names) if (!index.addNext()) t.fail(name)
  for (const [i, name] of names.entries()) if (index.indexOf(name) !== i) t.fail(name)
  t.is(made, 0)
})

// MurmurHash3 takes four bytes a step. Two steps whose mixed words differ by these bits come to the same,
// whatever the seed is: the first difference is turned into the sign, and the second takes it back.
const FIRST = 0x00040000
const SECOND = 0x80000000

const inverse = (factor: number): number => {
  let x = factor
  for (let i = 0; i < 5; i++) x = Math.imul(x, 2 - Math.imul(factor, x))
  return x
}
const mix = (word: number): number => {
  const mixed = Math.imul(word, 0xcc9e2d51)
  return Math.imul((mixed << 15) | (mixed >>> 17), 0x1b873593)
}
const unmix = (mixed: number): number => {
  const turned = Math.imul(mixed, inverse(0x1b873593))
  return Math.imul((turned >>> 15) | (turned << 17), inverse(0xcc9e2d51))
}
const isAscii = (word: number): boolean => (word & 0x80808080) === 0

/** A word of ASCII, and the other one of its pair. */
function pairOf(difference: number, from: number): [number, number] {
  for (let number = from; ; number = Math.imul(number, 1664525) + 1013904223) {
    const word = number & 0x7f7f7f7f
    const other = unmix(mix(word) ^ difference)
    if (isAscii(word) && isAscii(other)) return [word, other]
  }
}

test('tens of thousands of names that were made to have one hash take no longer than others', (t) => {
  const STEPS = 16
  const pairs = Array.from({ length: STEPS }, (_, i) => [
    pairOf(FIRST, 0x21212121 + i),
    pairOf(SECOND, 0x41414141 + i),
  ])
  const names = Array.from({ length: 2 ** STEPS }, (_, choice) => {
    const words = pairs.flatMap(([first, second], i) => {
      const which = (choice >> i) & 1
      return [first![which]!, second![which]!]
    })
    return new Uint8Array(Int32Array.from(words).buffer)
  })
  const index = indexFor([...names, names[7]!])
  // One by one each would be compared with all before it: two thousand million comparisons.
  for (let i = 0; i < names.length; i++) if (!index.addNext()) t.fail(`${i}`)
  t.false(index.addNext())
  const text = (name: Uint8Array): string => new TextDecoder().decode(name)
  t.is(index.indexOf(text(names[0]!)), 0)
  t.is(index.indexOf(text(names[40_000]!)), 40_000)
  t.is(index.indexOf('weight'), -1)
})
