/**
 * Loads this project's TypeScript: a file of tests in a process of AVA, which requires this first, or a program in a
 * process of a test: `node typescript.cjs PROGRAM ARGUMENTS...`. Either is loaded as one bundle (bundle.mjs). That
 * spares the process loading a hundred modules, and the thread that Node starts for hooks.
 */

const { enableCompileCache, register } = require('node:module')
const { resolve } = require('node:path')
const { pathToFileURL } = require('node:url')

// Node 22 and later keep what V8 makes of a module.
enableCompileCache?.(resolve(__dirname, '../../node_modules/.cache/compiled'))

// AVA awaits what a file exports.
require.extensions['.ts'] = (module, path) => {
  module.exports = load(path)
}

async function load(path) {
  // Coverage counts the branches of each module, also of those that a bundle would leave out.
  if (process.env.NODE_V8_COVERAGE !== undefined) {
    register(`${pathToFileURL(resolve(__dirname, 'typescript.mjs'))}#hooks`)
    return import(pathToFileURL(path))
  }
  const { bundleOf } = await import('./bundle.mjs')
  return import(pathToFileURL(await bundleOf(path)))
}

if (require.main === module) {
  process.argv.splice(1, 1)
  process.argv[1] = resolve(process.argv[1])
  process.setSourceMapsEnabled(true)
  require(process.argv[1])
}
