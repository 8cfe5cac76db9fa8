import { execFile } from 'node:child_process'
import { symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test from 'ava'
import { build } from 'esbuild'
import { scratchFolder } from '../support/scratch.js'

const folder = fileURLToPath(new URL('../..', import.meta.url))
const run = promisify(execFile)

// Longer than what this thread checks alone: the scripts of other threads are not in a bundle.
const PROGRAM = `
import { loadCheckpoint, restoreCheckpoint, saveCheckpoint } from 'lightwatch-checkpoint'
const length = 70 * 2 ** 20
const data = new Float32Array(length).fill(2)
const model = { stateDict: () => ({ w: { shape: [length], data } }) }
async function main() {
  await saveCheckpoint('a.ckpt', model, null, { durable: false })
  data.fill(0)
  const checkpoint = await loadCheckpoint('a.ckpt')
  await restoreCheckpoint(checkpoint, model)
  checkpoint.close()
  console.log(data.at(-1))
}
main()
`

for (const format of ['cjs', 'esm'] as const) {
  test(`a program that is bundled with the library (${format}) saves and restores`, async (t) => {
    const where = await scratchFolder(t)
    symlinkSync(join(folder, 'node_modules'), join(where, 'node_modules'))
    writeFileSync(join(where, 'program.js'), PROGRAM)
    const bundle = join(where, format === 'cjs' ? 'bundle.cjs' : 'bundle.mjs')
    await build({
      entryPoints: [join(where, 'program.js')],
      outfile: bundle,
      bundle: true,
      platform: 'node',
      format,
      alias: { 'lightwatch-checkpoint': join(folder, 'dist/src/index.js') },
      external: ['koffi', '@node-rs/crc32'],
      // Of a bundle in CommonJS: `import.meta` is empty there, which the library gets along with.
      logLevel: 'error',
    })
    const { stdout } = await run(process.execPath, [bundle], { cwd: where })
    t.is(stdout, '2\n')
  })
}
