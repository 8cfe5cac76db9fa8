/**
 * Fuzzes the library.
 *
 *   npm run fuzz -- [--count N | --seconds N] [--seed N] [--from N] [--targets verify,load,...]
 *                   [--workers N] [--log FILE]
 *
 *   --count     inputs in all, shared out among the targets
 *   --seconds   go on for this long (default 60)
 *   --seed      default: drawn, and printed
 *   --from      number of the first input of each target
 *   --targets   of verify, load, sparse, restore, file, and cpp: the comparison with the C++ verifier,
 *               which needs flatc, its headers and g++ (default: all but cpp)
 *   --log       a line every few seconds
 *
 * With a seed and a number every input can be made again. Ends with 1 where anything has failed.
 */

import { randomInt } from 'node:crypto'
import { appendFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type Stretch, type TargetName, targetNames } from './campaign.js'
import { buildOracle } from './cpp/build.js'
import { runCrew } from './crew.js'
import { describeFailure, Report } from './report.js'

// How many of a thousand inputs each target gets, and how many inputs are one stretch.
const SHARES: Readonly<Record<TargetName, { share: number; stretch: number }>> = {
  verify: { share: 780, stretch: 20_000 },
  load: { share: 130, stretch: 10_000 },
  sparse: { share: 40, stretch: 10_000 },
  restore: { share: 40, stretch: 5_000 },
  file: { share: 10, stretch: 2_000 },
  cpp: { share: 1000, stretch: 20_480 },
}

const LOG_INTERVAL = 10_000

const { values } = parseArgs({
  options: {
    count: { type: 'string' },
    seconds: { type: 'string' },
    seed: { type: 'string' },
    from: { type: 'string', default: '0' },
    targets: { type: 'string', default: targetNames.filter((name) => name !== 'cpp').join() },
    workers: { type: 'string', default: String(availableParallelism()) },
    log: { type: 'string' },
  },
})

function number(option: 'count' | 'seconds' | 'seed' | 'from' | 'workers'): number | undefined {
  const text = values[option]
  if (text === undefined) return undefined
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`--${option} ${text}`)
  return value
}

const targets = values.targets.split(',').map((name) => {
  if (!targetNames.includes(name as TargetName)) throw new RangeError(`no target ${name}`)
  return name as TargetName
})
const seed = number('seed') ?? randomInt(2 ** 31)
const from = number('from')!
const count = number('count')
const deadline =
  count === undefined || values.seconds !== undefined
    ? performance.now() + 1000 * (number('seconds') ?? 60)
    : Number.POSITIVE_INFINITY

/** Stretches of all targets in turn, each target getting its share. */
function* plan(): Generator<Stretch> {
  const whole = targets.reduce((sum, target) => sum + SHARES[target].share, 0)
  const totals = targets.map((target) =>
    count === undefined ? Infinity : Math.ceil((count * SHARES[target].share) / whole),
  )
  const done = targets.map(() => 0)
  while (performance.now() < deadline) {
    // The target that lags behind its share the most.
    let next = -1
    for (let i = 0; i < targets.length; i++) {
      if (done[i]! >= totals[i]!) continue
      const lag = (k: number): number => done[k]! / SHARES[targets[k]!].share
      if (next === -1 || lag(i) < lag(next)) next = i
    }
    if (next === -1) return
    const target = targets[next]!
    const length = Math.min(SHARES[target].stretch, totals[next]! - done[next]!)
    yield { target, seed, from: from + done[next]!, count: length }
    done[next]! += length
  }
}

const report = new Report()
console.log(`seed ${seed}, targets ${targets.join(', ')}`)
let logged = performance.now()
const folder = await mkdtemp(join(tmpdir(), 'lightwatch-fuzz-'))
try {
  const oracle = targets.includes('cpp') ? await buildOracle(folder) : undefined
  await runCrew(
    number('workers')!,
    plan(),
    (stretch, result) => {
      report.add(stretch, result)
      for (const failure of 'error' in result ? [result] : result.failures) {
        const text = describeFailure(failure)
        console.log(text)
        if (values.log !== undefined) appendFileSync(values.log, `${text}\n`)
      }
      if (values.log !== undefined && performance.now() - logged > LOG_INTERVAL) {
        logged = performance.now()
        appendFileSync(values.log, `${report.line()}\n`)
      }
    },
    oracle,
  )
} finally {
  await rm(folder, { recursive: true, force: true })
}
if (values.log !== undefined) appendFileSync(values.log, `${report}\n`)
console.log(String(report))
process.exitCode = report.failed ? 1 : 0
