/**
 * Saves one step after another to a path until it is killed. Its one argument is the JSON of a `SaveForever`. It prints
 * a `Saved` after each save.
 */

import { writeSync } from 'node:fs'
import { FileSink } from '../../../../src/io/file/file-sink.js'
import { saveCheckpoint } from '../../../../src/save/save.js'
import { mutantFileSystem } from '../mutants.js'
import type { Saved, SaveForever } from '../save-forever.js'
import { trainingAt } from '../training.js'

const { path, saver, first, period, mutant }: SaveForever = JSON.parse(process.argv[2] ?? '')

for (let i = 0; ; i++) {
  const step = first + (period === undefined ? i : i % period)
  const { model, optimizer, progress } = trainingAt(step, saver)
  const to =
    mutant === undefined ? path : new FileSink(path, { fileSystem: mutantFileSystem(mutant) })
  const saved: Saved = await saveCheckpoint(to, model, optimizer, progress).then(
    ({ durability }) => ({ step, durability }),
    (error: Error) => ({ step, message: error.message }),
  )
  // Synchronously, so that the output is true when it is read.
  writeSync(1, `${JSON.stringify(saved)}\n`)
}
