/**
 * TensorFlow.js: its own save of a model with its optimizer, and this library's, in one process. And this library's
 * restore, with the read-back and without it.
 */

import { digits, installPackages } from '../../scripts/install-packages.js'
import { Contender, nodeProgram } from '../contender.js'
import { type Bench, OURS } from '../field.js'
import { runRounds } from '../rounds.js'
import { shortReason, type Table } from '../table.js'

const SIZES = { small: { layers: 2, width: 256 }, gpt2: { layers: 8, width: 1024 } }

const NOT_READ_BACK = `${OURS}, readBack: false`

export async function measureTfjs(bench: Bench): Promise<Table[]> {
  const { options, folder } = bench
  const table: Table = {
    id: 'tfjs',
    title: 'TensorFlow.js: a model and its Adam, durable',
    unit: 's',
    reference: OURS,
    rows: [],
    goals: [],
    notes: [],
    missing: [],
  }
  const name = 'model.save, includeOptimizer'
  try {
    await installPackages(digits)
  } catch (error) {
    return [{ ...table, missing: [{ name, reason: shortReason((error as Error).message) }] }]
  }
  await using contender = new Contender('TensorFlow.js', nodeProgram('tfjs.ts', digits))
  const length = await contender.call<number>('load', SIZES[options.size])
  const run = (call: string, callArguments: object) => async () => {
    folder.settle(length)
    const path = folder.file()
    try {
      return await contender.call<number>(call, { path, ...callArguments })
    } finally {
      folder.remove(path)
    }
  }
  const { values, failed } = await runRounds(
    [
      { row: OURS, run: run('saveOurs', {}) },
      { row: name, run: run('save', { durable: true }) },
    ],
    options.rounds,
  )
  const saves: Table = {
    ...table,
    rows: [...values].map(([row, of]) => ({ name: row, values: of })),
    notes: [
      `${(length / 1e6).toFixed(0)} MB on the cpu backend. Its own handler for files needs a native ` +
        'package; here one of ours writes the same artifacts (topology and weights) and syncs them.',
    ],
    missing: missingOf(failed),
  }
  return [saves, await measureTfjsRestore(bench, contender)]
}

/** What the read-back costs: each restore opens the file anew, and overwrites the model and its buffers. */
async function measureTfjsRestore(
  { options, folder }: Bench,
  contender: Contender,
): Promise<Table> {
  const path = folder.file()
  await contender.call('saveOurs', { path })
  folder.settle()
  const restore = (readBack: boolean) => () =>
    contender.call<number>('restoreOurs', { path, readBack })
  const { values, failed } = await runRounds(
    [
      { row: OURS, run: restore(true) },
      { row: NOT_READ_BACK, run: restore(false) },
    ],
    options.rounds,
  )
  folder.remove(path)
  return {
    id: 'tfjs-restore',
    title: 'TensorFlow.js: restore of the same, file in the page cache',
    unit: 's',
    reference: OURS,
    rows: [...values].map(([row, of]) => ({ name: row, values: of })),
    goals: [],
    notes: [
      'By default every tensor is fetched once more after the restore, and its checksum compared with that of the file.',
    ],
    missing: missingOf(failed),
  }
}

function missingOf(failed: ReadonlyMap<string, string>): Table['missing'] {
  return [...failed].map(([name, reason]) => ({ name, reason: shortReason(reason) }))
}
