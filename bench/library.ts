/** The library as it is published, built by `npm run build`. Its writing thread needs that. */

import type * as Library from '../src/index.js'

const url = new URL('../dist/src/index.js', import.meta.url)

/** Rejects if there is no `dist/`. */
export async function importLibrary(): Promise<typeof Library> {
  return (await import(url.href)) as typeof Library
}

/** Where it is, for programs of their own. */
export const libraryUrl = url.href
