/**
 * The differential test: mutations of valid files, each given to all implementations. All have to accept
 * a file, or none; all that accept it have to report the same; and what they accept, the C++ verifier of
 * FlatBuffers has to accept as well. Every file can be made again from its seed and its number.
 */

import { copyFile, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { schema } from '../../../src/format/schema.js'
import { Patch } from '../format/patch.js'
import { HostileFiles } from '../fuzz/hostile-files.js'
import { type Seed, seedOf } from '../fuzz/mutator.js'
import { fileSeeds } from '../fuzz/seeds.js'
import { Random } from '../random.js'
import { CORPUS } from './corpus.js'
import { difference, isRefusal, nameOf, type Report, withoutBytes } from './report.js'
import { LastingReporter } from './reporter-process.js'
import type { Column } from './results.js'
import { validFiles } from './valid.js'

// Longer files are mutated too seldom in any one place.
const LONGEST_SEED = 4096

// Files that are written, and given to all, at once.
const BATCH = 64

// One file in so many is damaged behind sound metadata; the others anywhere.
const DAMAGED = 6

export interface Disagreement {
  readonly number: number
  /** The file that was mutated. */
  readonly of: string
  readonly what: string
  /** Where the file was kept. */
  readonly path: string
}

export interface DifferentialResults {
  readonly accepted: number
  readonly refused: number
  /** Files that were refused by all, though not by the same rule: no fault, where several are broken. */
  readonly otherRules: number
  /** By the rule, as the first implementation has it. */
  readonly rules: ReadonlyMap<string, number>
  readonly disagreements: readonly Disagreement[]
}

export interface DifferentialOptions {
  readonly columns: readonly Column[]
  /** The judge that looks at the FlatBuffer alone. */
  readonly flatbuffers?: Column | undefined
  readonly seed: number
  /** The number of the first file. */
  readonly from?: number
  readonly count: number
  /** Where files that are disagreed on are kept. */
  readonly keep?: string
  readonly onProgress?: (done: number) => void
}

/** The valid files of the corpus that are short, and those that the fuzzer starts from. */
async function seeds(): Promise<Seed[]> {
  const found = fileSeeds()
  for (const { name } of validFiles) {
    const bytes = await readFile(fileURLToPath(new URL(`valid/${name}.ckpt`, CORPUS)))
    if (bytes.byteLength > LONGEST_SEED) continue
    const { view, root } = new Patch(bytes)
    const metadataLength = view.getUint32(root.position('metadata_length'), true)
    found.push(seedOf(name, bytes, schema, metadataLength))
  }
  return found
}

/** A folder in memory where there is one: thousands of files come and go. */
async function temporaryFolder(): Promise<string> {
  const memory = '/dev/shm'
  const inMemory = await stat(memory).then(
    (found) => found.isDirectory(),
    () => false,
  )
  return mkdtemp(join(inMemory ? memory : tmpdir(), 'lightwatch-conformance-'))
}

export async function differential(options: DifferentialOptions): Promise<DifferentialResults> {
  const { columns, flatbuffers, seed, from = 0, count, keep = tmpdir() } = options
  const files = new HostileFiles(await seeds())
  const reporters = columns.map(({ command }) => new LastingReporter(command))
  const judge = flatbuffers === undefined ? undefined : new LastingReporter(flatbuffers.command)
  const folder = await temporaryFolder()
  const rules = new Map<string, number>()
  const disagreements: Disagreement[] = []
  let accepted = 0
  let refused = 0
  let otherRules = 0
  try {
    for (let done = 0; done < count; done += BATCH) {
      const made: { number: number; of: string; path: string }[] = []
      for (let number = from + done; number < from + Math.min(done + BATCH, count); number++) {
        const random = new Random(seed, number)
        const bytes = random.oneIn(DAMAGED) ? files.makeDamaged(random) : files.make(random)
        const path = join(folder, `${number}.ckpt`)
        await writeFile(path, bytes)
        made.push({ number, of: files.seed.name, path })
      }
      const paths = made.map(({ path }) => path)
      const [verdicts, ...all] = await Promise.all([
        judge?.reports(paths),
        ...reporters.map((reporter) => reporter.reports(paths)),
      ])
      for (const [i, { number, of, path }] of made.entries()) {
        const reports = all.map((reports) => reports![i]!)
        const what = disagreement(columns, reports, verdicts?.[i])
        if (what !== undefined) {
          const kept = join(keep, `disagreement-${seed}-${number}.ckpt`)
          await copyFile(path, kept)
          disagreements.push({ number, of, what, path: kept })
        }
        const [first] = reports
        if (first instanceof Error || first === undefined) continue
        if (isRefusal(first)) {
          refused++
          rules.set(nameOf(first), (rules.get(nameOf(first)) ?? 0) + 1)
          if (reports.some((report) => differs(first, report))) otherRules++
        } else accepted++
      }
      await Promise.all(paths.map((path) => rm(path)))
      options.onProgress?.(Math.min(done + BATCH, count))
    }
  } finally {
    await Promise.allSettled([...reporters, judge].map((reporter) => reporter?.close()))
    await rm(folder, { recursive: true, force: true })
  }
  return { accepted, refused, otherRules, rules, disagreements }
}

function differs(first: Report, other: Report | Error): boolean {
  return !(other instanceof Error) && isRefusal(other) && difference(first, other) !== undefined
}

/** What the implementations, and the judge of FlatBuffers, do not agree on; undefined where nothing. */
export function disagreement(
  columns: readonly Pick<Column, 'name' | 'noBytes'>[],
  reports: readonly (Report | Error)[],
  verdict: Report | Error | undefined,
): string | undefined {
  const found: string[] = []
  const accepting: number[] = []
  const refusing: string[] = []
  for (const [i, report] of reports.entries()) {
    const { name } = columns[i]!
    if (report instanceof Error) found.push(`${name}: no report: ${report.message}`)
    else if (isRefusal(report)) refusing.push(`${name} (${nameOf(report)})`)
    else accepting.push(i)
  }
  if (accepting.length > 0 && refusing.length > 0) {
    const names = accepting.map((i) => columns[i]!.name)
    found.push(`read by ${names.join(', ')}; refused by ${refusing.join(', ')}`)
  }
  const [first, ...others] = accepting
  if (first !== undefined) {
    for (const other of others) {
      const bare = columns[first]!.noBytes === true || columns[other]!.noBytes === true
      const pair = [reports[first], reports[other]] as [Report, Report]
      const [wanted, got] = bare ? pair.map(withoutBytes) : pair
      const differing = difference(wanted!, got!)
      if (differing !== undefined) {
        found.push(
          `${columns[other]!.name} reads another thing than ${columns[first]!.name}: ${differing}`,
        )
      }
    }
    if (verdict instanceof Error) found.push(`flatc: no verdict: ${verdict.message}`)
    else if (verdict !== undefined && isRefusal(verdict)) {
      found.push(`read by ${accepting.map((i) => columns[i]!.name).join(', ')}, refused by flatc`)
    }
  } else if (verdict instanceof Error) found.push(`flatc: no verdict: ${verdict.message}`)
  return found.length === 0 ? undefined : found.join('\n')
}
