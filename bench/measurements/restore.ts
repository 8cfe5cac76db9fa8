/** A restore into existing memory, of a file in the page cache. */

import { type Bench, type ContenderId, Field, OURS, OURS_IN_CPP } from '../field.js'
import { runRounds, type Turn } from '../rounds.js'
import { transformerState } from '../state.js'
import { fastest, ratios } from '../statistics.js'
import { type Goal, goal, type Table } from '../table.js'
import { need } from './save.js'

const VERIFIED = `${OURS}, checksums checked`
const IN_CPP = `${OURS_IN_CPP}, checksums checked`
const UNVERIFIED = `${OURS}, verify: false`

const ROWS: readonly (readonly [name: string, id: ContenderId, extra: object])[] = [
  [UNVERIFIED, 'ours', { verify: false }],
  [VERIFIED, 'ours', { verify: true }],
  [IN_CPP, 'cpp', {}],
  ['safetensors (numpy), copied', 'safetensors', {}],
  ['safetensors (torch), copied', 'safetensorsTorch', {}],
  ['torch.load(mmap=True), copied', 'torchSave', {}],
  ['torch.distributed.checkpoint', 'torchDcp', {}],
]
const PEERS = ROWS.filter(([, id]) => id !== 'ours' && id !== 'cpp').map(([name]) => name)

export async function measureRestore(bench: Bench): Promise<Table> {
  const { options, folder } = bench
  const ids = [...new Set(ROWS.map(([, id]) => id))]
  await using field = await Field.start(bench, ids, transformerState(options.size))
  const paths = new Map<ContenderId, string>()
  for (const id of ids) {
    const contender = field.get(id)
    if (contender === undefined) continue
    const path = folder.file()
    await contender.call('save', { path, durable: true })
    paths.set(id, path)
  }
  folder.settle()
  const turns = ROWS.flatMap(([row, id, extra]): Turn[] => {
    const contender = field.get(id)
    if (contender === undefined) return []
    return [{ row, run: () => contender.call('restore', { path: paths.get(id)!, ...extra }) }]
  })
  const { values, failed } = await runRounds(turns, options.rounds)
  for (const path of paths.values()) folder.remove(path)
  field.leaveOutAll(failed)

  const unverified = need(values, UNVERIFIED, failed)
  const verified = need(values, VERIFIED, failed)
  const goals: Goal[] = []
  const compare = (what: string, names: readonly string[]) => {
    const best = fastest(
      names.flatMap((name) => (values.has(name) ? [[name, values.get(name)!] as const] : [])),
    )
    if (best === undefined) return
    const peer = values.get(best)!
    goals.push(
      goal(`speed of a restore, unchecked, to ${what}`, ratios(peer, unverified), 'at least', 1),
      goal(`speed of a restore, checked, to ${what}`, ratios(peer, verified), 'at least', 0.6),
    )
  }
  compare('safetensors', PEERS.slice(0, 2))
  compare('torch.load', PEERS.slice(2, 3))
  const cpp = values.get(IN_CPP)
  if (cpp !== undefined) {
    const speed = ratios(verified, cpp)
    goals.push(goal('speed of a restore, checked, in C++, to TypeScript', speed, 'at least', 1))
  }
  return {
    id: 'restore',
    title: 'Restore into existing memory, file in the page cache',
    unit: 's',
    reference: VERIFIED,
    rows: [...values].map(([name, of]) => ({ name, values: of })),
    goals,
    notes: [
      'Each opens the file anew, and fills memory that was wiped before; what came back is checked.',
      'safetensors and torch.load have no restore into memory: theirs is a copy of each tensor. ' +
        'They check no checksums. The goals hold the faster one of safetensors with numpy and torch.',
      'torch copies a large tensor with as many threads as there are cores; this library with four, ' +
        'and makes checksums with two.',
    ],
    missing: field.missing,
  }
}
