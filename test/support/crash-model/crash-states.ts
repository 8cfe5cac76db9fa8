/**
 * What a power cut at one moment may leave on the disk: every subset of the operations on names that
 * were not durable yet, and for each file every mix of what its blocks, its length and its attributes
 * may be. A data state is made only for a file that a reader gets to: what two images do not differ in
 * for any reader counts once.
 *
 * Up to a bound all of them are made; above it, the extreme ones and a sample, the same in each run.
 */

import { createHash } from 'node:crypto'
import { Random } from '../random.js'
import { SEED } from '../seed.js'
import {
  type Attributes,
  type FileNode,
  type Inode,
  join,
  type ModelDisk,
  type NameChange,
  type Node,
  set,
  type Tree,
} from './model-disk.js'

/**
 * How a rename reaches the disk: the new name and the loss of the old one together; one by one, in any
 * order and subset; or, as no file system does that calls itself POSIX, with the loss of what had the
 * new name as a third step.
 */
export type RenameSteps = 1 | 2 | 3

export interface Limits {
  /** Most subsets of operations on names, for one moment, that are all made. */
  readonly images: number
  /** Most states of one file's data, for one image, that are all made. */
  readonly contents: number
}

export const LIMITS: Limits = { images: 1024, contents: 4096 }

// How many there are above a bound, beside the extreme ones.
const SAMPLES = 1024

/** The names after a crash, and what the files may hold that they lead to. */
export class CrashImage implements Tree {
  readonly #disk: ModelDisk
  readonly #changes: readonly NameChange[]
  readonly #folders = new Map<Inode, ReadonlyMap<string, Inode>>()

  constructor(disk: ModelDisk, changes: readonly NameChange[]) {
    this.#disk = disk
    this.#changes = changes
  }

  node(inode: Inode): Node {
    return this.#disk.node(inode)
  }

  entries(inode: Inode): ReadonlyMap<string, Inode> {
    let names = this.#folders.get(inode)
    if (names === undefined) {
      const made = new Map(this.#disk.folder(inode).durable)
      for (const change of this.#changes) {
        if (change.folder === inode) set(made, change.name, change.inode)
      }
      names = made
      this.#folders.set(inode, names)
    }
    return names
  }

  /** Every content that a file may have. */
  *contents(inode: Inode, limits: Limits = LIMITS): Generator<Uint8Array> {
    const file = this.#disk.file(inode)
    for (const choice of choose(rangesOf(file, this.#disk.blockSize), limits.contents)) {
      yield contentOf(file, this.#disk.blockSize, choice)
    }
  }

  /** The same for two files, of one disk or of two, that may have the same contents. */
  fingerprint(inode: Inode): string {
    const { blockSize } = this.#disk
    const file = this.#disk.file(inode)
    const hash = createHash('sha256')
    hash.update(`${blockSize} ${lengthsOf(file, blockSize)}`)
    for (const [block, contents] of file.durable.blocks) hash.update(`${block}:`).update(contents)
    for (const block of unsettledBlocks(file)) {
      const versions = versionsOf(file, block, blockSize)
      hash.update(`${block}=${versions.length}:`)
      for (const version of versions) hash.update(version)
    }
    return hash.digest('base64')
  }

  /** The disk after the next start, with the oldest or the newest contents that files may have. */
  restarted(newest: boolean): ModelDisk {
    const disk = this.#disk
    return disk.restarted(this, (inode) => {
      const file = disk.file(inode)
      const choice = rangesOf(file, disk.blockSize).map((range) => (newest ? range - 1 : 0))
      return contentOf(file, disk.blockSize, choice)
    })
  }

  /** Every mode and owner that an inode may have. */
  attributes(inode: Inode): Attributes[] {
    const node = this.node(inode)
    if (node.type !== 'file') return [node.attributes]
    return [node.durable.attributes, ...node.attributesSince]
  }

  /** The changes of names that had reached the disk beside those that were durable. */
  toString(): string {
    const changes = this.#changes.map(
      ({ name, inode }) => `${name} ${inode === undefined ? 'removed' : `is inode ${inode}`}`,
    )
    return changes.length === 0 ? 'nothing that was pending' : changes.join(', ')
  }
}

/** What the names may be after a power cut now. */
export function* crashImages(
  disk: ModelDisk,
  renames: RenameSteps = 1,
  limits: Limits = LIMITS,
): Generator<CrashImage> {
  const units = disk.pending.flatMap((changes) => stepsOf(changes, renames))
  const ranges = units.map(() => 2)
  for (const choice of choose(ranges, limits.images)) {
    const changes = units.filter((_, i) => choice[i] === 1).flat()
    yield new CrashImage(disk, changes)
  }
}

/** Whether there are so many images, or contents of this file, that not all of them are made. */
export function isSampled(disk: ModelDisk, renames: RenameSteps, limits: Limits = LIMITS): boolean {
  const units = disk.pending.flatMap((changes) => stepsOf(changes, renames))
  return 2 ** units.length > limits.images
}

export function isFileSampled(
  image: CrashImage,
  inode: Inode,
  blockSize: number,
  limits: Limits = LIMITS,
): boolean {
  const node = image.node(inode)
  if (node.type !== 'file') return false
  return product(rangesOf(node, blockSize)) > limits.contents
}

function stepsOf(
  changes: readonly NameChange[],
  renames: RenameSteps,
): readonly (readonly NameChange[])[] {
  if (renames === 1) return [changes]
  const [first] = changes
  const steps = changes.map((change) => [change])
  if (renames === 2 || changes.length === 1 || first === undefined) return steps
  return [[{ ...first, inode: undefined }], ...steps]
}

/** How many lengths a file may have, and then how many contents each block of its own. */
function rangesOf(file: FileNode, blockSize: number): number[] {
  return [
    lengthsOf(file, blockSize).length,
    ...unsettledBlocks(file).map((block) => versionsOf(file, block, blockSize).length),
  ]
}

function contentOf(file: FileNode, blockSize: number, choice: readonly number[]): Uint8Array {
  const blocks = new Map(file.durable.blocks)
  for (const [i, block] of unsettledBlocks(file).entries()) {
    blocks.set(block, versionsOf(file, block, blockSize)[choice[i + 1]!]!)
  }
  return join(blocks, lengthsOf(file, blockSize)[choice[0]!]!, blockSize)
}

/**
 * The durable length first, the current one last; between them those that it had, and every border of
 * a block, as lengths grow while blocks are written.
 */
function lengthsOf(file: FileNode, blockSize: number): number[] {
  const { durable, lengths } = file
  if (lengths.length === 0) return [durable.length]
  const all = [durable.length, ...lengths]
  const [least, most] = [Math.min(...all), Math.max(...all)]
  for (let border = blockSize; border < most; border += blockSize) {
    if (border > least) all.unshift(border)
  }
  const between = new Set(all)
  between.delete(durable.length)
  between.delete(file.length)
  return [...new Set([durable.length, ...between, file.length])]
}

function unsettledBlocks(file: FileNode): number[] {
  return [...new Set([...file.dropped.keys(), ...file.dirty.keys()])].sort((a, b) => a - b)
}

/** Zeros, garbage and whatever it held, the durable content first and the newest last. */
function versionsOf(file: FileNode, block: number, blockSize: number): Uint8Array[] {
  const zeros = new Uint8Array(blockSize)
  const versions = [
    file.durable.blocks.get(block) ?? zeros,
    zeros,
    garbage(blockSize),
    ...(file.dropped.get(block) ?? []),
    ...(file.dirty.get(block) ?? []),
  ]
  // The last of equal ones is kept, except that the first stays the first.
  return versions.filter((version, i) => !versions.slice(0, i).some((v) => equal(v, version)))
}

/** What was in the block when it was another file's. */
function garbage(blockSize: number): Uint8Array {
  return Uint8Array.from({ length: blockSize }, (_, i) => (i * 151 + 89) % 256)
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0
}

/**
 * Vectors with a number below each range: all of them where that are at most `bound`; else those that
 * are all 0 or all the highest, except in one place, and a sample.
 */
export function* choose(ranges: readonly number[], bound: number): Generator<readonly number[]> {
  if (product(ranges) <= bound) {
    yield* all(ranges)
    return
  }
  const lowest = ranges.map(() => 0)
  const highest = ranges.map((range) => range - 1)
  for (const base of [lowest, highest]) {
    yield base
    for (const [i, range] of ranges.entries()) {
      for (let value = 0; value < range; value++) {
        if (value !== base[i]) yield base.with(i, value)
      }
    }
  }
  const random = new Random(SEED, 0)
  for (let i = 0; i < SAMPLES; i++) yield ranges.map((range) => random.below(range))
}

function* all(ranges: readonly number[]): Generator<readonly number[]> {
  const choice = ranges.map(() => 0)
  for (;;) {
    yield [...choice]
    let place = 0
    while (place < ranges.length && choice[place] === ranges[place]! - 1) choice[place++] = 0
    if (place === ranges.length) return
    choice[place]!++
  }
}

function product(ranges: readonly number[]): number {
  return ranges.reduce((count, range) => count * range, 1)
}
