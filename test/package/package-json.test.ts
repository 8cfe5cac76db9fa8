import { readFile } from 'node:fs/promises'
import test from 'ava'

const manifest = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8'))

test('flatbuffers is the only dependency at run time; two native ones are optional', (t) => {
  t.deepEqual(Object.keys(manifest.dependencies), ['flatbuffers'])
  t.deepEqual(Object.keys(manifest.optionalDependencies), ['@node-rs/crc32', 'koffi'])
  t.is(manifest.peerDependencies, undefined)
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
    types: './dist/src/index.d.ts',
    node: './dist/src/index.js',
    default: './dist/src/browser.js',
  })
  for (const [entry, target] of Object.entries<string | { types: string }>(manifest.exports)) {
    if (typeof target === 'object') t.regex(target.types, /\.d\.ts$/, entry)
  }
})

test('the lock file names no registry', async (t) => {
  for (const folder of ['', 'examples/digits/', 'examples/jax/', 'examples/plain/']) {
    const lock = await readFile(
      new URL(`../../${folder}package-lock.json`, import.meta.url),
      'utf8',
    )
    t.notRegex(lock, /https?:\/\/registry|"resolved": "https?:/, folder)
  }
})
