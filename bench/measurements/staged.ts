/** A background save: how long it delays the caller, compared with one plain copy of the state. */

import { type Bench, Field } from '../field.js'
import { runRounds } from '../rounds.js'
import { stateBytes, transformerState } from '../state.js'
import { ratios } from '../statistics.js'
import { goal, type Table } from '../table.js'
import { need } from './save.js'

const COPY = 'plain copy into warm memory'
const STAGED = 'BackgroundSaver: until staged'
const DURABLE = 'BackgroundSaver: until durable'
const PEER = 'safetensors: save, unsynced'

export async function measureStaged(bench: Bench): Promise<Table> {
  const { options, folder } = bench
  await using field = await Field.start(
    bench,
    ['ours', 'device', 'safetensors'],
    transformerState(options.size),
  )
  const length = stateBytes(transformerState(options.size))
  const durations: number[] = []
  let first = 0
  const turns = [
    { row: COPY, run: () => field.ours.call<number>('copy') },
    {
      row: STAGED,
      run: async (round: number) => {
        folder.settle(length)
        const path = folder.file()
        const { staged, durable } = await field.ours.call<{ staged: number; durable: number }>(
          'stage',
          { path },
        )
        folder.remove(path)
        if (round === -1) first = staged
        else durations.push(durable)
        return staged
      },
    },
  ]
  const device = field.get('device')
  if (device !== undefined) {
    turns.push({ row: 'plain copy, one piece, outside Node', run: () => device.call('copy') })
  }
  const safetensors = field.get('safetensors')
  if (safetensors !== undefined) {
    turns.push({
      row: PEER,
      run: async () => {
        folder.settle(length)
        const path = folder.file()
        const seconds = await safetensors.call<number>('save', { path, durable: false })
        folder.remove(path)
        return seconds
      },
    })
  }
  const { values, failed } = await runRounds(turns, options.rounds)
  field.leaveOutAll(failed)
  const staged = need(values, STAGED, failed)
  const copies = need(values, COPY, failed)
  const goals = [goal('time until staged, to a plain copy', ratios(staged, copies), 'at most', 1.2)]
  const peer = values.get(PEER)
  if (peer !== undefined) {
    const speed = ratios(peer, staged)
    goals.push(goal('speed until staged, to a save of safetensors', speed, 'at least', 1.25))
  }
  return {
    id: 'staged',
    title: 'Save in the background: how long the caller is held up',
    unit: 's',
    reference: COPY,
    rows: [
      ...[...values].map(([name, of]) => ({ name, values: of })),
      { name: DURABLE, values: durations },
    ],
    goals,
    notes: [
      `The first save of a process, whose staging area is not there yet, took ${first.toFixed(2)} s.`,
    ],
    missing: field.missing,
  }
}
