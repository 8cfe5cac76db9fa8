/** What `ckpt view` was given: the files that the page may read, and no others. */

import { createHash } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { basename, dirname, resolve } from 'node:path'
import { CheckpointError } from '../../errors.js'
import { FolderStore } from '../../io/file/folder-store.js'
import { httpAddress, openHttp } from '../../io/http/http-source.js'
import { publicAddress } from '../../io/http/requests.js'
import type { Source } from '../../io/source.js'
import type { CheckpointStore } from '../../io/store.js'
import { pathOf } from '../../path.js'
import { storeAt, storedAt } from '../locations.js'

/** The files that a viewer may read. */
export interface ViewedPlace {
  /** What was given, as the page calls it. */
  readonly title: string
  /** The folder, prefix or address that the files lie in: the same text each time, and for all files of a folder. */
  readonly home: string
  /** Whether it is a folder of checkpoints. */
  readonly isRun: boolean
  /** Whether its bytes are on this machine. */
  readonly isLocal: boolean
  /** The files, in the order of their names. A run may have more of them the next time. */
  list(): Promise<readonly ViewedName[]>
  /**
   * Opens a file for one answer; undefined if there is no such file, or it may not be read. The caller closes the
   * source.
   */
  open(name: string): Promise<{ readonly source: Source; readonly version: string } | undefined>
}

/** A file of a place. */
export interface ViewedName {
  readonly name: string
  /** Text that changes with the content. */
  readonly version: string
}

const CHECKPOINTS = /\.(ckpt|safetensors|pt|pth|bin|npz)$/i
const INDEX = '.safetensors.index.json'

/** Throws CKPT_READ if there is nothing at the location, and a TypeError if it is none. */
export async function viewedPlace(location: string): Promise<ViewedPlace> {
  const address = httpAddress(location)
  if (address !== undefined) return addressPlace(address)
  if (/^s3:/i.test(location)) return bucketPlace(location)
  const path = pathOf(location)
  let isFolder: boolean
  try {
    isFolder = (await stat(path)).isDirectory()
  } catch (cause) {
    throw new CheckpointError('CKPT_READ', 'there is no such file or folder', { path, cause })
  }
  const home = isFolder ? resolve(path) : dirname(resolve(path))
  const store = new FolderStore(isFolder ? path : home)
  if (isFolder) return storePlace(store, location, { home, isLocal: true, ...RUN })
  const own = basename(path)
  return storePlace(store, own, { home, isLocal: true, ...only(own) })
}

/** An object of a bucket, by its name, or those below a prefix. */
async function bucketPlace(location: string): Promise<ViewedPlace> {
  const own = location.slice(location.lastIndexOf('/') + 1)
  const stored = isRead(own) ? await storedAt(location) : undefined
  if (stored !== undefined) {
    const home = location.slice(0, -own.length - 1)
    return storePlace(stored.store, stored.name, { home, isLocal: false, ...only(stored.name) })
  }
  const home = location.replace(/\/$/, '')
  return storePlace(await storeAt(location), location, { home, isLocal: false, ...RUN })
}

function isRead(name: string): boolean {
  return (CHECKPOINTS.test(name) && !name.startsWith('.')) || name.endsWith(INDEX)
}

/** All checkpoints. */
const RUN = { isRun: true, isShown: isRead, isRead }

/** One file. */
function only(own: string): Omit<Rules, 'home' | 'isLocal'> {
  return {
    isRun: false,
    isShown: (name) => name === own,
    // An index is nothing without its shards.
    isRead: (name) => name === own || (own.endsWith(INDEX) && name.endsWith('.safetensors')),
  }
}

interface Rules {
  readonly home: string
  readonly isLocal: boolean
  readonly isRun: boolean
  readonly isShown: (name: string) => boolean
  readonly isRead: (name: string) => boolean
}

/** The files of a store that the rules allow. */
function storePlace(
  store: Pick<CheckpointStore, 'list' | 'stat' | 'open'>,
  title: string,
  { home, isLocal, isRun, isShown, isRead }: Rules,
): ViewedPlace {
  return {
    title,
    home,
    isRun,
    isLocal,
    async list() {
      const files = await store.list(isShown)
      return files.map(({ name, version }) => ({ name, version: tagOf(version) })).sort(byName)
    },
    async open(name) {
      // A name with a separator leads elsewhere.
      if (!isRead(name) || /[/\\\0]/.test(name)) return undefined
      const file = await store.stat(name)
      if (file === undefined) return undefined
      const { version } = file
      return { source: await store.open(name, { version }), version: tagOf(version) }
    },
  }
}

/** A file on a server. Its bytes come through this process, so that the server need not allow the page to read them. */
async function addressPlace(address: URL): Promise<ViewedPlace> {
  const path = publicAddress(address)
  const source = await openHttp(address)
  const name = decodeURIComponent(path.slice(path.lastIndexOf('/') + 1)) || address.host
  const version = tagOf(source.identity ?? `${path} ${source.size} ${Date.now()}`)
  // One source for all answers.
  const shared: Source = {
    kind: source.kind,
    size: source.size,
    read: (target, position) => source.read(target, position),
    checkUnchanged: () => source.checkUnchanged(),
    close: () => {},
  }
  return {
    title: name,
    home: path.slice(0, path.lastIndexOf('/')),
    isRun: false,
    isLocal: false,
    list: async () => [{ name, version }],
    open: async (asked) => (asked === name ? { source: shared, version } : undefined),
  }
}

function byName(a: ViewedName, b: ViewedName): number {
  return a.name.localeCompare(b.name, 'en', { numeric: true })
}

/** A version as text that a header can hold, and that says nothing of this machine. */
function tagOf(version: string): string {
  return createHash('sha256').update(version).digest('base64url').slice(0, 22)
}
