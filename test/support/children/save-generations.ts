/**
 * Saves one generation after the other to a path, for a parent that kills it.
 *
 *   save-generations <path> <first> forever       prints `committed <generation>` after each save
 *   save-generations <path> <first> <fraction>    saves one, and stands still for good in the middle
 *                                                 of it, after printing `inside <done> <total>`
 */

import { writeSync } from 'node:fs'
import { saveCheckpoint } from '../../../src/save/save.js'
import { Generations } from '../generations.js'

const [path = '', first = '', until = ''] = process.argv.slice(2)
const generations = new Generations()

// At once, and not when the event loop gets to it.
const print = (line: string) => writeSync(1, `${line}\n`)

for (let generation = Number(first); ; generation++) {
  const { model, optimizer } = generations.set(generation)
  print(`saving ${generation}`)
  await saveCheckpoint(path, model, optimizer, {
    step: generation,
    onProgress({ done, total }) {
      if (until === 'forever' || done / total < Number(until)) return
      print(`inside ${done} ${total}`)
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
    },
  })
  print(`committed ${generation}`)
}
