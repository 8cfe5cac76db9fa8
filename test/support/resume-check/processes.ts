/**
 * Importing this gives the processes of `checkResume`, which are started with the arguments of this one, a loader for
 * TypeScript. They import modules by name when they run, so a bundle is not enough.
 */
process.execArgv.push(`--import=${new URL('../typescript.mjs', import.meta.url)}`)
