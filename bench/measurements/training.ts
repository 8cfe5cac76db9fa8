/** The cost of background saves for a training, at intervals of ten times the duration of a save. */

import { Contender, nodeProgram } from '../contender.js'
import type { Bench } from '../field.js'
import { runRounds } from '../rounds.js'
import { stateBytes, transformerState } from '../state.js'
import { goal, type Table } from '../table.js'
import { need } from './save.js'

const INTERVALS = 2
const APART = 10
/** Steps between saves at least, for states whose save is shorter than a step. */
const LEAST_STEPS = 10

interface Trained {
  readonly total: number
  readonly blocked: number
  readonly unfinished: boolean
}

export async function measureTraining(bench: Bench): Promise<Table> {
  const { options, folder } = bench
  await using trainer = new Contender('trainer', nodeProgram('trainer.ts'))
  await trainer.call('load', { spec: folder.spec(transformerState(options.size)) })
  const path = folder.file()
  const length = stateBytes(transformerState(options.size))
  folder.settle(length)
  const { perStep, save } = await trainer.call<{ perStep: number; save: number }>('calibrate', {
    path,
  })
  const every = Math.max(LEAST_STEPS, Math.round((APART * save) / perStep))
  const steps = INTERVALS * every
  const blocked: number[] = []
  let unfinished = 0
  const run = async (saving: boolean, round: number) => {
    folder.settle(length)
    const trained = await trainer.call<Trained>('train', { steps, every: saving ? every : 0, path })
    if (saving && round >= 0) {
      blocked.push((100 * trained.blocked) / trained.total)
      if (trained.unfinished) unfinished++
    }
    return trained.total
  }
  const without = 'without saves'
  const saving = 'saving in the background'
  const { values, failed } = await runRounds(
    [
      { row: without, run: (round) => run(false, round) },
      { row: saving, run: (round) => run(true, round) },
    ],
    Math.min(options.rounds, 5),
  )
  folder.remove(path)
  const plain = need(values, without, failed)
  const slowed = need(values, saving, failed)
  const lost = slowed.map((total, i) => 100 * (1 - plain[i]! / total))
  return {
    id: 'training',
    title: 'Training that saves in the background',
    unit: 's',
    reference: without,
    rows: [
      { name: without, values: plain },
      { name: saving, values: slowed },
    ],
    goals: [goal('throughput of training that is lost', lost, 'at most', 3.5, '%')],
    notes: [
      `A step of ${(1000 * perStep).toFixed(0)} ms keeps the JavaScript thread busy and yields once; ` +
        `a save alone took ${save.toFixed(2)} s; one begins every ${every} steps, ${INTERVALS} in a run ` +
        `of ${steps} steps.`,
      `Of the time with saves, the caller waited for staging ${Math.max(...blocked).toFixed(1)} % at most.` +
        (unfinished > 0 ? ` In ${unfinished} runs the last save was not durable at the end.` : ''),
    ],
    missing: [],
  }
}
