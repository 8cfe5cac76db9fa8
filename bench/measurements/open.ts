/** Opening a file and reading one tensor, in a process that has done it before and in a new one. */

import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { Contender, pythonProgram } from '../contender.js'
import { type Bench, type ContenderId, Field, OURS } from '../field.js'
import { libraryUrl } from '../library.js'
import { runRounds, type Turn } from '../rounds.js'
import { type StateSpec, stateBytes, transformerState, uniformState } from '../state.js'
import { ratios } from '../statistics.js'
import { type Goal, goal, type Row, type Table } from '../table.js'

const program = fileURLToPath(new URL('../peers/open-once.mjs', import.meta.url))
const MANY = 100_000
const SMALL_SIZE = 10_000

/** Rows of one file: ours and the peers', warm and fresh. */
interface Opened {
  readonly rows: readonly Row[]
  /** In seconds. */
  readonly ours: readonly number[]
  readonly missing: Table['missing']
  readonly peer: readonly number[] | undefined
  readonly freshOurs: readonly number[]
  readonly freshPeer: readonly number[] | undefined
}

/**
 * Opens a file of this state, alternating between all contenders.
 *
 * @param tensor the name of the tensor that is read, of the model
 */
async function open(
  bench: Bench,
  spec: StateSpec,
  tensor: string,
  what: string,
  ids: readonly ContenderId[],
): Promise<Opened> {
  const { folder, options, peers } = bench
  await using field = await Field.start(bench, ids, spec)
  const paths = new Map<ContenderId, string>()
  const warm: Turn[] = []
  const fresh: Turn[] = []
  for (const id of ids) {
    const contender = field.get(id)
    if (contender === undefined) continue
    const path = folder.file()
    paths.set(id, path)
    await contender.call('save', { path, durable: true })
    const name = id === 'ours' ? tensor : `model.${tensor}`
    const row = `${what}: ${contender.name}`
    warm.push({
      row: `${row}, warm`,
      // Chance dominates a call this short, so the fastest of several counts.
      run: async () => {
        let least = Number.POSITIVE_INFINITY
        for (let i = 0; i < 10; i++) {
          least = Math.min(least, await contender.call<number>('openOne', { path, name }))
        }
        return least
      },
    })
    fresh.push({
      row: `${row}, new process`,
      run: () =>
        id === 'ours' ? openOnce(path, tensor) : openOncePython(peers.python!, id, path, name),
    })
  }
  folder.settle()
  const { values, failed } = await runRounds([...warm, ...fresh], options.rounds)
  for (const path of paths.values()) folder.remove(path)
  field.leaveOutAll(failed)
  const of = (label: string, how: string) => values.get(`${what}: ${label}, ${how}`)
  const peerLabel = 'safetensors (numpy)'
  const ours = of(OURS, 'warm')
  const freshOurs = of(OURS, 'new process')
  if (ours === undefined || freshOurs === undefined)
    throw new Error([...failed.values()].join('; '))
  return {
    rows: [...values].map(([name, seconds]) => ({ name, values: seconds.map((s) => 1000 * s) })),
    ours,
    freshOurs,
    peer: of(peerLabel, 'warm'),
    freshPeer: of(peerLabel, 'new process'),
    missing: field.missing,
  }
}

/** Seconds of the first open in a new process of Node, its imports left out. */
async function openOnce(path: string, name: string): Promise<number> {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [program, libraryUrl, path, name],
    { encoding: 'utf8' },
  )
  if (status !== 0) throw new Error(stderr)
  return JSON.parse(stdout).open
}

async function openOncePython(
  python: string,
  id: ContenderId,
  path: string,
  name: string,
): Promise<number> {
  const framework = id === 'safetensorsTorch' ? 'torch' : 'numpy'
  await using contender = new Contender(id, pythonProgram(python, 'safetensors_peer.py', framework))
  return await contender.call<number>('openOne', { path, name })
}

export async function measureOpen(bench: Bench): Promise<Table> {
  const few: readonly ContenderId[] = ['ours', 'safetensors']
  const both: readonly ContenderId[] = ['ours', 'safetensors', 'safetensorsTorch']
  const large = transformerState(bench.options.size)
  const megabytes = (spec: StateSpec) => `${Math.round(stateBytes(spec) / 1e6)} MB`
  const tensor = 'h.0.ln_1.weight'
  // As many tensors, with the same length of the one that is read, in a file of less than a tenth of the size.
  const small = large.map((each) => ({
    ...each,
    shape: each.name.endsWith(tensor) ? each.shape : each.shape.length === 0 ? [] : [SMALL_SIZE],
  }))
  const inSmall = await open(
    bench,
    small,
    tensor,
    `${small.length} tensors, ${megabytes(small)}`,
    few,
  )
  const inLarge = await open(
    bench,
    large,
    tensor,
    `${large.length} tensors, ${megabytes(large)}`,
    few,
  )
  const many = uniformState(MANY, 16)
  const inMany = await open(bench, many, many[MANY >> 1]!.name, `${MANY} tensors`, both)

  const milliseconds = (of: Opened) => of.ours.map((s) => 1000 * s)
  const goals: Goal[] = [
    goal('open and read one of 592 tensors, warm', milliseconds(inLarge), 'at most', 2, 'ms'),
    goal('the same, of a small file, warm', milliseconds(inSmall), 'at most', 2, 'ms'),
  ]
  if (inMany.peer !== undefined) {
    const ratio = ratios(inMany.ours, inMany.peer)
    goals.push(goal('open 100,000 tensors, warm, to safetensors', ratio, 'at most', 0.5))
  }
  if (inMany.freshPeer !== undefined) {
    const ratio = ratios(inMany.freshOurs, inMany.freshPeer)
    goals.push(goal('open 100,000 tensors, new process, to safetensors', ratio, 'at most', 0.5))
  }
  const opened = [inSmall, inLarge, inMany]
  return {
    id: 'open',
    title: 'Open, and read one tensor',
    unit: 'ms',
    rows: opened.flatMap(({ rows }) => rows),
    goals,
    notes: [
      'Files in the page cache. Warm: the quickest of ten in a process that has opened before. ' +
        'New process: the first in a process, its start and imports left out.',
      'Ours checks the metadata in full and the checksum of the tensor that is read.',
    ],
    missing: [
      ...new Map(opened.flatMap((o) => o.missing.map((m) => [m.name, m] as const))).values(),
    ],
  }
}
