/** The environments that people run the library in, and how each runs a program. */

import { execFile } from 'node:child_process'
import { cp, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { fileOf } from './workspace.js'

const run = promisify(execFile)

/** A command, to which the work and its folder are appended. */
export interface Command {
  readonly program: string
  readonly args: readonly string[]
  readonly cwd?: string
}

/** An environment in which programs run as processes. */
export interface Environment {
  readonly name: string
  /** Makes ready what is needed, in `folder` of its own, and returns the command of `main.mjs`. */
  readonly prepare: (workspace: string, folder: string) => Promise<Command>
  /** The command line of `ckpt`, where the environment runs files of a package. */
  readonly ckpt?: (workspace: string) => Command
}

const main = (workspace: string) => join(workspace, 'programs', 'main.mjs')
const ckptOf = (workspace: string) =>
  fileOf(workspace, 'lightwatch-checkpoint', 'dist/src/cli/main.js')

function runtime(
  name: string,
  programOf: (workspace: string) => string,
  args: readonly string[] = [],
): Environment {
  return {
    name,
    prepare: async (workspace) => ({
      program: programOf(workspace),
      args: [...args, main(workspace)],
    }),
    ckpt: (workspace) => ({ program: programOf(workspace), args: [...args, ckptOf(workspace)] }),
  }
}

const node = (version: number) => (workspace: string) =>
  version === Number.parseInt(process.versions.node, 10)
    ? process.execPath
    : fileOf(workspace, `node-${version}`, 'bin', 'node')

const permitted = ['--allow-fs-read=*', '--allow-fs-write=*', '--allow-worker', '--allow-addons']

const bun = (workspace: string) => fileOf(workspace, '@oven/bun-linux-x64', 'bin', 'bun')
const deno = (workspace: string) => fileOf(workspace, '@deno/linux-x64-glibc', 'deno')

/** Runtimes, with the permissions that each can take away. */
export const runtimes: readonly Environment[] = [
  runtime('Node 20', node(20)),
  runtime('Node 22', node(22)),
  runtime('Node 24', node(24)),
  runtime('Node 26', node(26)),
  runtime('Node 20, permission model', node(20), ['--experimental-permission', ...permitted]),
  runtime('Node 22, permission model', node(22), ['--permission', ...permitted]),
  runtime('Node 24, permission model', node(24), ['--permission', ...permitted]),
  runtime('Node 26, permission model', node(26), ['--permission', ...permitted]),
  runtime('Bun', bun, ['run']),
  runtime('Deno', deno, ['run', '--allow-all', '--node-modules-dir=manual']),
  runtime('Deno, no --allow-sys', deno, [
    'run',
    '--allow-read',
    '--allow-write',
    '--allow-env',
    '--allow-ffi',
    '--no-prompt',
    '--node-modules-dir=manual',
  ]),
]

/** Packages that have native parts, which no bundler can take in. */
const NATIVE = ['koffi', '@node-rs/crc32']

type Bundle = (entry: string, output: string, workspace: string) => Promise<void>

function bundled(name: string, file: string, bundle: Bundle): Environment {
  return {
    name,
    async prepare(workspace, folder) {
      const output = join(folder, file)
      await bundle(main(workspace), output, workspace)
      return file.includes('.')
        ? { program: process.execPath, args: [output] }
        : { program: output, args: [] }
    },
  }
}

/** Runs a script with the workspace's packages. */
async function script(workspace: string, name: string, text: string): Promise<void> {
  await mkdir(join(workspace, 'scripts'), { recursive: true })
  const file = join(workspace, 'scripts', `${name}.mjs`)
  await writeFile(file, text)
  await run(process.execPath, [file], { cwd: workspace, maxBuffer: 2 ** 26 })
}

const text = JSON.stringify

const esbuild =
  (format: 'esm' | 'cjs'): Bundle =>
  (entry, output, workspace) =>
    script(
      workspace,
      `esbuild-${format}`,
      `import { build } from 'esbuild'
       await build({ entryPoints: [${text(entry)}], outfile: ${text(output)}, bundle: true, platform: 'node',
         format: ${text(format)}, external: ${text(NATIVE)}, logLevel: 'error' })`,
    )

const rollup: Bundle = (entry, output, workspace) =>
  script(
    workspace,
    'rollup',
    `import commonjs from '@rollup/plugin-commonjs'
     import resolve from '@rollup/plugin-node-resolve'
     import { rollup } from 'rollup'
     const bundle = await rollup({ input: ${text(entry)}, external: [/^node:/, ...${text(NATIVE)}],
       plugins: [resolve({ exportConditions: ['node'] }), commonjs()] })
     await bundle.write({ file: ${text(output)}, format: 'es', inlineDynamicImports: true })`,
  )

const vite: Bundle = (entry, output, workspace) =>
  script(
    workspace,
    'vite',
    `import { basename, dirname } from 'node:path'
     import { build } from 'vite'
     await build({ logLevel: 'error', configFile: false, ssr: { noExternal: true, external: ${text(NATIVE)} },
       build: { ssr: ${text(entry)}, outDir: dirname(${text(output)}), emptyOutDir: false,
         rollupOptions: { output: { entryFileNames: basename(${text(output)}) } } } })`,
  )

const webpack: Bundle = (entry, output, workspace) =>
  script(
    workspace,
    'webpack',
    `import { basename, dirname } from 'node:path'
     import webpack from 'webpack'
     await new Promise((resolve, reject) => webpack({ mode: 'production', target: 'node20', entry: ${text(entry)},
       output: { path: dirname(${text(output)}), filename: basename(${text(output)}) } },
       (error, stats) => error || stats.hasErrors() ? reject(error ?? new Error(stats.toString('errors-only'))) : resolve()))`,
  )

/** An application of Next, built by one of its bundlers, whose route does the works in the server. */
function next(
  name: string,
  bundler: 'webpack' | 'turbopack',
  env: Record<string, string>,
): Environment {
  return {
    name,
    async prepare(workspace, folder) {
      await cp(fileURLToPath(new URL('next', import.meta.url)), folder, { recursive: true })
      await run(
        process.execPath,
        [fileOf(workspace, 'next/dist/bin/next'), 'build', `--${bundler}`],
        {
          cwd: folder,
          env: { ...process.env, NODE_ENV: 'production', NEXT_TELEMETRY_DISABLED: '1', ...env },
          maxBuffer: 2 ** 26,
        },
      )
      return { program: process.execPath, args: [join(folder, 'serve.mjs')] }
    },
  }
}

/** Bundlers, each with native packages left out where it does not leave them out itself. */
export const bundles: readonly Environment[] = [
  bundled('esbuild, ES module', 'bundle.mjs', esbuild('esm')),
  bundled('esbuild, CommonJS', 'bundle.cjs', esbuild('cjs')),
  bundled('Rollup', 'bundle.mjs', rollup),
  bundled('Vite, for a server', 'bundle.mjs', vite),
  bundled('webpack', 'bundle.cjs', webpack),
  bundled('bun build', 'bundle.mjs', async (entry, output, workspace) => {
    const external = NATIVE.flatMap((name) => ['--external', name])
    await run(bun(workspace), ['build', entry, '--target=node', '--outfile', output, ...external])
  }),
  bundled('bun build --compile', 'program', async (entry, output, workspace) => {
    await run(bun(workspace), ['build', '--compile', entry, '--outfile', output])
  }),
  bundled('Node, single executable', 'program', async (entry, output, workspace) => {
    const bundle = `${output}.cjs`
    await esbuild('cjs')(entry, bundle, workspace)
    const config = `${output}.json`
    const blob = `${output}.blob`
    await writeFile(
      config,
      text({ main: bundle, output: blob, disableExperimentalSEAWarning: true }),
    )
    await run(process.execPath, ['--experimental-sea-config', config])
    await run('cp', [process.execPath, output])
    await run(process.execPath, [
      fileOf(workspace, 'postject', 'dist', 'cli.js'),
      output,
      'NODE_SEA_BLOB',
      blob,
      '--sentinel-fuse',
      'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2',
    ])
  }),
]

/** Next with the library in its bundle, and with the library left to Node. */
export const applications: readonly Environment[] = [
  next('Next, webpack', 'webpack', {}),
  next('Next, Turbopack', 'turbopack', {}),
  next('Next, external', 'turbopack', { EXTERNAL: '1' }),
]

/** A test runner: one command that runs the works as tests, and fails where one does. */
export interface Runner {
  readonly name: string
  readonly command: (workspace: string) => Promise<Command>
}

const jest = (name: string, config: object, nodeArguments: readonly string[]): Runner => ({
  name,
  async command(workspace) {
    const file = join(workspace, `${name.replace(/\W+/g, '-')}.json`)
    await writeFile(
      file,
      text({
        rootDir: workspace,
        testMatch: ['**/programs/*.test.mjs'],
        moduleFileExtensions: ['mjs', 'js', 'json'],
        ...config,
      }),
    )
    return {
      program: process.execPath,
      args: [
        ...nodeArguments,
        fileOf(workspace, 'jest/bin/jest.js'),
        '--config',
        file,
        '--no-cache',
      ],
    }
  },
})

const vitest = (pool: string): Runner => ({
  name: `Vitest, ${pool}`,
  command: async (workspace) => ({
    program: process.execPath,
    cwd: workspace,
    args: [
      fileOf(workspace, 'vitest/vitest.mjs'),
      'run',
      '--globals',
      `--pool=${pool}`,
      '--dir=programs',
    ],
  }),
})

/** Test runners, two of which give tests another realm. */
export const runners: readonly Runner[] = [
  jest('Jest, ES modules', { transform: {} }, ['--experimental-vm-modules', '--no-warnings']),
  // Its own mode, which loads no ES module: the library is transformed, as its guide says.
  jest(
    'Jest, CommonJS',
    {
      transform: { '\\.m?js$': ['@swc/jest', { module: { type: 'commonjs' } }] },
      transformIgnorePatterns: ['/node_modules/(?!(lightwatch-checkpoint|flatbuffers)/)'],
    },
    [],
  ),
  vitest('threads'),
  vitest('forks'),
  vitest('vmThreads'),
  vitest('vmForks'),
]
