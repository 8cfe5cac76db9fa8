/** The library as it is published: what `npm run build` made. Its thread that writes needs that. */

import type * as Library from '../src/index.js'

const url = new URL('../dist/src/index.js', import.meta.url)

/** Rejects where there is no `dist/`. */
export async function importLibrary(): Promise<typeof Library> {
  return (await import(url.href)) as typeof Library
}

/** Where it is, for programs of their own. */
export const libraryUrl = url.href
