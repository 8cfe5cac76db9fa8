/** Time per byte over sizes and time per tensor over counts: whether anything grows faster. */

import { Contender, nodeProgram } from '../contender.js'
import type { Bench } from '../field.js'
import { runRounds, type Turn } from '../rounds.js'
import { type StateSpec, stateBytes, uniformState } from '../state.js'
import { median } from '../statistics.js'
import type { Table } from '../table.js'

const MIB = 2 ** 20
const TENSORS = 16

/** One state that is measured, and by how much its times are divided. */
interface Size {
  readonly name: string
  readonly spec: StateSpec
  readonly divisor: number
}

type Operation = readonly [name: string, call: (path: string, size: Size) => [string, object]]

const SAVE: Operation = ['durable save', (path) => ['save', { path, durable: true }]]
const RESTORE: Operation = ['restore, checked', (path) => ['restore', { path, verify: true }]]
const OPEN: Operation = [
  'open',
  (path, { spec }) => ['openOne', { path, name: spec[spec.length >> 1]!.name }],
]

async function measure(
  bench: Bench,
  sizes: readonly Size[],
  operations: readonly Operation[],
): Promise<{ values: ReadonlyMap<string, readonly number[]>; notes: string[] }> {
  const { folder, options } = bench
  const contenders: Contender[] = []
  try {
    const turns: Turn[] = []
    for (const size of sizes) {
      const contender = new Contender(size.name, nodeProgram('ours.ts'))
      contenders.push(contender)
      await contender.call('load', { spec: folder.spec(size.spec) })
      const path = folder.file()
      for (const [name, call] of operations) {
        turns.push({
          row: `${name}, ${size.name}`,
          run: async () => {
            if (name === SAVE[0]) {
              folder.remove(path)
              folder.settle(stateBytes(size.spec))
            }
            const [method, callArguments] = call(path, size)
            return (await contender.call<number>(method, callArguments)) / size.divisor
          },
        })
      }
    }
    const { values, failed } = await runRounds(turns, Math.min(options.rounds, 5))
    for (const [row, reason] of failed) throw new Error(`${row}: ${reason}`)
    const notes = operations.map(([name]) => {
      const medians = sizes.map((size) => median(values.get(`${name}, ${size.name}`)!))
      const ratio = medians.at(-1)! / medians[0]!
      return `${name}: the largest takes ${ratio.toFixed(2)} times as long per unit as the smallest.`
    })
    return { values, notes }
  } finally {
    for (const contender of contenders) await contender[Symbol.asyncDispose]()
    folder.clear()
  }
}

export async function measureLinearity(bench: Bench): Promise<Table[]> {
  const { options } = bench
  const mebibytes = options.size === 'small' ? [4, 16] : [16, 128, 1024]
  if (options.full) mebibytes.push(8192)
  const bySize = mebibytes.map((size): Size => {
    const spec = uniformState(TENSORS, (size * MIB) / 4 / TENSORS)
    const name = size >= 1024 ? `${size / 1024} GiB` : `${size} MiB`
    return { name, spec, divisor: stateBytes(spec) / 1e9 }
  })
  const counts = options.size === 'small' ? [100, 1000] : [100, 1000, 10_000, 100_000]
  const byCount = counts.map((count): Size => {
    return { name: `${count} tensors`, spec: uniformState(count, 16), divisor: count / 1e6 }
  })
  const bytes = await measure(bench, bySize, [SAVE, RESTORE])
  const tensors = await measure(bench, byCount, [SAVE, OPEN])
  const table = (id: string, title: string, unit: Table['unit'], of: typeof bytes): Table => ({
    id,
    title,
    unit,
    rows: [...of.values].map(([name, values]) => ({ name, values })),
    goals: [],
    notes: of.notes,
    missing: [],
  })
  return [
    table('linear-bytes', 'Time per byte, by size', 'ns/byte', bytes),
    table('linear-tensors', 'Time per tensor, by number', 'µs/tensor', tensors),
  ]
}
