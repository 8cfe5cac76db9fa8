/** jax-js for the tests of its adapter: that of its example, whose types are unknown here. */

import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { installPackages, jax as jaxFolder } from '../../../scripts/install-packages.js'

// jax-js is installed beside the example and not here, so its types are unknown.
// biome-ignore lint/suspicious/noExplicitAny: see above
export type Untyped = any

/** How long an install may take, on a slow line. */
export const INSTALL_MS = 300_000

/** jax-js's namespace; installed if need be. */
export async function jax(): Promise<Untyped> {
  await installPackages(jaxFolder)
  // By its path: `require.resolve` finds the CommonJS copy, whose arrays are not those of the example.
  const entry = join(jaxFolder, 'node_modules', '@jax-js', 'jax', 'dist', 'index.js')
  return import(pathToFileURL(entry).href)
}

export { jaxFolder }
