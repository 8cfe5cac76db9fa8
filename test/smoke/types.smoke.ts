/** The declarations as users' compilers see them: versions of TypeScript × ways to resolve modules. */

import { execFile } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import test from 'ava'
import { fileOf, workspace } from '../support/smoke/workspace.js'

const run = promisify(execFile)
const installed = workspace()

const COMPILERS = [
  {
    version: '5.2',
    folder: 'typescript-5.2',
    resolutions: ['node10', 'node16', 'nodenext', 'bundler'],
  },
  {
    version: '5.9',
    folder: 'typescript-5.9',
    resolutions: ['node10', 'node16', 'nodenext', 'bundler'],
  },
  // Called deprecated there, and an error where that is not answered.
  {
    version: '6.0',
    folder: 'typescript-6.0',
    resolutions: ['node10', 'node16', 'nodenext', 'bundler'],
  },
  { version: '7.0', folder: 'typescript', resolutions: ['node16', 'nodenext', 'bundler'] },
] as const

const NODE_PROGRAM = `
import {
  BackgroundSaver, type CheckpointError, CheckpointManager, loadCheckpoint, type Module, restoreCheckpoint, saveCheckpoint,
} from 'lightwatch-checkpoint'
const w = new Float32Array(4)
const model: Module = { stateDict: () => ({ w: { shape: [4], data: w } }) }
export async function main(): Promise<void> {
  await saveCheckpoint('run/a.ckpt', model, null, { step: 1, loss: 0.5, config: { lr: 1 } })
  const checkpoint = await loadCheckpoint('run/a.ckpt')
  const report = await restoreCheckpoint(checkpoint, model)
  const step: number = report.step
  checkpoint.close()
  const manager = new CheckpointManager('run', { keep: { newest: 2 } })
  await manager.save(model, null, { step })
  await manager.close()
  const saver = new BackgroundSaver()
  await saver.close()
}
export const codeOf = (error: CheckpointError): string => error.code
`

const BROWSER_PROGRAM = `
import { FileHandleSink, loadCheckpoint, MemorySink, type Module, restoreCheckpoint, saveCheckpoint } from 'lightwatch-checkpoint'
const w = new Float32Array(4)
const model: Module = { stateDict: () => ({ w: { shape: [4], data: w } }) }
export async function main(handle: FileSystemFileHandle): Promise<Blob> {
  await saveCheckpoint(new FileHandleSink(handle), model)
  await restoreCheckpoint(await loadCheckpoint(await handle.getFile()), model)
  const sink = new MemorySink()
  await saveCheckpoint(sink, model)
  return new Blob([sink.bytes])
}
// @ts-expect-error there are no paths in a browser
void saveCheckpoint('run/a.ckpt', model)
// @ts-expect-error nor folders of checkpoints
export type { CheckpointManager } from 'lightwatch-checkpoint'
`

interface Project {
  readonly name: string
  readonly text: string
  readonly options: object
}

/** Compiles a program with all checks on; rejects with what the compiler said. */
async function compile(compiler: string, { name, text, options }: Project): Promise<void> {
  const folder = join(await installed, 'types', name)
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }')
  await writeFile(join(folder, 'program.ts'), text)
  const compilerOptions = {
    noEmit: true,
    strict: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: false,
    target: 'es2022',
    lib: ['es2022', 'dom'],
    types: [],
    ...options,
  }
  await writeFile(
    join(folder, 'tsconfig.json'),
    JSON.stringify({ compilerOptions, files: ['program.ts'] }),
  )
  await run(process.execPath, [compiler, '--project', folder]).catch((error) => {
    throw new Error(error.stdout || error.message)
  })
}

const moduleOf = (resolution: string): string =>
  resolution === 'bundler' || resolution === 'node10' ? 'esnext' : resolution

for (const { version, folder, resolutions } of COMPILERS) {
  const compilerIn = async () =>
    version === '7.0'
      ? join(process.cwd(), 'node_modules', 'typescript', 'bin', 'tsc')
      : fileOf(await installed, folder, 'bin', 'tsc')
  for (const resolution of resolutions) {
    test.serial(`TypeScript ${version}, ${resolution}: a program for Node compiles`, async (t) => {
      const options = {
        module: moduleOf(resolution),
        moduleResolution: resolution,
        ...(resolution === 'bundler' ? { customConditions: ['node'] } : {}),
        ...(version === '6.0' && resolution === 'node10' ? { ignoreDeprecations: '6.0' } : {}),
      }
      const name = `node-${version}-${resolution}`
      await t.notThrowsAsync(compile(await compilerIn(), { name, text: NODE_PROGRAM, options }))
    })
  }
  test.serial(
    `TypeScript ${version}: a program for browsers sees what is there, and no more`,
    async (t) => {
      const options = {
        module: 'esnext',
        moduleResolution: 'bundler',
        lib: ['es2022', 'dom', 'dom.iterable'],
      }
      const name = `browser-${version}`
      await t.notThrowsAsync(compile(await compilerIn(), { name, text: BROWSER_PROGRAM, options }))
    },
  )
}
