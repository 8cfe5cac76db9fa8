/** `npm run bench`: measures, prints tables, and writes them as Markdown, JSON and a picture. */

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { environment } from './environment.js'
import type { Bench } from './field.js'
import { BenchFolder } from './folder.js'
import { replaceFigures, tableMarkdown } from './markdown.js'
import { measureConvert, measureDiff } from './measurements/exchange.js'
import { measureLinearity } from './measurements/linearity.js'
import { measureMemory } from './measurements/memory.js'
import { measureOpen } from './measurements/open.js'
import { measureRestore } from './measurements/restore.js'
import { measureS3Memory } from './measurements/s3-memory.js'
import { measureS3Restore } from './measurements/s3-restore.js'
import { measureS3Save } from './measurements/s3-save.js'
import { measureNoWait, measureSave } from './measurements/save.js'
import { measureStaged } from './measurements/staged.js'
import { measureTfjs } from './measurements/tfjs.js'
import { measureTraining } from './measurements/training.js'
import { measureHistograms, measureRun, measureScroll, measureTable } from './measurements/view.js'
import { HELP, type MeasurementName, type Options, parseOptions } from './options.js'
import { plotSvg } from './plot.js'
import { type PythonPeers, pythonPeers } from './python.js'
import { type Report, reportMarkdown } from './report.js'
import { shortReason, type Table } from './table.js'

const MEASURE: Record<MeasurementName, (bench: Bench) => Promise<Table | Table[]>> = {
  save: measureSave,
  nowait: measureNoWait,
  staged: measureStaged,
  restore: measureRestore,
  open: measureOpen,
  memory: measureMemory,
  training: measureTraining,
  linearity: measureLinearity,
  tfjs: measureTfjs,
  convert: measureConvert,
  diff: measureDiff,
  's3-save': measureS3Save,
  's3-restore': measureS3Restore,
  's3-memory': measureS3Memory,
  'view-table': measureTable,
  'view-scroll': measureScroll,
  'view-histograms': measureHistograms,
  'view-run': measureRun,
}

const venv = fileURLToPath(new URL('.venv', import.meta.url))

function peersOf(options: Options, say: (line: string) => void): PythonPeers {
  if (!options.oursAlone) return pythonPeers(venv, options.python, say)
  const none = { reason: 'not asked for' }
  return {
    python: undefined,
    version: '',
    safetensors: none,
    numpy: none,
    torch: none,
    obstore: none,
  }
}

/** The tables of a measurement. If it fails, a table that says so; the others are not lost. */
async function measured(name: MeasurementName, bench: Bench): Promise<readonly Table[]> {
  try {
    return [await MEASURE[name](bench)].flat()
  } catch (error) {
    process.exitCode = 1
    console.error(error)
    const reason = shortReason(error instanceof Error ? error.message : String(error))
    const missing = [{ name: 'all of it', reason }]
    return [{ id: name, title: name, unit: 's', rows: [], goals: [], notes: [], missing }]
  }
}

async function run(options: Options): Promise<void> {
  const say = (line: string) => console.error(`bench: ${line}`)
  const peers = peersOf(options, say)
  using folder = new BenchFolder(options.dir)
  // An interrupted run should not leave gigabytes behind.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      folder.clear()
      process.exit(1)
    })
  }
  const where = environment(folder.path, peers)
  const tables: Table[] = []
  for (const name of options.only) {
    say(name)
    const bench: Bench = { options, folder, peers, say }
    for (const table of await measured(name, bench)) {
      tables.push(table)
      console.log(`\n${tableMarkdown(table)}`)
    }
    folder.clear()
  }
  const { size, rounds, full } = options
  const report: Report = { environment: where, size, rounds, full, tables }
  const text = reportMarkdown(report)
  console.log(`\n${text.summary}`)
  if (options.out !== undefined) write(options.out, report, text.whole)
}

function write(folder: string, report: Report, figures: string): void {
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'performance.json'), `${JSON.stringify(report, null, 2)}\n`)
  writeFileSync(join(folder, 'performance.svg'), plotSvg(report.tables))
  const document = join(folder, 'performance.md')
  if (existsSync(document)) {
    const plot = '![Goals, and how far they are reached](performance.svg)'
    const text = readFileSync(document, 'utf8')
    writeFileSync(document, replaceFigures(text, `${plot}\n\n${figures}`))
  }
}

try {
  const options = parseOptions(process.argv.slice(2))
  if (options === 'help') console.log(HELP)
  else await run(options)
} catch (error) {
  if (!(error instanceof TypeError)) throw error
  console.error(`bench: ${error.message}\n\n${HELP}`)
  process.exitCode = 2
}
