/** A durable save: bytes and names survive a power cut when the call returns. */

import { type Bench, type ContenderId, Field, OURS, OURS_IN_CPP } from '../field.js'
import { runRounds, type Turn } from '../rounds.js'
import { stateBytes, transformerState } from '../state.js'
import { fastest, ratios } from '../statistics.js'
import { type Goal, goal, type Table } from '../table.js'

const DIRECT = 'raw device, O_DIRECT'
const BUFFERED = 'raw device, page cache and fsync'
const EARLY = 'raw device, page cache, write-out begun early, and fsync'
const WRITE_FILE = 'fs.writeFile and fsync'

/** Rows by contender, with the arguments of its call besides the path. */
const ROWS: readonly (readonly [name: string, id: ContenderId, extra: object])[] = [
  [OURS, 'ours', {}],
  [OURS_IN_CPP, 'cpp', {}],
  [BUFFERED, 'device', { how: 'buffered' }],
  [EARLY, 'device', { how: 'early' }],
  [DIRECT, 'device', { how: 'direct' }],
  [WRITE_FILE, 'plain', {}],
  ['safetensors and fsync', 'safetensors', {}],
  ['torch.save and fsync', 'torchSave', {}],
  ['torch.distributed.checkpoint and fsync', 'torchDcp', {}],
]

const UNSYNCED: readonly (readonly [name: string, id: ContenderId, extra: object])[] = [
  [OURS, 'ours', {}],
  [OURS_IN_CPP, 'cpp', {}],
  ['raw device, page cache', 'device', { how: 'buffered' }],
  ['fs.writeFile', 'plain', {}],
  ['safetensors', 'safetensors', {}],
  ['torch.save', 'torchSave', {}],
  ['torch.distributed.checkpoint', 'torchDcp', {}],
]

/** A turn for each row whose contender has started: to a new file, on an idle disk. */
function saveTurns(bench: Bench, field: Field, rows: typeof ROWS, durable: boolean): Turn[] {
  const length = stateBytes(transformerState(bench.options.size))
  return rows.flatMap(([row, id, extra]) => {
    const contender = field.get(id)
    if (contender === undefined) return []
    const run = async () => {
      bench.folder.settle(length)
      const path = bench.folder.file()
      try {
        return await contender.call<number>('save', { path, durable, ...extra })
      } finally {
        bench.folder.remove(path)
      }
    }
    return [{ row, run }]
  })
}

const contendersOf = (rows: typeof ROWS) => [...new Set(rows.map(([, id]) => id))]

export async function measureSave(bench: Bench): Promise<Table> {
  await using field = await Field.start(
    bench,
    contendersOf(ROWS),
    transformerState(bench.options.size),
  )
  const { values, failed } = await runRounds(
    saveTurns(bench, field, ROWS, true),
    bench.options.rounds,
  )
  field.leaveOutAll(failed)
  const ours = need(values, OURS, failed)
  const goals: Goal[] = []
  const writers = [BUFFERED, DIRECT, WRITE_FILE].flatMap((name) => {
    const of = values.get(name)
    return of === undefined ? [] : [[name, of] as const]
  })
  const best = fastest(writers)
  if (best !== undefined) {
    const speed = ratios(values.get(best)!, ours)
    goals.push(goal('speed of a durable save, to the best plain writer', speed, 'at least', 0.95))
  }
  const peer = values.get('safetensors and fsync')
  if (peer !== undefined) {
    goals.push(goal('speed of a durable save, to safetensors', ratios(peer, ours), 'at least', 1.3))
  }
  const cpp = values.get(OURS_IN_CPP)
  if (cpp !== undefined) {
    const speed = ratios(ours, cpp)
    goals.push(goal('speed of a durable save in C++, to TypeScript', speed, 'at least', 1))
  }
  return {
    id: 'save',
    title: 'Durable save',
    unit: 's',
    reference: OURS,
    rows: [...values].map(([name, of]) => ({ name, values: of })),
    goals,
    notes:
      best === undefined
        ? []
        : [
            `The best plain writer here: ${best}. (Begun early: sync_file_range after each 8 MiB, which is ` +
              'more than a plain writer does, and is not counted as one.)',
          ],
    missing: field.missing,
  }
}

export async function measureNoWait(bench: Bench): Promise<Table> {
  await using field = await Field.start(
    bench,
    contendersOf(UNSYNCED),
    transformerState(bench.options.size),
  )
  const known = await field.ours.call<boolean>('knowsDurable', { folder: bench.folder.path })
  const rows = known ? UNSYNCED : UNSYNCED.filter(([, id]) => id !== 'ours')
  if (!known) field.leaveOut(OURS, 'this version has no `durable: false`')
  const { values, failed } = await runRounds(
    saveTurns(bench, field, rows, false),
    bench.options.rounds,
  )
  field.leaveOutAll(failed)
  const ours = values.get(OURS)
  const peer = values.get('safetensors')
  return {
    id: 'nowait',
    title: 'Save without waiting for the device',
    unit: 's',
    reference: ours === undefined ? 'safetensors' : OURS,
    rows: [...values].map(([name, of]) => ({ name, values: of })),
    goals:
      ours === undefined || peer === undefined
        ? []
        : [goal('speed of a save, unsynced, to safetensors', ratios(peer, ours), 'at least', 1.25)],
    notes: [],
    missing: field.missing,
  }
}

/** This library's contender, or its failure. */
export function need(
  values: ReadonlyMap<string, readonly number[]>,
  name: string,
  failed: ReadonlyMap<string, string>,
): readonly number[] {
  const of = values.get(name)
  if (of === undefined) throw new Error(failed.get(name) ?? `${name} has no figures`)
  return of
}
