import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import test from 'ava'

const manifest = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8'))

test('flatbuffers is the only dependency at run time; two native ones and the clients of buckets are optional', (t) => {
  t.deepEqual(Object.keys(manifest.dependencies), ['flatbuffers'])
  t.deepEqual(Object.keys(manifest.optionalDependencies), ['@node-rs/crc32', 'koffi'])
  const peers = ['@aws-sdk/client-s3', 'aws4fetch']
  t.deepEqual(Object.keys(manifest.peerDependencies), peers)
  for (const peer of peers) t.true(manifest.peerDependenciesMeta[peer].optional, peer)
})

test('installing the package runs no script', (t) => {
  for (const script of ['preinstall', 'install', 'postinstall', 'prepare']) {
    t.is(manifest.scripts[script], undefined, script)
  }
})

test('the package is an ES module without side effects, for Node 20.19 and later', (t) => {
  t.is(manifest.type, 'module')
  t.false(manifest.sideEffects)
  t.is(manifest.engines.node, '>=20.19')
})

test('every entry has its types, and the main one is split between Node and browsers', (t) => {
  t.deepEqual(manifest.exports['.'], {
    types: { node: './dist/src/index.d.ts', default: './dist/src/browser.d.ts' },
    node: './dist/src/index.js',
    default: './dist/src/browser.js',
  })
  // For whoever resolves without the condition `node`, as TypeScript does for bundlers.
  t.deepEqual(manifest.exports['./node'], {
    types: './dist/src/index.d.ts',
    default: './dist/src/index.js',
  })
  const typed = (target: object): boolean =>
    'types' in target && /\.d\.ts"?}?$/.test(JSON.stringify(target.types))
  for (const [entry, target] of Object.entries<string | object>(manifest.exports)) {
    if (typeof target === 'object') t.true(typed(target), entry)
  }
})

test('the lock file names no registry', async (t) => {
  const folders = [
    '',
    'examples/digits/',
    'examples/jax/',
    'examples/plain/',
    'examples/libraries/',
    'examples/nanogpt/',
    'test/support/smoke/tools/',
    'docs/site/',
  ]
  for (const folder of folders) {
    const lock = await readFile(
      new URL(`../../${folder}package-lock.json`, import.meta.url),
      'utf8',
    )
    t.notRegex(lock, /https?:\/\/registry|"resolved": "https?:/, folder)
  }
})

test('an import of the library leaves the standard input of the process alone', async (t) => {
  const library = new URL('../../dist/src/index.js', import.meta.url).href
  const program = `
    import { readSync } from 'node:fs'
    await import('${library}')
    readSync(0, new Uint8Array(1), 0, 1, null)`
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program])
  let errors = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text
  })
  // It has to wait for a byte that comes late.
  setTimeout(() => child.stdin.end('x'), 2000)
  const [code] = await once(child, 'exit')
  t.is(code, 0, errors)
})
