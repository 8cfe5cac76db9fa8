/**
 * Starts a save in the background and does not wait for it, like a trainer that ends.
 *
 *   save-and-leave <path>
 */

import { BackgroundSaver } from '../built.js'

const [path = ''] = process.argv.slice(2)
const weights = new Float32Array(1_000_000).fill(1)
const model = { stateDict: () => ({ w: { shape: [weights.length], data: weights } }) }

const save = new BackgroundSaver().save(path, model)
await save?.staged
weights.fill(0)
console.log('staged')
