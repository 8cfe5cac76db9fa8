/** TensorFlow.js: its own save of a model with its optimizer, and this library's, in one process. */

import { digits, installPackages } from '../../scripts/install-packages.js'
import { Contender, nodeProgram } from '../contender.js'
import { type Bench, OURS } from '../field.js'
import { runRounds } from '../rounds.js'
import { shortReason, type Table } from '../table.js'

const SIZES = { small: { layers: 2, width: 256 }, gpt2: { layers: 8, width: 1024 } }

export async function measureTfjs(bench: Bench): Promise<Table> {
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
    return { ...table, missing: [{ name, reason: shortReason((error as Error).message) }] }
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
  return {
    ...table,
    rows: [...values].map(([row, of]) => ({ name: row, values: of })),
    notes: [
      `${(length / 1e6).toFixed(0)} MB on the cpu backend. Its own handler for files needs a native ` +
        'package; here one of ours writes the same artifacts (topology and weights) and syncs them.',
    ],
    missing: [...failed].map(([row, reason]) => ({ name: row, reason: shortReason(reason) })),
  }
}
