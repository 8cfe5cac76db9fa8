/** Loads the checkpoint at a path and prints, as JSON, how it was read and what is in it. */

import { loadCheckpoint } from '../../../src/load/load.js'
import { snapshot } from '../memory-state.js'

const [path = ''] = process.argv.slice(2)
await using checkpoint = await loadCheckpoint(path)
await checkpoint.verify()
const { source, step } = checkpoint
console.log(JSON.stringify({ source, step, model: await snapshot(checkpoint.model) }))
