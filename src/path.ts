/** A location as a caller gives it. */

import { isAbsolute, resolve, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe } from './format/attributes.js'
import { quote } from './printable.js'
import { isUrl } from './realm.js'

/** The path that a caller gave as text or as a file: URL. Throws a TypeError for anything else. */
export function pathOf(path: string | URL): string {
  if (isUrl(path)) {
    if (path.protocol !== 'file:') throw notAPath(path.href)
    return fileURLToPath(path.href)
  }
  if (typeof path !== 'string') {
    throw new TypeError(`a path must be a string or a file: URL, not ${describe(path)}`)
  }
  if (path === '' || path.includes('\0')) {
    throw new TypeError('a path must not be empty or contain U+0000')
  }
  if (/^[a-z][a-z\d+.-]+:\/\//i.test(path)) throw notAPath(path)
  return path
}

/** The error for a location that no file system knows, with the remedy. */
function notAPath(location: string): TypeError {
  const remedy = /^file:/i.test(location)
    ? 'pass it as a URL, by new URL()'
    : 'for a bucket, pass { store, name } with a store, such as S3Store of lightwatch-checkpoint/s3 (a manager takes ' +
      'the store itself); loadCheckpoint takes an https: address, too'
  return new TypeError(`expected a path or a file: URL, found ${quote(location)}: ${remedy}`)
}

/**
 * The absolute form of a path, by the current folder of the process. `..` stays: the system takes it for the folder
 * above the one that a link leads to. Removing it from the text would name another file.
 */
export function absolutePath(path: string): string {
  // Windows removes `..` from the text itself.
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
