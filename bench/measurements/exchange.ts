/** Conversions against a plain copy of as many bytes, and `ckpt diff` against `ckpt verify`. */

import { execFile, spawnSync } from 'node:child_process'
import { closeSync, fsyncSync, openSync, readSync, writeSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type * as Convert from '../../src/exchange/node/convert-checkpoint.js'
import type { Bench } from '../field.js'
import { importLibrary, libraryUrl } from '../library.js'
import { type RoundsResult, runRounds, type Turn } from '../rounds.js'
import { ratios } from '../statistics.js'
import { goal, type Table } from '../table.js'

const run = promisify(execFile)

const TENSORS = 48
const PIECE = 8 * 1024 * 1024

const entry = (path: string) => import(new URL(path, libraryUrl).href)

async function seconds(work: () => unknown): Promise<number> {
  const start = performance.now()
  await work()
  return (performance.now() - start) / 1000
}

/** Writes checkpoints of the same tensors at each of the paths. All elements differ between them. */
async function saveTo(bench: Bench, paths: readonly string[]): Promise<number> {
  const { saveCheckpoint } = await importLibrary()
  const length = bench.options.size === 'small' ? 2 ** 17 : 2 ** 23 - 2 ** 18
  const tensors = Array.from({ length: TENSORS }, (_, i) => {
    const data = new Float32Array(length)
    for (let k = 0; k < length; k++) data[k] = Math.imul(k + i, 2654435761) / 2 ** 31
    return [`h.${i}.weight`, { shape: [length], data }] as const
  })
  for (const path of paths) {
    await saveCheckpoint(path, { stateDict: () => ({ tensors }) }, null, { durable: false })
    for (const [, { data }] of tensors) for (let k = 0; k < length; k++) data[k]! *= 1.001
  }
  return TENSORS * length * 4
}

/** Reads a file and writes it, durably, in a loop without a library. */
function plainCopy(from: string, to: string): void {
  const [source, target] = [openSync(from, 'r'), openSync(to, 'w')]
  try {
    const buffer = new Uint8Array(PIECE)
    for (let at = 0; ; ) {
      const length = readSync(source, buffer, 0, PIECE, at)
      if (length === 0) break
      for (let done = 0; done < length; ) {
        done += writeSync(target, buffer, done, length - done, at + done)
      }
      at += length
    }
    fsyncSync(target)
  } finally {
    closeSync(source)
    closeSync(target)
  }
}

/** The same past the page cache, as fast as the disk takes it. */
function directCopy(from: string, to: string): void {
  const argv = [`if=${from}`, `of=${to}`, 'bs=8M', 'oflag=direct', 'conv=fsync', 'status=none']
  const { status } = spawnSync('dd', argv, { stdio: 'ignore' })
  if (status !== 0) throw new Error(`dd ended with ${status}`)
}

function figures({ values, failed }: RoundsResult): (row: string) => readonly number[] {
  for (const [row, reason] of failed) throw new Error(`${row}: ${reason}`)
  return (row) => values.get(row)!
}

export async function measureConvert(bench: Bench): Promise<Table> {
  const { folder, options } = bench
  const { convertCheckpoint }: typeof Convert = await entry('exchange/node/convert-checkpoint.js')
  const [checkpoint, safetensors] = [folder.file(), folder.file('.safetensors')]
  const byteLength = await saveTo(bench, [checkpoint])
  await convertCheckpoint(checkpoint, safetensors)
  const turn = (row: string, ending: string, work: (to: string) => unknown): Turn => ({
    row,
    run: async () => {
      const to = folder.file(ending)
      folder.settle(byteLength)
      const taken = await seconds(() => work(to))
      folder.remove(to)
      return taken
    },
  })
  const plain = 'plain copy with fsync'
  const direct = 'copy past the page cache'
  const turns = [
    turn(plain, '.copy', (to) => plainCopy(checkpoint, to)),
    turn(direct, '.copy', (to) => directCopy(checkpoint, to)),
    turn('.ckpt to safetensors', '.safetensors', (to) => convertCheckpoint(checkpoint, to)),
    turn('safetensors to .ckpt', '.ckpt', (to) => convertCheckpoint(safetensors, to)),
    turn('.ckpt to .npz', '.npz', (to) => convertCheckpoint(checkpoint, to)),
  ]
  const of = figures(await runRounds(turns, options.rounds))
  const [, , ...conversions] = turns.map(({ row }) => row)
  return {
    id: 'convert',
    title: 'Convert to another format, durably',
    unit: 's',
    reference: plain,
    rows: turns.map(({ row }) => ({ name: row, values: of(row) })),
    goals: conversions.flatMap((row) =>
      [plain, direct].map((copy) =>
        goal(`speed of ${row}, to a ${copy}`, ratios(of(copy), of(row)), 'at least', 0.9),
      ),
    ),
    notes: [`${Math.round(byteLength / 1e6)} MB; the input is in the page cache.`],
    missing: [],
  }
}

export async function measureDiff(bench: Bench): Promise<Table> {
  const { folder, options } = bench
  const [a, b] = [folder.file(), folder.file()]
  const byteLength = await saveTo(bench, [a, b])
  folder.settle()
  const program = new URL('cli/main.js', libraryUrl)
  const command = (row: string, ...argv: readonly string[]): Turn => ({
    row,
    run: () => seconds(() => run(process.execPath, [fileURLToPath(program), ...argv])),
  })
  const turns = [
    command('ckpt verify, one file', 'verify', a),
    command('ckpt verify, both files', 'verify', a, b),
    command('ckpt diff', 'diff', a, b),
  ]
  const of = figures(await runRounds(turns, options.rounds))
  const [verify, , diff] = turns.map(({ row }) => row) as [string, string, string]
  return {
    id: 'diff',
    title: 'Compare two checkpoints',
    unit: 's',
    reference: verify,
    rows: turns.map(({ row }) => ({ name: row, values: of(row) })),
    goals: [
      goal('diff of two files, to verify of one', ratios(of(diff), of(verify)), 'at most', 2),
    ],
    notes: [
      `Twice ${Math.round(byteLength / 1e6)} MB in the page cache; every element differs. Each run is a process.`,
    ],
    missing: [],
  }
}
