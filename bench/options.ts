/** The options of `npm run bench`. */

import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import type { StateSize } from './state.js'

export const MEASUREMENTS = [
  'save',
  'nowait',
  'staged',
  'restore',
  'open',
  'memory',
  'training',
  'linearity',
  'tfjs',
  'convert',
  'diff',
  's3-save',
  's3-restore',
  's3-memory',
  'view-table',
  'view-scroll',
  'view-histograms',
  'view-run',
] as const

export type MeasurementName = (typeof MEASUREMENTS)[number]

export interface Options {
  readonly only: readonly MeasurementName[]
  readonly rounds: number
  readonly size: StateSize
  readonly full: boolean
  readonly oursAlone: boolean
  /** Where checkpoints are written. */
  readonly dir: string
  /** Where performance.json, .svg and .md go; undefined for nowhere. */
  readonly out: string | undefined
  /** An interpreter to use instead of making an environment. */
  readonly python: string | undefined
}

export const HELP = `npm run bench -- [options]

  --only A,B      ${MEASUREMENTS.join(', ')}; s3: those of buckets, view: those of the viewer (all)
  --rounds N      rounds that count, after one that does not (7)
  --size S        small (20 MB) or gpt2 (1.49 GB) (gpt2)
  --full          8 GiB as well: needs 12 GiB of memory and 9 GiB of disk
  --ours-alone    this library without its peers: nothing is installed
  --dir FOLDER    where checkpoints are written, on a disk (bench/.data)
  --out FOLDER    where performance.json, .svg and .md are written; none to print alone (docs)
  --python PATH   an interpreter with the packages, instead of an environment of its own
`

const inRepository = (path: string) => fileURLToPath(new URL(`../${path}`, import.meta.url))

/** Throws a TypeError for an unknown option. */
export function parseOptions(programArguments: readonly string[]): Options | 'help' {
  const { values } = parseArgs({
    args: [...programArguments],
    options: {
      help: { type: 'boolean', short: 'h' },
      only: { type: 'string' },
      rounds: { type: 'string' },
      size: { type: 'string' },
      full: { type: 'boolean' },
      'ours-alone': { type: 'boolean' },
      dir: { type: 'string' },
      out: { type: 'string' },
      python: { type: 'string' },
    },
  })
  if (values.help) return 'help'
  const rounds = Number(values.rounds ?? 7)
  if (!Number.isInteger(rounds) || rounds < 1) throw new TypeError(`--rounds: a number from 1 on`)
  const size = values.size ?? 'gpt2'
  if (size !== 'small' && size !== 'gpt2') throw new TypeError('--size: small or gpt2')
  const asked = values.only?.split(',') ?? MEASUREMENTS
  // `s3` stands for those of buckets, and `view` for those of the viewer.
  const isAsked = (each: MeasurementName, name: string) =>
    each === name || (/^(s3|view)$/.test(name) && each.startsWith(`${name}-`))
  for (const name of asked) {
    if (!MEASUREMENTS.some((each) => isAsked(each, name))) {
      throw new TypeError(`--only: ${name} is none of ${MEASUREMENTS.join(', ')}, s3, view`)
    }
  }
  const out = values.out ?? inRepository('docs')
  return {
    only: MEASUREMENTS.filter((each) => asked.some((name) => isAsked(each, name))),
    rounds,
    size,
    full: values.full ?? false,
    oursAlone: values['ours-alone'] ?? false,
    dir: values.dir ?? inRepository('bench/.data'),
    out: out === 'none' ? undefined : out,
    python: values.python,
  }
}
