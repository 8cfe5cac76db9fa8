/** The programs of pages, each as one script. */

import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

/** The script of a program in this folder, bundled as its users bundle the library. */
export async function bundledPage(name: 'page' | 'exchange-page' | 'bucket-page'): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL(`${name}.ts`, import.meta.url))],
    // An aws4fetch client needs none of it.
    external: ['@aws-sdk/client-s3'],
    bundle: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    write: false,
  })
  return outputFiles[0]!.text
}
