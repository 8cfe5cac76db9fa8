/** Looks paths up in a tree of names as POSIX does: links are followed, `..` is the folder above. */

import { type Inode, ROOT, type Tree } from './model-disk.js'
import { systemError } from './system-error.js'

// Linux's own limit.
const MAX_LINKS = 40

export interface Place {
  /** The folder that holds the name, and the name; the root has none. */
  readonly folder: Inode
  readonly name: string
  /** What has the name, or undefined where nothing has. */
  readonly inode: Inode | undefined
  /** The path without links, `.` and `..`. */
  readonly path: string
}

/**
 * Finds the place of a path. Only the last name may be missing. `follow` says whether a link as the
 * last name is followed. Throws ENOENT, ENOTDIR or ELOOP as the system does.
 */
export function find(tree: Tree, path: string, follow: boolean, call = 'lookup'): Place {
  let rest = namesOf(path)
  // Folders from the root down to where we are, each with its name.
  let above: [name: string, folder: Inode][] = [['', ROOT]]
  for (let links = 0; ; ) {
    const name = rest.shift()
    const [ownName, here] = above.at(-1)!
    if (name === undefined) {
      const [, folder] = above.at(-2) ?? above[0]!
      return { folder, name: ownName, inode: here, path: pathOf(above) }
    }
    if (name === '..') {
      if (above.length > 1) above.pop()
      continue
    }
    const last = rest.length === 0
    const inode = tree.entries(here).get(name)
    const place = { folder: here, name, inode, path: pathOf([...above, [name, -1]]) }
    if (inode === undefined) {
      if (last) return place
      throw systemError('ENOENT', call, path)
    }
    const node = tree.node(inode)
    if (node.type === 'link' && !(last && !follow)) {
      links++
      if (links > MAX_LINKS) throw systemError('ELOOP', call, path)
      if (node.target.startsWith('/')) above = [above[0]!]
      rest = [...namesOf(node.target), ...rest]
    } else if (node.type === 'folder') {
      above.push([name, inode])
    } else if (last) {
      return place
    } else {
      throw systemError('ENOTDIR', call, path)
    }
  }
}

/** The inode of a path, links followed, or undefined where there is none. */
export function findInode(tree: Tree, path: string): Inode | undefined {
  try {
    return find(tree, path, true).inode
  } catch {
    return undefined
  }
}

/** The names in a path; on Windows, where our code makes them of it, without the drive. */
function namesOf(path: string): string[] {
  const names = path.split(/[\\/]+/).filter((name) => name !== '' && name !== '.')
  return /^[A-Za-z]:$/.test(names[0] ?? '') ? names.slice(1) : names
}

function pathOf(above: readonly (readonly [name: string, folder: Inode])[]): string {
  return above.length === 1 ? '/' : above.map(([name]) => name).join('/')
}
