/**
 * Loads the files in a folder one after the other, each in the ways that it is told, and prints a line
 * of JSON for each: by how much the memory of this process grew at most while it did, in bytes. Run by
 * a test, in a process of its own with little heap. Linux only.
 *
 *   measure <folder> <way>...
 *
 * `map`, `file` and `memory` are ways to load a checkpoint. `foreign` reads a file of another format.
 */

import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { CheckpointError } from '../../../src/errors.js'
import { formatOf } from '../../../src/exchange/formats.js'
import { openInput } from '../../../src/exchange/node/places.js'
import { loadCheckpoint } from '../../../src/index.js'

export interface Measurement {
  /** The name of the file. */
  readonly file: string
  /** Its length in bytes. */
  readonly length: number
  readonly way: string
  /** The code of the error, or `sound`; for a file of another format the rule that it breaks. */
  readonly outcome: string
  readonly growth: number
}

/** A line of what Linux says of this process, in bytes. */
function memory(what: 'VmRSS' | 'VmHWM'): number {
  const status = readFileSync('/proc/self/status', 'latin1')
  return 1024 * Number(new RegExp(`^${what}:\\s+(\\d+) kB`, 'm').exec(status)?.[1])
}

async function load(way: string, path: string): Promise<string> {
  try {
    if (way === 'foreign') {
      const place = await openInput(path)
      const training = await (await formatOf(place)).read!(place)
      training.close()
      return 'sound'
    }
    const from = way === 'memory' ? bytes.get(path)! : path
    await using checkpoint = await loadCheckpoint(from, { map: way === 'map' })
    return checkpoint.version === 1 ? 'sound' : ''
  } catch (error) {
    if (error instanceof CheckpointError) {
      return (way === 'foreign' ? error.rule : undefined) ?? error.code
    }
    throw error
  }
}

// How often a file is loaded that seems to take more memory than its own length.
const TIMES = 3

const bytes = new Map<string, Uint8Array>()
const [folder = '', ...ways] = process.argv.slice(2)
const files = readdirSync(folder).sort()

// Code is compiled and caches are filled by the first one, which is loaded twice.
for (const file of [files[0]!, ...files]) {
  const path = join(folder, file)
  const { length } = readFileSync(path)
  for (const way of ways) {
    // What Node itself takes comes at any moment, what the file takes each time.
    let growth = Number.POSITIVE_INFINITY
    let outcome = ''
    for (let time = 0; time < TIMES && growth > length; time++) {
      // The file itself does not count.
      if (way === 'memory') bytes.set(path, new Uint8Array(readFileSync(path)))
      globalThis.gc!()
      // Forgets the peak so far.
      writeFileSync('/proc/self/clear_refs', '5')
      const before = memory('VmRSS')
      outcome = await load(way, path)
      growth = Math.min(growth, memory('VmHWM') - before)
      bytes.clear()
    }
    console.log(JSON.stringify({ file, length, way, outcome, growth } satisfies Measurement))
  }
}
