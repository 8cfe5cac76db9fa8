/** The library where there are files: Node, and whatever else has Node's modules. */

export { type LoadOptions, loadCheckpoint } from './load.js'
export * from './public.js'
export { saveCheckpoint } from './save.js'
