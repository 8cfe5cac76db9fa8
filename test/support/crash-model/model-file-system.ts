/**
 * A file system in memory that remembers: every call that a save makes of it, what each did to the
 * disk behind it, and what a power cut would leave (see model-disk.ts for what is assumed of that).
 *
 * Each process has its own descriptors, and calls it through a `ModelProcess`, which is the interface
 * that the library's commit is written against. A process can be killed; a director can hold its
 * calls back, so that two processes take turns as a test wants them to, and can make them fail.
 */

import type { Lock } from '../../../src/io/file/file-lock.js'
import type {
  AccessList,
  Descriptor,
  FileStatus,
  FileSystem,
} from '../../../src/io/file/file-system.js'
import {
  type Attributes,
  type Effect,
  type Inode,
  ModelDisk,
  type NameChange,
} from './model-disk.js'
import { find } from './model-tree.js'
import { type ErrorName, systemError } from './system-error.js'

// Small, so that a checkpoint of a kilobyte has several blocks.
const BLOCK_SIZE = 256

const UMASK = 0o022

/** Who all processes are. */
const USER = { uid: 1000, gid: 1000 }

export interface Call {
  /** How many calls there were before it, of all processes. */
  readonly index: number
  readonly process: string
  readonly name: keyof FileSystem | 'openForWriting'
  /** The path, or the one that the descriptor was opened with; of a rename, the old one. */
  readonly path: string
  /** What the call is about, where that exists. */
  readonly on: 'file' | 'folder' | 'link' | undefined
}

/** What goes wrong with a call. */
export type Fault =
  /**
   * It fails and does nothing, with three exceptions: a descriptor is closed all the same, a sync
   * drops what it was to write, and a write leaves half of its bytes.
   */
  | { readonly error: ErrorName }
  /** A write that writes only so many bytes, or that share of them. */
  | { readonly bytes: number }
  | { readonly share: number }

/** May make a call wait, make it fail, and kill the process that makes it. */
export type Director = (
  call: Call,
  process: ModelProcess,
) => Promise<Fault | undefined> | Fault | undefined

/** What happened between calls, on the side of whoever wants something saved. */
export type Note =
  /** A save's promise has resolved: that version of the checkpoint is safe, it was told. */
  | { readonly kind: 'acknowledged'; readonly path: string; readonly version: string }
  /** From now on nobody minds if there is nothing at the path. */
  | { readonly kind: 'removing'; readonly path: string }

export interface ProcessOptions {
  readonly director?: Director
  /** Its number, which goes into the names of temporary files; without, that of this process. */
  readonly number?: number
}

/** What was recorded: a call that had its effects, or a note. */
export type Event =
  | { readonly call: Call; readonly fault: Fault | undefined; readonly effects: readonly Effect[] }
  | { readonly note: Note }

/** All that crash states are made of. */
export interface Recording {
  readonly start: ModelDisk
  readonly events: readonly Event[]
}

/** What the calls of a killed process end with, so that a test gets rid of its promises. */
export class Killed extends Error {}

export class ModelFileSystem implements Recording {
  readonly disk: ModelDisk
  /** As it was when recording began. */
  start: ModelDisk
  readonly events: Event[] = []
  readonly processes: ModelProcess[] = []
  readonly #modified = new Map<Inode, number>()
  /** Who has locked a file, and by which of its descriptors. */
  readonly locks = new Map<Inode, { readonly process: ModelProcess; readonly fd: Descriptor }>()
  calls = 0

  constructor(disk = new ModelDisk(BLOCK_SIZE)) {
    this.disk = disk
    this.start = disk.clone()
  }

  process(name: string, options: ProcessOptions = {}): ModelProcess {
    const process = new ModelProcess(this, name, options)
    this.processes.push(process)
    return process
  }

  note(note: Note): void {
    this.events.push({ note })
  }

  /** Forgets what was recorded and begins anew; what is not durable yet stays so. */
  record(): void {
    this.events.length = 0
    this.start = this.disk.clone()
  }

  /** What is there before a run: durable, and not recorded. */
  plantFolder(path: string): void {
    this.#plant(path, { type: 'folder', mode: 0o755 })
  }

  plantLink(path: string, target: string): void {
    this.#plant(path, { type: 'link', mode: 0o777, target })
  }

  plantFile(
    path: string,
    bytes: Uint8Array,
    { mode = 0o644, modified = 0 }: { mode?: number; modified?: number } = {},
  ): void {
    const inode = this.#plant(path, { type: 'file', mode })
    this.disk.apply({ kind: 'data', inode, position: 0, bytes })
    this.disk.syncAll()
    this.start = this.disk.clone()
    this.#modified.set(inode, modified)
  }

  /** A file that a living process has open and locked, which takes no part. */
  plantLock(path: string): void {
    const inode = find(this.disk, path, false).inode as Inode
    this.locks.set(inode, { process: new ModelProcess(this, 'elsewhere', {}), fd: 3 })
  }

  /** The names in a folder, as a running system sees them. */
  names(path: string): string[] {
    return [...this.disk.entries(find(this.disk, path, true).inode as Inode).keys()]
  }

  /** Calls with a descriptor that was not open: a double close, or worse. */
  get misuses(): string[] {
    return this.events.flatMap((event) =>
      'call' in event && event.call.path.startsWith('descriptor ') ? [event.call.name] : [],
    )
  }

  /** The descriptors that living processes have open, by the path that they were opened with. */
  get openDescriptors(): string[] {
    return this.processes.flatMap((process) => process.open)
  }

  /** @internal */
  modified(inode: Inode): number {
    return this.#modified.get(inode) ?? 0
  }

  /** @internal */
  touch(inode: Inode): void {
    this.#modified.set(inode, Date.now())
  }

  /** @internal */
  change(effects: Effect[], effect: Effect): void {
    this.disk.apply(effect)
    effects.push(effect)
  }

  #plant(
    path: string,
    { mode, ...rest }: { type: 'file' | 'folder' | 'link'; mode: number; target?: string },
  ): Inode {
    const { disk } = this
    const { folder, name, inode: taken } = find(disk, path, false)
    if (taken !== undefined) throw systemError('EEXIST', 'plant', path)
    const inode = disk.nextInode
    disk.apply({ kind: 'inode', inode, attributes: { mode, ...USER }, ...rest })
    disk.apply({ kind: 'names', changes: [{ folder, name, inode }] })
    disk.syncAll()
    this.start = disk.clone()
    return inode
  }
}

/** What a call works with. */
interface Context {
  readonly effects: Effect[]
  readonly fault: Fault | undefined
}

export class ModelProcess implements FileSystem {
  readonly name: string
  readonly #model: ModelFileSystem
  readonly #director: Director | undefined
  readonly #number: number | undefined
  readonly #descriptors = new Map<Descriptor, { inode: Inode; path: string }>()
  #next = 3
  #killed = false

  constructor(model: ModelFileSystem, name: string, { director, number }: ProcessOptions) {
    this.#model = model
    this.name = name
    this.#director = director
    this.#number = number
  }

  /** The paths that its open descriptors were opened with. */
  get open(): string[] {
    return Array.from(this.#descriptors.values(), ({ path }) => path)
  }

  get killed(): boolean {
    return this.#killed
  }

  /** From now on none of its calls does anything. Its descriptors are closed. */
  kill(): void {
    this.#killed = true
    for (const fd of this.#descriptors.keys()) this.#unlock(fd)
    this.#descriptors.clear()
  }

  lstat(path: string): Promise<FileStatus> {
    return this.#call('lstat', path, () => this.#status(this.#existing(path, false, 'lstat').inode))
  }

  readlink(path: string): Promise<string> {
    return this.#call('readlink', path, () => {
      const node = this.#model.disk.node(this.#existing(path, false, 'readlink').inode)
      if (node.type !== 'link') throw systemError('EINVAL', 'readlink', path)
      return node.target
    })
  }

  realpath(path: string): Promise<string> {
    return this.#call('realpath', path, () => this.#existing(path, true, 'realpath').path)
  }

  readdir(path: string): Promise<string[]> {
    return this.#call('readdir', path, () => {
      const { inode } = this.#existing(path, true, 'readdir')
      if (this.#model.disk.node(inode).type !== 'folder') {
        throw systemError('ENOTDIR', 'readdir', path)
      }
      return [...this.#model.disk.entries(inode).keys()]
    })
  }

  mkdir(path: string): Promise<void> {
    return this.#call('mkdir', path, ({ effects }) => {
      this.#create('folder', path, 0o777, effects, 'mkdir')
    })
  }

  create(path: string, mode: number): Promise<Descriptor> {
    return this.#call('create', path, ({ effects }) =>
      this.#open(this.#create('file', path, mode, effects, 'open'), path),
    )
  }

  openFolder(path: string): Promise<Descriptor> {
    return this.#call('openFolder', path, () => {
      const { inode } = this.#existing(path, true, 'open')
      if (this.#model.disk.node(inode).type !== 'folder') throw systemError('ENOTDIR', 'open', path)
      return this.#open(inode, path)
    })
  }

  openForLock(path: string): Promise<Descriptor> {
    return this.#call('openForLock', path, () =>
      this.#open(this.#existing(path, false, 'open').inode, path),
    )
  }

  lock(fd: Descriptor): Promise<Lock> {
    return this.#call('lock', fd, () => {
      const inode = this.#inode(fd, 'flock')
      const holder = this.#model.locks.get(inode)
      if (holder !== undefined) {
        return holder.process === this && holder.fd === fd ? 'taken' : 'held'
      }
      this.#model.locks.set(inode, { process: this, fd })
      return 'taken'
    }).catch((error) => {
      // As the real one: an error says that nothing can be locked.
      if (error instanceof Killed) throw error
      return 'unknown'
    })
  }

  isLocal(path: string): Promise<boolean> {
    return this.#call('isLocal', path, () => true)
  }

  /** There are none here. */
  async copyAttributes(): Promise<AccessList> {
    return 'kept'
  }

  /**
   * Opens a file for writing whether it is there or not, and cuts it to no bytes: O_TRUNC without
   * O_EXCL. Not part of the interface, as no sound commit needs it; wrong ones do.
   */
  openForWriting(path: string, mode: number): Promise<Descriptor> {
    return this.#call('openForWriting', path, ({ effects }) => {
      const { inode } = this.#find(path, true, 'open')
      if (inode === undefined) {
        return this.#open(this.#create('file', path, mode, effects, 'open'), path)
      }
      this.#model.change(effects, { kind: 'length', inode, length: 0 })
      return this.#open(inode, path)
    })
  }

  fstat(fd: Descriptor): Promise<FileStatus> {
    return this.#call('fstat', fd, () => this.#status(this.#inode(fd, 'fstat')))
  }

  fchmod(fd: Descriptor, mode: number): Promise<void> {
    return this.#call('fchmod', fd, ({ effects }) => {
      this.#setAttributes(this.#inode(fd, 'fchmod'), { mode }, effects)
    })
  }

  fchown(fd: Descriptor, uid: number, gid: number): Promise<void> {
    return this.#call('fchown', fd, ({ effects }) => {
      this.#setAttributes(this.#inode(fd, 'fchown'), { uid, gid }, effects)
    })
  }

  write(fd: Descriptor, bytes: Uint8Array, position: number): Promise<number> {
    return this.#call('write', fd, ({ effects, fault }) => {
      const inode = this.#inode(fd, 'write')
      const count = writtenBytes(bytes.byteLength, fault)
      if (count > 0) {
        const written = bytes.slice(0, count)
        this.#model.change(effects, { kind: 'data', inode, position, bytes: written })
        this.#model.touch(inode)
      }
      return count
    })
  }

  fsync(fd: Descriptor): Promise<void> {
    return this.#call('fsync', fd, ({ effects, fault }) => {
      const inode = this.#inode(fd, 'fsync')
      const kind = fault !== undefined && 'error' in fault ? 'failed-sync' : 'sync'
      this.#model.change(effects, { kind, inode })
    })
  }

  close(fd: Descriptor): Promise<void> {
    return this.#call('close', fd, () => {
      this.#inode(fd, 'close')
      this.#unlock(fd)
      this.#descriptors.delete(fd)
    })
  }

  rename(from: string, to: string): Promise<void> {
    return this.#call('rename', from, ({ effects }) => {
      const { disk } = this.#model
      const source = this.#existing(from, false, 'rename')
      const target = this.#find(to, false, 'rename')
      if (source.folder !== target.folder) throw systemError('EXDEV', 'rename', from)
      if (target.inode !== undefined && disk.node(target.inode).type === 'folder') {
        throw systemError('EISDIR', 'rename', to)
      }
      // The new name first: where the two reach the disk one by one, in this order.
      const { folder, inode } = source
      const changes: NameChange[] = [
        { folder, name: target.name, inode },
        { folder, name: source.name, inode: undefined },
      ]
      this.#model.change(effects, { kind: 'names', changes })
    })
  }

  link(from: string, to: string): Promise<void> {
    return this.#call('link', from, ({ effects }) => {
      const { inode } = this.#existing(from, false, 'link')
      const target = this.#find(to, false, 'link')
      if (target.inode !== undefined) throw systemError('EEXIST', 'link', to)
      const changes: NameChange[] = [{ folder: target.folder, name: target.name, inode }]
      this.#model.change(effects, { kind: 'names', changes })
    })
  }

  unlink(path: string): Promise<void> {
    return this.#call('unlink', path, ({ effects }) => {
      const { folder, name, inode } = this.#existing(path, false, 'unlink')
      if (this.#model.disk.node(inode).type === 'folder')
        throw systemError('EISDIR', 'unlink', path)
      this.#model.change(effects, {
        kind: 'names',
        changes: [{ folder, name, inode: undefined }],
      })
    })
  }

  /**
   * Waits for its turn, then runs in one step and records what it did. With an error as its fault,
   * only those run that do something all the same.
   */
  async #call<T>(
    name: Call['name'],
    on: string | Descriptor,
    run: (context: Context) => T,
  ): Promise<T> {
    const model = this.#model
    const path =
      typeof on === 'string' ? on : (this.#descriptors.get(on)?.path ?? `descriptor ${on}`)
    const call = { index: model.calls, process: this.name, name, path, on: this.#typeOf(on) }
    if (this.#killed) throw new Killed('the process was killed')
    const fault = await this.#director?.(call, this)
    // Killed while it waited, or by its director.
    if (this.#killed) throw new Killed('the process was killed')
    const effects: Effect[] = []
    const numbered = { ...call, index: model.calls++ }
    try {
      if (fault !== undefined && 'error' in fault) {
        if (['close', 'fsync', 'write'].includes(name)) run({ effects, fault })
        throw systemError(fault.error, name, path)
      }
      return run({ effects, fault })
    } finally {
      model.events.push({ call: numbered, fault, effects })
    }
  }

  #typeOf(on: string | Descriptor): Call['on'] {
    try {
      const inode =
        typeof on === 'number'
          ? this.#descriptors.get(on)?.inode
          : this.#find(on, false, 'lookup').inode
      return inode === undefined ? undefined : this.#model.disk.node(inode).type
    } catch {
      return undefined
    }
  }

  /** The number of a process reaches the names of its files through here alone. */
  #find(path: string, follow: boolean, call: string) {
    const own =
      this.#number === undefined ? path : path.replace(`.${process.pid}.`, `.${this.#number}.`)
    return find(this.#model.disk, own, follow, call)
  }

  #existing(path: string, follow: boolean, call: string) {
    const place = this.#find(path, follow, call)
    if (place.inode === undefined) throw systemError('ENOENT', call, path)
    return { ...place, inode: place.inode }
  }

  #create(
    type: 'file' | 'folder',
    path: string,
    mode: number,
    effects: Effect[],
    call: string,
  ): Inode {
    const { folder, name, inode: taken } = this.#find(path, false, call)
    if (taken !== undefined) throw systemError('EEXIST', call, path)
    const inode = this.#model.disk.nextInode
    const attributes = { mode: mode & ~UMASK, ...USER }
    this.#model.change(effects, { kind: 'inode', inode, type, attributes })
    this.#model.change(effects, { kind: 'names', changes: [{ folder, name, inode }] })
    this.#model.touch(inode)
    return inode
  }

  #open(inode: Inode, path: string): Descriptor {
    const fd = this.#next++
    this.#descriptors.set(fd, { inode, path })
    return fd
  }

  /** What a close, or the end of the process, does with a lock. */
  #unlock(fd: Descriptor): void {
    const inode = this.#descriptors.get(fd)?.inode
    const holder = inode === undefined ? undefined : this.#model.locks.get(inode)
    if (holder?.process === this && holder.fd === fd) this.#model.locks.delete(inode as Inode)
  }

  #inode(fd: Descriptor, call: string): Inode {
    const descriptor = this.#descriptors.get(fd)
    if (descriptor === undefined) throw systemError('EBADF', call, `descriptor ${fd}`)
    return descriptor.inode
  }

  #status(inode: Inode): FileStatus {
    const node = this.#model.disk.node(inode)
    return {
      kind: node.type,
      size: node.type === 'file' ? node.length : 0,
      ...node.attributes,
      modified: this.#model.modified(inode),
      identity: `model:${inode}`,
    }
  }

  #setAttributes(inode: Inode, changed: Partial<Attributes>, effects: Effect[]): void {
    const attributes = { ...this.#model.disk.node(inode).attributes, ...changed }
    this.#model.change(effects, { kind: 'attributes', inode, attributes })
  }
}

function writtenBytes(asked: number, fault: Fault | undefined): number {
  if (fault === undefined) return asked
  if ('error' in fault) return Math.floor(asked / 2)
  return 'bytes' in fault ? Math.min(fault.bytes, asked) : Math.floor(asked * fault.share)
}
