/**
 * Assembles WebAssembly for the loops that need vectors: a module of one function over its own memory, in the binary
 * format (https://webassembly.github.io/spec/core/binary/).
 */

/** The type of an integer of 32 bits, which addresses are. */
export const I32 = 0x7f

/** The type of a vector of 16 bytes. */
export const V128 = 0x7b

/** A function, as instructions that work on a stack. */
export interface FunctionCode {
  /** Length of the memory, in bytes; rounded up to 64 KiB. */
  readonly memory: number
  /** Number of parameters, all I32: the first locals. */
  readonly parameters: number
  /** The other locals: how many of a type. */
  readonly locals: readonly (readonly [count: number, type: typeof I32 | typeof V128])[]
  readonly body: readonly number[]
}

/** A function that was compiled, and the memory that it works on, which is never resized. */
export interface Compiled {
  readonly memory: ArrayBuffer
  readonly run: (...parameters: number[]) => void
}

const PAGE = 64 * 1024

/** Compiles a function. Returns undefined where there is no WebAssembly with vectors, or a page's policy forbids it. */
export function compile({ memory: length, ...code }: FunctionCode): Compiled | undefined {
  try {
    const module = new WebAssembly.Module(moduleBytes(Math.ceil(length / PAGE), code))
    const { memory, run } = new WebAssembly.Instance(module).exports as unknown as {
      readonly memory: { readonly buffer: ArrayBuffer }
      readonly run: Compiled['run']
    }
    return { memory: memory.buffer, run }
  } catch {
    return undefined
  }
}

function moduleBytes(
  pages: number,
  { parameters, locals, body }: Omit<FunctionCode, 'memory'>,
): Uint8Array<ArrayBuffer> {
  const types = Array.from({ length: parameters }, () => I32)
  const groups = locals.flatMap(([count, type]) => [...leb(count), type])
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, 1, 0x60, ...counted(...types), 0),
    ...section(3, 1, 0),
    ...section(5, 1, 1, ...leb(pages), ...leb(pages)),
    ...section(7, 2, ...named('memory'), 2, 0, ...named('run'), 0, 0),
    ...section(10, 1, ...counted(locals.length, ...groups, ...body, 0x0b)),
  ])
}

/** A number that is not negative, as LEB128. */
function leb(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...leb(value >> 7)]
}

const counted = (...bytes: number[]): number[] => [...leb(bytes.length), ...bytes]
const section = (id: number, ...bytes: number[]): number[] => [id, ...counted(...bytes)]
const named = (name: string): number[] => counted(...Array.from(name, (c) => c.charCodeAt(0)))

/** Puts a local on the stack. */
export const get = (local: number): number[] => [0x20, local]

/** Takes the value of a local from the stack. */
export const set = (local: number): number[] => [0x21, local]

/** Takes the value of a local from the stack, and leaves it there. */
export const tee = (local: number): number[] => [0x22, local]

/** A constant from 0 to 2^27. The last byte's bit before the highest one is the sign. */
export const constant = (value: number): number[] => [
  0x41,
  ...(value < 64 ? [value] : [(value & 127) | 128, ...constant(value >> 7).slice(1)]),
]

/** Adds two I32. */
export const ADD_I32: readonly number[] = [0x6a]

/** Loads an I32 from the address on the stack plus `offset`, a multiple of 4 bytes. */
export const loadI32 = (offset: number): number[] => [0x28, 2, ...leb(offset)]

/** Stores the I32 on the stack at the address below it plus `offset`, a multiple of 4 bytes. */
export const storeI32 = (offset: number): number[] => [0x36, 2, ...leb(offset)]

/** An instruction on vectors. */
export const simd = (opcode: number): number[] => [0xfd, ...leb(opcode)]

/** Loads a vector from the address on the stack plus `offset` bytes. It need not be aligned. */
export const load = (offset: number): number[] => [...simd(0x00), 2, ...leb(offset)]

/** Stores the vector on the stack at the address below it plus `offset` bytes. It need not be aligned. */
export const store = (offset: number): number[] => [...simd(0x0b), 2, ...leb(offset)]

/** A vector of the same four bytes, the lowest first, four times. */
export const vector = (...bytes: readonly [number, number, number, number]): number[] => [
  ...simd(0x0c),
  ...[...bytes, ...bytes, ...bytes, ...bytes],
]

/** Repeats instructions, which advance the address in a local by `step` bytes, until it is `end`. */
export const repeat = (
  address: number,
  end: number,
  step: number,
  ...body: readonly number[]
): number[] => [
  ...[0x03, 0x40],
  ...body,
  ...[...get(address), ...constant(step), ...ADD_I32, ...tee(address)],
  ...[...get(end), 0x49, 0x0d, 0, 0x0b],
]
