/**
 * The package as its users get it: packed, installed into an empty folder, and used as the README
 * says. Packs what `npm run build` has made (`npm test` does that first).
 */

import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import anyTest, { type TestFn } from 'ava'

const test = anyTest as TestFn<{ folder: string; tarball: string }>
const run = promisify(execFile)
const root = fileURLToPath(new URL('../..', import.meta.url))

/** The blocks of code of a language in the README, in their order. */
async function readmeBlocks(language: string): Promise<string[]> {
  const readme = await readFile(join(root, 'README.md'), 'utf8')
  return [...readme.matchAll(/^```(\w+)\n(.*?)^```$/gms)]
    .filter(([, found]) => found === language)
    .map(([, , code]) => code!)
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
      'package.json',
      'schema/checkpoint.fbs',
    ])
    t.true(paths.includes('dist/src/index.js'))
    for (const path of paths) if (path.startsWith('dist/')) t.regex(path, /\.(js|d\.ts)$/, path)
  },
)

test.serial('the quick start of the README runs as it stands, in plain JavaScript', async (t) => {
  const { folder } = t.context
  const [quickStart] = await readmeBlocks('js')
  await writeFile(join(folder, 'quick-start.mjs'), quickStart!)
  const printed = await node(folder, 'quick-start.mjs')
  const weights =
    '0.10000000149011612, 0.20000000298023224, 0.30000001192092896, 0.4000000059604645'
  const array = `Float32Array(4) [ ${weights} ]`
  t.is(printed.replace(/\s+/g, ' '), `${array} 3 1000 0.42 ${array} `)
})

test.serial('and in TypeScript, as does every other block of it, with all checks on', async (t) => {
  const { folder } = t.context
  const blocks = [...(await readmeBlocks('js')), ...(await readmeBlocks('ts'))]
  t.true(blocks.length >= 2)
  await mkdir(join(folder, 'types'), { recursive: true })
  // Those that are whole, and need no framework.
  const own = blocks.filter((b) => b.includes("from 'lightwatch") && !b.includes('@tensorflow'))
  for (const [i, block] of own.entries()) {
    await writeFile(join(folder, 'types', `block-${i}.ts`), block)
  }
  for (const resolution of ['nodenext', 'bundler']) {
    await writeFile(
      join(folder, 'types', 'tsconfig.json'),
      JSON.stringify({
        compilerOptions: {
          target: 'es2022',
          lib: ['es2022', 'dom'],
          module: resolution === 'bundler' ? 'esnext' : resolution,
          moduleResolution: resolution,
          ...(resolution === 'bundler' ? { customConditions: ['node'] } : {}),
          moduleDetection: 'force',
          strict: true,
          exactOptionalPropertyTypes: true,
          noUncheckedIndexedAccess: true,
          noEmit: true,
          types: [],
        },
        include: ['*.ts'],
      }),
    )
    await t.notThrowsAsync(
      node(folder, binOf('typescript', 'tsc'), '--project', join(folder, 'types')),
      resolution,
    )
  }
})

test.serial('without the optional packages the quick start prints the same', async (t) => {
  const { folder } = t.context
  const [quickStart] = await readmeBlocks('js')
  await writeFile(join(folder, 'no-optional.mjs'), quickStart!)
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
    for (const entry of ['', '/node', '/tensorflow', '/tree', '/jax', '/diff', '/resume-check']) {
      console.log(entry, Object.keys(await import(name + entry)).sort().join(' '))
    }
    console.log(import.meta.resolve(name + '/schema/checkpoint.fbs').slice(-14))
  `
  const printed = await node(folder, '--input-type=module', '--eval', script)
  const [main, explicit, ...others] = printed.trim().split('\n')
  t.is(explicit?.replace('/node ', ''), main)
  t.deepEqual(others, [
    '/tensorflow tensorflowCallback tensorflowModule tensorflowOptimizer',
    '/tree compareTree flattenTree rebuildTree restoreTree treeState',
    '/jax jaxTree',
    '/diff checkHealth diffCheckpoints',
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
