/**
 * Commits that are wrong in one way each, the ways in which others do it: negative controls. A model
 * that does not find them out proves nothing about the commit that it finds nothing wrong with.
 *
 * Each is the library's own commit on a file system that drops, reorders or answers some calls
 * wrongly, or whose sink says too early that it is done.
 */

import { dirname } from 'node:path'
import { FileSink } from '../../../src/io/file/file-sink.js'
import type { Descriptor, FileSystem } from '../../../src/io/file/file-system.js'
import type { Sink } from '../../../src/io/sink.js'
import type { ModelProcess } from './model-file-system.js'
import { newFolders, overwrite, rotation, symbolicLink } from './plots.js'
import { type Commit, settle } from './stage.js'

export interface Mutant extends Commit {
  /** A scenario that finds it out. */
  readonly foundBy: string
}

/** What a mutant does differently. `seen` is what it has let through so far. */
type Change = (fs: FileSystem, process: ModelProcess, seen: Seen) => Partial<FileSystem>

interface Seen {
  readonly folders: ReadonlySet<Descriptor>
  readonly file: Descriptor | undefined
  readonly madeFolder: boolean
  readonly renamed: boolean
}

const TEMPORARY = /\.([^/\\]+)\.[0-9a-f]{8}\.\d+\.[0-9a-f]{16}(\.locked)?\.tmp$/

/** A temporary file's destination, or the path itself where it is none. */
const destinationOf = (path: string) => path.replace(TEMPORARY, '$1')

/** A name for all temporary files of a destination. */
const fixedName = (path: string) => path.replace(TEMPORARY, '.$1.tmp')

const TWO_SAVERS = 'Two savers, one path, every order'
const NEW_FOLDER = 'Two savers, into a folder that is made for it, every order'
const FAULTS = 'One fault at each call, then saved again'

export const MUTANTS: readonly Mutant[] = [
  mutant('The file is not synced', overwrite.name, (fs, _, seen) => ({
    fsync: async (fd) => (fd === seen.file ? undefined : fs.fsync(fd)),
  })),

  mutant('The folder is not synced', overwrite.name, (fs, _, seen) => ({
    fsync: async (fd) => (seen.folders.has(fd) && seen.renamed ? undefined : fs.fsync(fd)),
  })),

  mutant('Another folder is synced, the one above', overwrite.name, (fs) => ({
    openFolder: (path) => fs.openFolder(dirname(path)),
  })),

  mutant('The folder is synced before the rename', overwrite.name, (fs, process, seen) => ({
    fsync: async (fd) => (seen.folders.has(fd) && seen.renamed ? undefined : fs.fsync(fd)),
    async rename(from, to) {
      const folder = await process.openFolder(dirname(to))
      await process.fsync(folder)
      await process.close(folder)
      await fs.rename(from, to)
    },
  })),

  mutant('Renamed before the file is synced', overwrite.name, (fs, process, seen) => ({
    fsync: async (fd) => (fd === seen.file ? undefined : fs.fsync(fd)),
    close: async (fd) => (fd === seen.file && !seen.renamed ? undefined : fs.close(fd)),
    async rename(from, to) {
      await fs.rename(from, to)
      await process.fsync(seen.file as Descriptor)
      await process.close(seen.file as Descriptor)
    },
  })),

  mutant('The old file is removed before the rename', overwrite.name, (fs) => ({
    async rename(from, to) {
      await fs.unlink(to).catch(() => {})
      await fs.rename(from, to)
    },
  })),

  mutant('Written in place, without a temporary file', overwrite.name, (_, process) => ({
    create: (path, mode) => process.openForWriting(destinationOf(path), mode),
    rename: async () => {},
  })),

  mutant('Short writes are taken for whole', 'Every write cut short', (fs) => ({
    async write(fd, bytes, position) {
      await fs.write(fd, bytes, position)
      return bytes.byteLength
    },
  })),

  {
    name: 'Short writes are taken for whole, and the length is not checked',
    foundBy: 'Disk full at each write, then saved again',
    sink: unchecked,
  },

  mutant('One temporary name for all saves', TWO_SAVERS, (fs, process) => ({
    create: (path, mode) => process.openForWriting(fixedName(path), mode),
    rename: (from, to) => fs.rename(fixedName(from), to),
    unlink: (path) => fs.unlink(fixedName(path)),
  })),

  mutant(
    'One temporary name for all saves, created exclusively',
    'Killed before each call, then saved again',
    (fs) => ({
      create: (path, mode) => fs.create(fixedName(path), mode),
      rename: (from, to) => fs.rename(fixedName(from), to),
      unlink: (path) => fs.unlink(fixedName(path)),
    }),
  ),

  mutant('A sync that failed is tried again', FAULTS, (fs) => ({
    fsync: (fd) => fs.fsync(fd).catch(() => fs.fsync(fd)),
  })),

  mutant('A sync of the file that fails is ignored', FAULTS, (fs, _, seen) => ({
    fsync: (fd) => fs.fsync(fd).catch(fd === seen.file ? () => {} : undefined),
  })),

  mutant('A sync of the folder that fails is ignored', FAULTS, (fs, _, seen) => ({
    fsync: (fd) => fs.fsync(fd).catch(seen.folders.has(fd) ? () => {} : undefined),
  })),

  mutant('The names of new folders are not synced', newFolders.name, (fs, _, seen) => ({
    fsync: async (fd) => (seen.folders.has(fd) && !seen.renamed ? undefined : fs.fsync(fd)),
  })),

  mutant('A folder that is there is taken for durable', NEW_FOLDER, (fs, _, seen) => ({
    fsync: async (fd) =>
      seen.folders.has(fd) && !seen.renamed && !seen.madeFolder ? undefined : fs.fsync(fd),
  })),

  { name: 'Acknowledged before the commit', foundBy: overwrite.name, sink: hasty },

  {
    name: 'Acknowledged before the folder is synced',
    foundBy: overwrite.name,
    sink: hastyAfterRename,
  },

  mutant('The mode is set after the sync', overwrite.name, (fs, process, seen) => {
    let mode: number | undefined
    return {
      async fchmod(_, wanted) {
        mode = wanted
      },
      async fsync(fd) {
        await fs.fsync(fd)
        if (fd === seen.file && mode !== undefined) await process.fchmod(fd, mode)
      },
    }
  }),

  mutant('A symbolic link is replaced', symbolicLink.name, (fs) => ({
    async lstat(path) {
      const status = await fs.lstat(path)
      return status.kind === 'link' ? { ...status, kind: 'file' } : status
    },
  })),

  mutant('Temporary files of living processes are swept', TWO_SAVERS, (fs) => ({
    lock: async (fd) => {
      await fs.lock(fd)
      return 'taken'
    },
  })),

  mutant('A temporary file is not looked at again once it is locked', TWO_SAVERS, (fs, _, seen) => {
    let own: string | undefined
    return {
      create(path, mode) {
        own = path
        return fs.create(path, mode)
      },
      lstat: (path) =>
        path === own && seen.file !== undefined ? fs.fstat(seen.file) : fs.lstat(path),
    }
  }),

  mutant('A temporary file stays after a failure', FAULTS, () => ({ unlink: async () => {} })),

  mutant('A descriptor stays open after a failure', FAULTS, (fs, _, seen) => ({
    close: async (fd) => (seen.folders.has(fd) && !seen.renamed ? undefined : fs.close(fd)),
  })),

  {
    name: 'The checkpoint before is removed while the next is saved',
    foundBy: rotation.name,
    sink: (path, process) => new FileSink(path, { fileSystem: process }),
    removesEarly: true,
  },
]

function mutant(name: string, foundBy: string, change: Change): Mutant {
  return {
    name,
    foundBy,
    sink: (path, process) => new FileSink(path, { fileSystem: changed(process, change) }),
  }
}

/** A process's file system, changed. */
function changed(process: ModelProcess, change: Change): FileSystem {
  const folders = new Set<Descriptor>()
  const seen = {
    folders,
    file: undefined as Descriptor | undefined,
    madeFolder: false,
    renamed: false,
  }
  const plain: FileSystem = {
    lstat: (path) => process.lstat(path),
    readlink: (path) => process.readlink(path),
    realpath: (path) => process.realpath(path),
    readdir: (path) => process.readdir(path),
    mkdir: (path) => process.mkdir(path),
    create: (path, mode) => process.create(path, mode),
    openFolder: (path) => process.openFolder(path),
    openForLock: (path) => process.openForLock(path),
    lock: (fd) => process.lock(fd),
    isLocal: (path) => process.isLocal(path),
    copyAttributes: () => process.copyAttributes(),
    fstat: (fd) => process.fstat(fd),
    fchmod: (fd, mode) => process.fchmod(fd, mode),
    fchown: (fd, uid, gid) => process.fchown(fd, uid, gid),
    write: (fd, bytes, position) => process.write(fd, bytes, position),
    fsync: (fd) => process.fsync(fd),
    close: (fd) => process.close(fd),
    rename: (from, to) => process.rename(from, to),
    unlink: (path) => process.unlink(path),
  }
  const fs = { ...plain, ...change(plain, process, seen) }
  return {
    ...fs,
    async mkdir(path) {
      await fs.mkdir(path)
      seen.madeFolder = true
    },
    async create(path, mode) {
      seen.file = await fs.create(path, mode)
      return seen.file
    },
    async openFolder(path) {
      const folder = await fs.openFolder(path)
      folders.add(folder)
      return folder
    },
    async rename(from, to) {
      await fs.rename(from, to)
      seen.renamed = true
    },
  }
}

/** A sink that does not look at how many bytes were written, nor at how many arrived. */
function unchecked(path: string, process: ModelProcess): Sink {
  let length = 0
  const fs = changed(process, (fs) => ({
    async write(fd, bytes, position) {
      await fs.write(fd, bytes, position)
      return bytes.byteLength
    },
    fstat: async (fd) => ({ ...(await fs.fstat(fd)), size: length }),
  }))
  const sink = new FileSink(path, { fileSystem: fs })
  return {
    ...passingOn(sink),
    begin(bytes) {
      length = bytes
      return sink.begin(bytes)
    },
  }
}

/** A sink that says that it has committed, and only then begins to. */
function hasty(path: string, process: ModelProcess): Sink {
  const sink = new FileSink(path, { fileSystem: process })
  return {
    ...passingOn(sink),
    async commit() {
      setImmediate(() => sink.commit().catch(() => {}))
      return 'durable'
    },
  }
}

/** A sink that says that it has committed when it has renamed. */
function hastyAfterRename(path: string, process: ModelProcess): Sink {
  let renamed = () => {}
  const rename = new Promise<void>((resolve) => {
    renamed = resolve
  })
  const fs = changed(process, (fs, _, seen) => ({
    async rename(from, to) {
      await fs.rename(from, to)
      renamed()
    },
    async fsync(fd) {
      if (seen.renamed) await settle()
      await fs.fsync(fd)
    },
  }))
  const sink = new FileSink(path, { fileSystem: fs })
  return {
    ...passingOn(sink),
    async commit() {
      await Promise.race([rename, sink.commit()])
      return 'durable'
    },
  }
}

function passingOn(sink: Sink): Sink {
  return {
    path: sink.path,
    begin: (length) => sink.begin(length),
    write: (bytes, position) => sink.write(bytes, position),
    sync: () => sink.sync(),
    commit: () => sink.commit(),
    abort: () => sink.abort(),
  }
}
