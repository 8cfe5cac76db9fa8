/** A location as a caller gives it. */

import { isAbsolute, resolve, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe } from './format/attributes.js'

/** The path that a caller named. Throws a TypeError for what names none. */
export function pathOf(path: string | URL): string {
  if (path instanceof URL) {
    if (path.protocol !== 'file:') throw new TypeError(`not a file: URL: ${path.href}`)
    return fileURLToPath(path)
  }
  if (typeof path !== 'string') {
    throw new TypeError(`a path must be a string or a file: URL, not ${describe(path)}`)
  }
  if (path === '' || path.includes('\0')) {
    throw new TypeError('a path must not be empty or contain U+0000')
  }
  return path
}

/**
 * The path from the root, by the folder that the process is in now. `..` stays: the system takes it for the
 * folder above the one that a link leads to, and taking it off the text would name another file.
 */
export function absolutePath(path: string): string {
  // Windows takes `..` off the text itself.
  if (process.platform === 'win32') return resolve(path)
  if (isAbsolute(path)) return path
  let folder: string
  try {
    folder = process.cwd()
  } catch {
    // The folder was removed. The system says so when the path is used.
    return path
  }
  return fileIn(folder, path)
}

/** The path of a name, or of a relative path, in a folder. `..` and links in either stay as they are. */
export function fileIn(folder: string, name: string): string {
  return folder.endsWith('/') || folder.endsWith(sep)
    ? `${folder}${name}`
    : `${folder}${sep}${name}`
}
