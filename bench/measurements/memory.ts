/** Peak memory beyond the state itself, by the kernel's own figures, each in a separate process. */

import type { Peak } from '../contender.js'
import { type Bench, type ContenderId, Field, OURS } from '../field.js'
import { transformerState, uniformState } from '../state.js'
import { goal, type Row, type Table } from '../table.js'

const MIB = 2 ** 20
/** Of 592 tensors: 115 bytes each in the file, and objects about them. */
const METADATA_MIB = 2
const GOAL_MIB = 32 + METADATA_MIB

/** The calls and their contenders. Each has run once with a tiny state, so that its code is loaded. */
interface Task {
  readonly name: string
  readonly id: ContenderId
  readonly call: string
  readonly extra: object
  /** Whether it needs a file of the state. */
  readonly reads: boolean
  /** Whether the goal applies to it. */
  readonly goal: boolean
}

const ours = (name: string, call: string, extra: object, reads: boolean, judged = true): Task => ({
  name: `${OURS}: ${name}`,
  id: 'ours',
  call,
  extra,
  reads,
  goal: judged,
})

const TASKS: readonly Task[] = [
  ours('save', 'save', { durable: true }, false),
  ours('save in the background, 16 MiB of staging', 'stage', { stagingBytes: 16 * MIB }, false),
  ours('save in the background (its copy included)', 'stage', {}, false, false),
  ours('load every tensor, mapped', 'loadAll', {}, true),
  ours('load every tensor, read', 'loadAll', { map: false }, true, false),
  ours('restore', 'restore', { verify: true }, true),
  {
    name: 'safetensors: save',
    id: 'safetensors',
    call: 'save',
    extra: { durable: true },
    reads: false,
    goal: false,
  },
  {
    name: 'safetensors: restore',
    id: 'safetensors',
    call: 'restore',
    extra: {},
    reads: true,
    goal: false,
  },
  {
    name: 'torch.save: save',
    id: 'torchSave',
    call: 'save',
    extra: { durable: true },
    reads: false,
    goal: false,
  },
  {
    name: 'torch.save: restore',
    id: 'torchSave',
    call: 'restore',
    extra: {},
    reads: true,
    goal: false,
  },
]

async function run(bench: Bench, task: Task): Promise<{ peak?: Peak; missing: Table['missing'] }> {
  const { folder, options } = bench
  const { id, call, extra, reads } = task
  await using field = await Field.start(bench, [id], uniformState(4, 1024))
  const contender = field.get(id)
  if (contender === undefined) return { missing: field.missing }
  const once = async (measured: boolean): Promise<Peak | undefined> => {
    const path = folder.file()
    try {
      if (reads) await contender.call('save', { path, durable: true })
      folder.settle()
      if (measured) return (await contender.callForPeak(call, { path, ...extra })).peak
      await contender.call(call, { path, ...extra })
      return undefined
    } finally {
      folder.remove(path)
    }
  }
  try {
    await once(false)
    await contender.call('load', { spec: folder.spec(transformerState(options.size)) })
    return { peak: (await once(true))!, missing: [] }
  } catch (error) {
    field.leaveOut(task.name, error)
    return { missing: field.missing }
  }
}

export async function measureMemory(bench: Bench): Promise<Table> {
  const rounds = Math.min(bench.options.rounds, 3)
  const rows: Row[] = []
  const missing = new Map<string, string>()
  const goals = []
  for (const task of TASKS) {
    if (task.id !== 'ours' && bench.options.oursAlone) continue
    const own: number[] = []
    const resident: number[] = []
    for (let round = 0; round < rounds; round++) {
      const { peak, missing: absent } = await run(bench, task)
      for (const { name, reason } of absent) missing.set(name, reason)
      if (peak === undefined) break
      own.push(Math.max(0, peak.ownHighest - peak.ownBefore) / MIB)
      resident.push(Math.max(0, peak.highest - peak.before) / MIB)
    }
    if (own.length < rounds) continue
    rows.push({ name: task.name, values: own })
    // Pages of the file itself belong to the system, which reclaims them on demand.
    if (task.reads)
      rows.push({ name: `${task.name}, with pages of the mapped file`, values: resident })
    if (task.goal) {
      const name = task.name.replace(`${OURS}: `, 'peak memory: ')
      // Without file pages in it, the kernel's own figure, which misses no moment, is the one.
      goals.push(goal(name, task.reads ? own : resident, 'at most', GOAL_MIB, 'MiB'))
    }
  }
  return {
    id: 'memory',
    title: 'Peak memory beyond the state itself',
    unit: 'MiB',
    rows,
    goals,
    notes: [
      'The highest while it ran, less what was there before, in a new process that holds the state and ' +
        'has done the same once with a tiny one. Anonymous memory, sampled every 2 ms; where a file is ' +
        'mapped, its pages too (VmHWM less VmRSS), which are the page cache’s.',
      `The goal: 32 MiB, and ${METADATA_MIB} for the metadata of 592 tensors.`,
    ],
    missing: [...missing].map(([name, reason]) => ({ name, reason })),
  }
}
