/** What the user opened: one file, or the files of a run. A location becomes files here; they are read elsewhere. */

import type { ViewedFile } from '../compute/facts.js'

/** The open files, each with a name of its own. */
export interface Session {
  /** What was opened: the name of a file, of a folder, or an address. */
  readonly title: string
  /** Whether a folder was opened, even one with a single file. */
  readonly isRun: boolean
  readonly files: readonly ViewedFile[]
  /** The address, if the user named one. */
  readonly from: string | null
  /** Whether reading a whole file costs next to nothing: it is on this machine. */
  readonly isLocal: boolean
}

/** A file as the server of `ckpt view` lists it. */
interface ListedFile {
  readonly name: string
  /** Relative to the page. */
  readonly path: string
  readonly version: string
}

/** What the server of `ckpt view` was started on. */
export interface Listing {
  readonly title: string
  readonly isRun: boolean
  readonly isLocal: boolean
  readonly files: readonly ListedFile[]
}

// Recognised by its content when it is opened; in a folder, other files are left alone.
const EXTENSIONS = /\.(ckpt|safetensors|safetensors\.index\.json|pt|pth|bin|npz)$/i

// A part of a model, and the file that leads to all of its parts.
const SHARD = /-\d{5}-of-\d{5}\.safetensors$/i
const INDEX = /\.safetensors\.index\.json$/i

/** Whether the page comes from `ckpt view`: the address of its list, or undefined. */
export function listAddress(): string | undefined {
  return addressIn('ckpt-files')
}

/** Where the server of `ckpt view` takes jobs; undefined if the page computes by itself. */
export function jobsAddress(): string | undefined {
  return addressIn('ckpt-jobs')
}

/** The address that the server has written into the page. */
function addressIn(name: string): string | undefined {
  const path = textIn(name)
  return path ? new URL(path, location.href.replace(/#.*$/s, '')).href : undefined
}

/** What the server has written into the page. */
function textIn(name: string): string | undefined {
  return document.querySelector<HTMLMetaElement>(`meta[name=${name}]`)?.content
}

/** Opens what `ckpt view` was started on. The page has the list, or is told where it is. */
export async function openListing(address: string): Promise<Session> {
  const { title, isRun, isLocal, files }: Listing = await listingAt(address)
  return {
    ...{ title, isRun, isLocal, from: null },
    files: withoutShards(files).map(({ name, path, version }) => {
      const from = new URL(path, address).href
      return { id: `${from} ${version}`, name, from, version }
    }),
  }
}

async function listingAt(address: string): Promise<Listing> {
  const listed = textIn('ckpt-listed')
  if (listed) return JSON.parse(listed)
  const response = await fetch(address, { cache: 'no-store' })
  if (!response.ok) {
    throw new Error(`the server of ckpt view answered ${response.status}: start it again`)
  }
  return response.json()
}

/** Opens the file at an address. Throws a TypeError for text that is not the address of a file on a server. */
export function openAddress(text: string): Session {
  let url: URL
  try {
    url = new URL(text.trim())
  } catch {
    throw new TypeError('expected an address such as https://example.org/step-1000.ckpt')
  }
  if (!/^https?:$/.test(url.protocol)) {
    throw new TypeError(`expected an address that begins with https://, found ${url.protocol}`)
  }
  const name = nameIn(url.pathname) || url.host
  return {
    title: name,
    isRun: false,
    files: [{ id: url.href, name, from: url.href }],
    from: url.href,
    isLocal: false,
  }
}

/** The last part of a path, decoded if it can be. */
function nameIn(path: string): string {
  const last = path.slice(path.lastIndexOf('/') + 1)
  try {
    return decodeURIComponent(last)
  } catch {
    return last
  }
}

/** Opens files that were dropped or chosen. `folder`: the name of a folder that they are from. */
export function openFiles(files: readonly File[], folder?: string): Session {
  const known = withoutShards(files.filter(({ name }) => EXTENSIONS.test(name)))
  // Whatever a single file is called, its content decides.
  const chosen = known.length > 0 ? known : folder === undefined ? files : []
  if (chosen.length === 0) {
    throw new TypeError(
      'there is no checkpoint: expected files that end with .ckpt, .safetensors, .pt, .pth, .bin or .npz',
    )
  }
  const siblings = Object.fromEntries(files.map((file) => [file.name, file]))
  const names = new Set<string>()
  const viewed = [...chosen]
    .sort((a, b) => a.name.localeCompare(b.name, 'en', { numeric: true }))
    .map((file): ViewedFile => {
      const name = freeName(file.name, names)
      const id = `${pathIn(file)} ${file.size} ${file.lastModified}`
      return { id, name, from: file, siblings }
    })
  const isRun = folder !== undefined || viewed.length > 1
  return {
    title: folder ?? (isRun ? `${viewed.length} files` : viewed[0]!.name),
    isRun,
    files: viewed,
    from: null,
    isLocal: true,
  }
}

/** The files without the shards whose index is among them: it stands for them. */
function withoutShards<F extends { readonly name: string }>(files: readonly F[]): readonly F[] {
  const indexed = new Set(
    files.flatMap(({ name }) => (INDEX.test(name) ? name.replace(INDEX, '') : [])),
  )
  return files.filter(({ name }) => !SHARD.test(name) || !indexed.has(name.replace(SHARD, '')))
}

/** The path of a file in the folder that was chosen. */
function pathIn(file: File): string {
  return file.webkitRelativePath || file.name
}

/** The name, with a number if another file has it. */
function freeName(name: string, names: Set<string>): string {
  let free = name
  for (let i = 2; names.has(free); i++) free = `${name} (${i})`
  names.add(free)
  return free
}
