/** The viewer in Chromium, served by `ckpt view`, against the plainest pages that read as much of the same files. */

import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { Chromium, openUntil, scroll } from '../browser.js'
import type { Bench } from '../field.js'
import { servePlain } from '../plain-pages.js'
import { runRounds, type Turn } from '../rounds.js'
import { goal, type Table } from '../table.js'
import { MANY, makeFull, makeLarge, makeMany, makeRun, type Viewed } from '../viewed-files.js'

const program = fileURLToPath(new URL('../../dist/src/cli/main.js', import.meta.url))

// What the viewer shows as soon as it has a table, all statistics of a file, and all changes of a run.
const ROW = '.grid-body .grid-row'
const HEALTHY = ['.verdict .tile.good', 'Healthy'] as const
const FINDING = '.findings .finding'

// What each plain page shows at its end.
const SHOWN = '.shown'

// Frames of a scroll, and pixels of each: four rows.
const FRAMES = 180
const PIXELS = 120

const CHECKPOINTS = { small: 20, gpt2: 200 }

/** Until the table of a long file, and of many tensors, is shown. */
export async function measureTable({ folder, options }: Bench): Promise<Table> {
  const large = await makeLarge(folder.file(), options.size)
  const many = await makeMany(folder.file())
  await using plain = await servePlain(large.files)
  const read: number[] = []
  const table = ({ path }: Viewed, mebibytes: number[] = []): Turn['run'] => {
    return async (round) => {
      await using server = await View.start(path)
      const before = server.bytesRead
      const shown = await opened(server.url, ROW)
      if (round >= 0) mebibytes.push((server.bytesRead - before) / 1024 ** 2)
      return shown
    }
  }
  const size = `${Math.round(large.files[0]!.byteLength / 1e9)} GB`
  const rows = {
    plain: 'plain page that fetches 64 KiB and shows a word',
    large: `${size}, 400 tensors`,
    many: `${MANY} tensors`,
  }
  const values = await figures(options.rounds, [
    { row: rows.plain, run: () => opened(`${plain.url}fetch`, SHOWN) },
    { row: rows.large, run: table(large, read) },
    { row: rows.many, run: table(many) },
  ])
  return {
    id: 'view-table',
    title: 'View: until the table of a file is shown',
    unit: 'ms',
    reference: rows.plain,
    rows: values,
    goals: [
      goal(`table of ${size}`, valuesOf(values, rows.large), 'at most', 300, 'ms'),
      goal(`read of ${size} for its table`, read, 'at most', 1, 'MiB'),
    ],
    notes: [
      'From the beginning of the navigation to the frame that shows the first rows; a browser and a server of its own ' +
        'in each round. Read: by the process of the server.',
    ],
    missing: [],
  }
}

/** The frames of a scroll through many tensors. */
export async function measureScroll({ folder, options }: Bench): Promise<Table> {
  const many = await makeMany(folder.file())
  await using plain = await servePlain([])
  await using server = await View.start(many.path)
  const values = new Map<string, number[]>()
  const scrolled = (url: string, name: string, selector: string, text?: string): Turn['run'] => {
    return (round) =>
      inBrowser(async (page) => {
        await openUntil(page, url, selector, text)
        const frames = (await scroll(page, FRAMES, PIXELS)).sort((a, b) => a - b)
        const mean = frames.reduce((sum, each) => sum + each, 0) / FRAMES
        const found = {
          mean,
          '95th of 100': frames[Math.floor(0.95 * FRAMES)]!,
          longest: frames.at(-1)!,
        }
        if (round < 0) return mean
        for (const [figure, value] of Object.entries(found)) {
          const row = `${name}: ${figure}`
          values.set(row, [...(values.get(row) ?? []), value])
        }
        return mean
      })
  }
  const rows = {
    plain: 'empty page',
    quiet: `${MANY} tensors`,
    busy: `${MANY} tensors while they are read`,
  }
  await figures(options.rounds, [
    { row: rows.plain, run: scrolled(`${plain.url}empty`, rows.plain, SHOWN) },
    { row: rows.quiet, run: scrolled(server.url, rows.quiet, ...HEALTHY) },
    { row: rows.busy, run: scrolled(server.url, rows.busy, ROW) },
  ])
  const mean = values.get(`${rows.quiet}: mean`)!
  const late = values.get(`${rows.quiet}: 95th of 100`)!
  return {
    id: 'view-scroll',
    title: `View: frames of a scroll through ${MANY} tensors`,
    unit: 'ms',
    rows: Array.from(values, ([name, of]) => ({ name, values: of })),
    goals: [
      goal('frame of a scroll, mean', mean, 'at most', 16.8, 'ms'),
      goal('frame of a scroll, 95th of 100', late, 'at most', 17, 'ms'),
    ],
    notes: [
      `${FRAMES} frames of ${PIXELS} pixels, four rows; 60 frames a second are 16.7 ms each.`,
    ],
    missing: [],
  }
}

/** Until all histograms of a file are there. */
export async function measureHistograms({ folder, options }: Bench): Promise<Table> {
  const full = await makeFull(folder.file(), options.size)
  await using plain = await servePlain(full.files)
  const rows = {
    plain: 'plain sum in two workers',
    ours: 'all statistics and histograms',
  }
  const values = await figures(options.rounds, [
    { row: rows.plain, run: async () => (await opened(`${plain.url}sum`, SHOWN)) / 1000 },
    {
      row: rows.ours,
      run: async () => {
        await using server = await View.start(full.path)
        return (await opened(server.url, ...HEALTHY)) / 1000
      },
    },
  ])
  const size = `${(full.files[0]!.byteLength / 1e9).toPrecision(2)} GB`
  return {
    id: 'view-histograms',
    title: `View: all histograms of ${size}`,
    unit: 's',
    reference: rows.plain,
    rows: values,
    goals: [goal(`histograms of ${size}`, valuesOf(values, rows.ours), 'at most', 3, 's')],
    notes: [
      'From the beginning of the navigation until the page shows that all tensors are healthy. Checksums are verified, ' +
        'but for those of the plain sum. Bytes come over HTTP from the page cache.',
    ],
    missing: [],
  }
}

/** Until a run is shown as layers by steps, and the next time. */
export async function measureRun({ folder, options }: Bench): Promise<Table> {
  const run = await makeRun(folder.file(''), CHECKPOINTS[options.size])
  await using plain = await servePlain(run.files)
  const again: number[] = []
  const rows = {
    plain: 'plain sum in two workers',
    first: 'layers by steps',
    again: 'the next time',
  }
  const values = await figures(options.rounds, [
    { row: rows.plain, run: async () => (await opened(`${plain.url}sum`, SHOWN)) / 1000 },
    {
      row: rows.first,
      run: async (round) => {
        await using browser = await Chromium.start()
        const look = async (): Promise<number> => {
          await using server = await View.start(run.path)
          // Awaited here: what is returned outlives the server.
          return await browser.page(async (page) => {
            const shown = await openUntil(page, server.url, FINDING)
            // Results are written a moment after they were computed.
            await new Promise((resolve) => setTimeout(resolve, 1000))
            return shown / 1000
          })
        }
        const first = await look()
        const second = await look()
        if (round >= 0) again.push(second)
        return first
      },
    },
  ])
  const size = `${run.files.length} checkpoints of 5 MB`
  return {
    id: 'view-run',
    title: `View: a run of ${size}, layers by steps`,
    unit: 's',
    reference: rows.plain,
    rows: [...values, { name: rows.again, values: again }],
    goals: [
      goal(`run of ${size}`, valuesOf(values, rows.first), 'at most', 5, 's'),
      goal('the same run, the next time', again, 'at most', 1, 's'),
    ],
    notes: [
      'From the beginning of the navigation until the page shows what it has found. The next time: another start of ' +
        '`ckpt view`, in the same browser.',
    ],
    missing: [],
  }
}

/** Opens a page in a browser of its own. Returns milliseconds until it shows something. */
function opened(url: string, selector: string, text?: string): Promise<number> {
  return inBrowser((page) => openUntil(page, url, selector, text))
}

async function inBrowser<T>(use: Parameters<typeof Chromium.prototype.page<T>>[0]): Promise<T> {
  await using browser = await Chromium.start()
  return await browser.page(use)
}

/** The figures of turns, of which none may fail. */
async function figures(rounds: number, turns: readonly Turn[]): Promise<Table['rows']> {
  const { values, failed } = await runRounds(turns, rounds)
  for (const [row, reason] of failed) throw new Error(`${row}: ${reason}`)
  return turns.map(({ row }) => ({ name: row, values: values.get(row)! }))
}

function valuesOf(rows: Table['rows'], name: string): readonly number[] {
  return rows.find((row) => row.name === name)!.values
}

/** A process of `ckpt view`. */
class View implements AsyncDisposable {
  readonly url: string
  readonly #process: ReturnType<typeof View.spawn>

  private constructor(child: ReturnType<typeof View.spawn>, url: string) {
    this.#process = child
    this.url = url
  }

  private static spawn(path: string) {
    const stdio = ['ignore', 'pipe', 'inherit'] as const
    return spawn(process.execPath, [program, 'view', path, '--no-open'], { stdio: [...stdio] })
  }

  static async start(path: string): Promise<View> {
    const child = View.spawn(path)
    for await (const line of createInterface({ input: child.stdout! })) {
      if (line.startsWith('http://')) return new View(child, line)
    }
    throw new Error('ckpt view ended before it printed its address')
  }

  /** Bytes that the process has read of files and connections. */
  get bytesRead(): number {
    const text = readFileSync(`/proc/${this.#process.pid}/io`, 'utf8')
    return Number(/^rchar: (\d+)$/m.exec(text)![1])
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = new Promise((resolve) => this.#process.once('exit', resolve))
    this.#process.kill('SIGINT')
    await ended
  }
}
