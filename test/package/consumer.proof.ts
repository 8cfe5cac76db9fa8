/**
 * The package as its users get it: packed, installed into an empty folder, and used as the README
 * says. Packs what `npm run build` has made (`npm test` does that first).
 */

import { execFile } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import anyTest, { type ExecutionContext, type TestFn } from 'ava'
import { blocksOf } from '../support/docs/markdown.js'
import { programOf } from '../support/docs/program.js'

const test = anyTest as TestFn<{ folder: string; tarball: string }>
const run = promisify(execFile)
const root = fileURLToPath(new URL('../..', import.meta.url))

/** The first block of code in the README. */
async function quickStart(): Promise<string> {
  const readme = await readFile(join(root, 'README.md'), 'utf8')
  return blocksOf(readme).find(({ language }) => language === 'ts')!.code
}

/** The file that a command of a development dependency is in. */
function binOf(name: string, command: string): string {
  const manifest = createRequire(import.meta.url).resolve(`${name}/package.json`)
  const { bin } = createRequire(import.meta.url)(manifest)
  return join(dirname(manifest), typeof bin === 'string' ? bin : bin[command])
}

async function node(folder: string, ...args: string[]): Promise<string> {
  const { stdout } = await run(process.execPath, args, { cwd: folder })
  return stdout
}

test.before(async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'ckpt-consumer-'))
  const packed = await run(
    'npm',
    ['pack', '--ignore-scripts', '--json', '--pack-destination', folder],
    { cwd: root },
  )
  const [{ filename }] = JSON.parse(packed.stdout)
  const tarball = join(folder, filename)
  await writeFile(join(folder, 'package.json'), '{ "private": true, "type": "module" }')
  await run('npm', ['install', '--ignore-scripts', '--prefer-offline', '--no-audit', tarball], {
    cwd: folder,
  })
  // The clients that the guide to buckets uses: a user installs them beside the library.
  for (const client of ['@aws-sdk', 'aws4fetch']) {
    await symlink(join(root, 'node_modules', client), join(folder, 'node_modules', client))
  }
  t.context = { folder, tarball }
})

test.serial(
  'the package holds the library, the schema and the documents, and nothing else',
  async (t) => {
    const { stdout } = await run('npm', ['pack', '--ignore-scripts', '--dry-run', '--json'], {
      cwd: root,
    })
    const paths: string[] = JSON.parse(stdout)[0].files.map((file: { path: string }) => file.path)
    const documents = paths.filter((path) => !path.startsWith('dist/'))
    t.deepEqual(documents.sort(), [
      'CHANGELOG.md',
      'LICENSE',
      'README.md',
      'SECURITY.md',
      'UPGRADING.md',
      'package.json',
      'schema/checkpoint.fbs',
    ])
    t.true(paths.includes('dist/src/index.js'))
    for (const path of paths) {
      if (path.startsWith('dist/')) t.regex(path, /\.(js|d\.ts)$|^dist\/viewer\/index\.html$/, path)
    }
    t.true(paths.includes('dist/viewer/index.html'))
  },
)

test.serial('the quick start of the README runs as it stands, in plain JavaScript', async (t) => {
  const { folder } = t.context
  await writeFile(join(folder, 'quick-start.mjs'), await quickStart())
  const printed = await node(folder, 'quick-start.mjs')
  t.is(printed, '[ 2, 2 ]\n3 1000 0.42\ntrue\n')
})

/** Writes the code of pages into a project, and compiles it with all checks on. */
async function compiles(
  t: ExecutionContext<{ folder: string }>,
  pages: readonly string[],
  types: readonly string[],
): Promise<void> {
  const project = await mkdtemp(join(t.context.folder, 'types-'))
  for (const page of pages) {
    const { source, files } = programOf(await readFile(join(root, page), 'utf8'))
    // Frameworks are not installed here; the adapters' types have tests of their own.
    if (/'@(tensorflow|jax-js)\//.test(source)) continue
    for (const [i, text] of [source, ...files.values()].entries()) {
      await writeFile(join(project, `${basename(page, '.md')}-${i}.ts`), text)
    }
  }
  for (const resolution of ['nodenext', 'bundler']) {
    await writeFile(
      join(project, 'tsconfig.json'),
      JSON.stringify({
        compilerOptions: {
          target: 'es2022',
          lib: ['es2022', 'dom', 'esnext.disposable'],
          module: resolution === 'bundler' ? 'esnext' : resolution,
          moduleResolution: resolution,
          ...(resolution === 'bundler' ? { customConditions: ['node'] } : {}),
          moduleDetection: 'force',
          strict: true,
          exactOptionalPropertyTypes: true,
          noUncheckedIndexedAccess: true,
          noEmit: true,
          types,
          typeRoots: [join(root, 'node_modules', '@types')],
        },
        include: ['*.ts'],
      }),
    )
    const compiler = binOf('typescript', 'tsc')
    await t.notThrowsAsync(
      node(t.context.folder, compiler, '--project', project).catch((error) => {
        throw new Error(error.stdout)
      }),
      resolution,
    )
  }
}

test.serial("so does the README's code in TypeScript, without Node's types", async (t) => {
  await compiles(t, ['README.md'], [])
})

test.serial('the code of the guides is TypeScript with all checks on', async (t) => {
  const guides = await readdir(join(root, 'docs', 'guide'))
  t.true(guides.length > 10)
  await compiles(
    t,
    guides.map((name) => join('docs', 'guide', name)),
    ['node'],
  )
})

test.serial('without the optional packages the quick start prints the same', async (t) => {
  const { folder } = t.context
  await writeFile(join(folder, 'no-optional.mjs'), await quickStart())
  const withAll = await node(folder, 'no-optional.mjs')
  for (const name of ['koffi', '@node-rs']) {
    await rm(join(folder, 'node_modules', name), { recursive: true, force: true })
  }
  t.is(await node(folder, 'no-optional.mjs'), withAll)
})

test.serial('every entry can be imported by its name, and the schema resolved', async (t) => {
  const { folder } = t.context
  const script = `
    const name = 'lightwatch-checkpoint'
    for (const entry of ['', '/node', '/tensorflow', '/tree', '/jax', '/diff', '/safetensors', '/numpy', '/pytorch', '/model-json', '/convert', '/resume-check']) {
      console.log(entry, Object.keys(await import(name + entry)).sort().join(' '))
    }
    console.log(import.meta.resolve(name + '/schema/checkpoint.fbs').slice(-14))
  `
  const printed = await node(folder, '--input-type=module', '--eval', script)
  const [main, explicit, ...others] = printed.trim().split('\n')
  t.is(explicit?.replace('/node ', ''), main)
  t.deepEqual(others, [
    '/tensorflow tensorflowCallback tensorflowModule tensorflowOptimizer',
    '/tree compareTree flattenTree pytorchStyle rebuildTree restoreTree treeState',
    '/jax jaxTree',
    '/diff checkHealth diffCheckpoints',
    '/safetensors loadSafetensors saveSafetensors',
    '/numpy loadNpy loadNpz saveNpy saveNpz',
    '/pytorch loadPytorch',
    '/model-json loadModelJson saveModelJson',
    '/convert convertCheckpoint',
    '/resume-check checkResume',
    'checkpoint.fbs',
  ])
})

test.serial('the ckpt command is installed with the package', async (t) => {
  const { folder } = t.context
  await run(process.execPath, ['quick-start.mjs'], { cwd: folder })
  const { stdout } = await run('npx', ['--no-install', 'ckpt', 'verify', 'run/step-1000.ckpt'], {
    cwd: folder,
  })
  t.regex(stdout, /run\/step-1000\.ckpt.*ok/)
})

test.serial('publint finds nothing wrong with the package', async (t) => {
  const { formatMessage } = await import('publint/utils')
  const { publint } = await import('publint')
  const { messages, pkg } = await publint({ pkgDir: root, strict: true, pack: false })
  t.deepEqual(
    messages.map((message) => formatMessage(message, pkg)),
    [],
  )
})

test.serial('its types resolve as its code does, for every kind of consumer', async (t) => {
  const { tarball, folder } = t.context
  // CommonJS gets an ES module, as Node 20.19 and later can require one.
  const attw = binOf('@arethetypeswrong/cli', 'attw')
  const args = [attw, tarball, '--profile', 'esm-only', '--exclude-entrypoints']
  await t.notThrowsAsync(
    node(folder, ...args, 'schema/checkpoint.fbs', './schema/checkpoint.fbs', 'package.json'),
  )
})
