/**
 * A disk with a cache in front of it, as a machine of states: what is durable, and what has happened
 * since and would be lost, or half lost, in a power cut. It knows inodes and not paths; what changes
 * it is an effect, a plain value, so that a run can be recorded and played again.
 *
 * What is assumed of it is the least that POSIX promises, and less than any file system in use does:
 *
 *   - A sync of a file makes its data, length, mode and owner durable, and not its name.
 *   - A sync of a folder makes the names in it durable, and nothing of the files that they name.
 *   - What was not synced may have reached the disk or not, each block, each length and each change of
 *     a name on its own and in any order, whenever it was made.
 *   - A block that was on its way is old, new, zeros or garbage.
 *   - A sync that fails drops what it was to write: readers still see it, no later sync writes it
 *     (Linux; see "fsyncgate"). Length and names stay to be written, by the next sync.
 *
 * One thing is taken for granted beyond that: a name is replaced in one step. Inodes are never used
 * again for something else, and a link's target is durable with its name.
 */

export type Inode = number

export const ROOT: Inode = 0

export interface Attributes {
  /** Permission bits. */
  readonly mode: number
  readonly uid: number
  readonly gid: number
}

/** From now on the name is that inode's, or nobody's. */
export interface NameChange {
  readonly folder: Inode
  readonly name: string
  readonly inode: Inode | undefined
}

export type Effect =
  | {
      readonly kind: 'inode'
      readonly inode: Inode
      readonly type: 'file' | 'folder' | 'link'
      readonly attributes: Attributes
      /** Of a link. */
      readonly target?: string
    }
  | {
      readonly kind: 'data'
      readonly inode: Inode
      readonly position: number
      readonly bytes: Uint8Array
    }
  | { readonly kind: 'length'; readonly inode: Inode; readonly length: number }
  | { readonly kind: 'attributes'; readonly inode: Inode; readonly attributes: Attributes }
  /** One operation on names, all in one folder: a rename changes two, everything else one. */
  | { readonly kind: 'names'; readonly changes: readonly NameChange[] }
  | { readonly kind: 'sync'; readonly inode: Inode }
  | { readonly kind: 'failed-sync'; readonly inode: Inode }

/** The names in every folder, before or after a crash; what a path is looked up in. */
export interface Tree {
  entries(folder: Inode): ReadonlyMap<string, Inode>
  node(inode: Inode): Node
}

export type Node = FileNode | FolderNode | LinkNode

export interface LinkNode {
  readonly type: 'link'
  readonly target: string
  readonly attributes: Attributes
}

export interface FolderNode {
  readonly type: 'folder'
  readonly attributes: Attributes
  readonly durable: Map<string, Inode>
  readonly current: Map<string, Inode>
}

/** A block's contents by its number; one that is missing is a hole and reads as zeros. */
type Blocks = Map<number, Uint8Array>

export interface FileNode {
  readonly type: 'file'
  attributes: Attributes
  length: number
  readonly blocks: Blocks
  readonly durable: { attributes: Attributes; length: number; blocks: Blocks }
  /** What was written since the last sync, by block, the oldest first. */
  readonly dirty: Map<number, Uint8Array[]>
  /** The same, of blocks that a failed sync has dropped. */
  readonly dropped: Map<number, Uint8Array[]>
  /** Lengths and attributes that it had since the last sync, the oldest first. */
  readonly lengths: number[]
  readonly attributesSince: Attributes[]
}

export class ModelDisk implements Tree {
  readonly blockSize: number
  readonly #nodes = new Map<Inode, Node>()
  /** Operations on names that are not durable yet, the oldest first. */
  #pending: (readonly NameChange[])[] = []

  constructor(blockSize: number) {
    this.blockSize = blockSize
    this.#nodes.set(ROOT, folder({ mode: 0o755, uid: 0, gid: 0 }))
  }

  get pending(): readonly (readonly NameChange[])[] {
    return this.#pending
  }

  node(inode: Inode): Node {
    const node = this.#nodes.get(inode)
    if (node === undefined) throw new RangeError(`there is no inode ${inode}`)
    return node
  }

  file(inode: Inode): FileNode {
    const node = this.node(inode)
    if (node.type !== 'file') throw new TypeError(`inode ${inode} is a ${node.type}`)
    return node
  }

  folder(inode: Inode): FolderNode {
    const node = this.node(inode)
    if (node.type !== 'folder') throw new TypeError(`inode ${inode} is a ${node.type}`)
    return node
  }

  entries(inode: Inode): ReadonlyMap<string, Inode> {
    return this.folder(inode).current
  }

  /** What a reader of the running system reads. */
  read(inode: Inode): Uint8Array {
    const { length, blocks } = this.file(inode)
    return join(blocks, length, this.blockSize)
  }

  /** The number that the next inode gets. */
  get nextInode(): Inode {
    return this.#nodes.size
  }

  apply(effect: Effect): void {
    switch (effect.kind) {
      case 'inode':
        this.#add(effect)
        return
      case 'data':
        this.#write(this.file(effect.inode), effect.bytes, effect.position)
        return
      case 'length':
        this.#setLength(this.file(effect.inode), effect.length)
        return
      case 'attributes': {
        const file = this.file(effect.inode)
        file.attributes = effect.attributes
        file.attributesSince.push(effect.attributes)
        return
      }
      case 'names':
        for (const { folder, name, inode } of effect.changes) {
          set(this.folder(folder).current, name, inode)
        }
        this.#pending.push(effect.changes)
        return
      case 'sync':
        this.#sync(effect.inode)
        return
      case 'failed-sync': {
        const node = this.node(effect.inode)
        if (node.type !== 'file') return
        for (const [block, versions] of node.dirty) {
          node.dropped.set(block, [...(node.dropped.get(block) ?? []), ...versions])
        }
        node.dirty.clear()
      }
    }
  }

  /** Makes everything durable, as an orderly shutdown does. */
  syncAll(): void {
    for (const inode of this.#nodes.keys()) this.#sync(inode)
  }

  /** A copy that goes its own way. */
  clone(): ModelDisk {
    const copy = new ModelDisk(this.blockSize)
    for (const [inode, node] of this.#nodes) copy.#nodes.set(inode, structuredClone(node))
    copy.#pending = this.#pending.map((changes) => [...changes])
    return copy
  }

  /** The disk after a power cut: what `tree` names, with these contents, and everything durable. */
  restarted(tree: Tree, contents: (inode: Inode) => Uint8Array): ModelDisk {
    const disk = this.clone()
    disk.#pending = []
    for (const [inode, node] of disk.#nodes) {
      if (node.type === 'folder') {
        node.current.clear()
        for (const [name, named] of tree.entries(inode)) node.current.set(name, named)
        node.durable.clear()
        for (const [name, named] of node.current) node.durable.set(name, named)
      } else if (node.type === 'file') {
        disk.#nodes.set(inode, file(node.durable.attributes))
        disk.apply({ kind: 'data', inode, position: 0, bytes: contents(inode) })
      }
    }
    disk.syncAll()
    return disk
  }

  #add({ inode, type, attributes, target }: Effect & { kind: 'inode' }): void {
    if (inode !== this.nextInode) throw new RangeError(`inode ${inode} is not the next one`)
    const node: Node =
      type === 'folder'
        ? folder(attributes)
        : type === 'link'
          ? { type, attributes, target: target as string }
          : file(attributes)
    this.#nodes.set(inode, node)
  }

  #write(file: FileNode, bytes: Uint8Array, position: number): void {
    const { blockSize } = this
    for (let done = 0; done < bytes.byteLength; ) {
      const block = Math.floor((position + done) / blockSize)
      const start = position + done - block * blockSize
      const piece = bytes.subarray(done, done + blockSize - start)
      const version = file.blocks.get(block)?.slice() ?? new Uint8Array(blockSize)
      version.set(piece, start)
      file.blocks.set(block, version)
      file.dirty.set(block, [...(file.dirty.get(block) ?? []), version])
      done += piece.byteLength
    }
    const end = position + bytes.byteLength
    if (end > file.length) {
      file.length = end
      file.lengths.push(end)
    }
  }

  #setLength(file: FileNode, length: number): void {
    for (const block of [...file.blocks.keys()]) {
      const kept = length - block * this.blockSize
      if (kept <= 0) {
        file.blocks.delete(block)
        file.dirty.delete(block)
        file.dropped.delete(block)
      } else if (kept < this.blockSize) {
        const version = file.blocks.get(block)!.slice().fill(0, kept)
        file.blocks.set(block, version)
        file.dirty.set(block, [...(file.dirty.get(block) ?? []), version])
      }
    }
    file.length = length
    file.lengths.push(length)
  }

  #sync(inode: Inode): void {
    const node = this.node(inode)
    if (node.type === 'folder') {
      this.#pending = this.#pending.filter((changes) => {
        if (changes[0]?.folder !== inode) return true
        for (const { name, inode: named } of changes) set(node.durable, name, named)
        return false
      })
    } else if (node.type === 'file') {
      const { durable } = node
      for (const block of node.dirty.keys()) {
        durable.blocks.set(block, node.blocks.get(block)!)
        node.dropped.delete(block)
      }
      for (const block of [...durable.blocks.keys()]) {
        if (!node.blocks.has(block)) durable.blocks.delete(block)
      }
      node.dirty.clear()
      durable.length = node.length
      node.lengths.length = 0
      durable.attributes = node.attributes
      node.attributesSince.length = 0
    }
  }
}

/** The bytes of a file of these blocks. */
export function join(blocks: Blocks, length: number, blockSize: number): Uint8Array {
  const bytes = new Uint8Array(length)
  for (const [block, contents] of blocks) {
    const start = block * blockSize
    if (start < length) bytes.set(contents.subarray(0, length - start), start)
  }
  return bytes
}

/** Gives the name to an inode, or takes it away. */
export function set(names: Map<string, Inode>, name: string, inode: Inode | undefined): void {
  if (inode === undefined) names.delete(name)
  else names.set(name, inode)
}

function folder(attributes: Attributes): FolderNode {
  return { type: 'folder', attributes, durable: new Map(), current: new Map() }
}

function file(attributes: Attributes): FileNode {
  return {
    type: 'file',
    attributes,
    length: 0,
    blocks: new Map(),
    durable: { attributes, length: 0, blocks: new Map() },
    dirty: new Map(),
    dropped: new Map(),
    lengths: [],
    attributesSince: [],
  }
}
