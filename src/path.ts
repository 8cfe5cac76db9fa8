/** A location as a caller gives it. */

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
