/** The script of a thread that compares ranges of two files. */

import { readSync } from 'node:fs'
import { answerCalls } from '../../threads/thread.js'
import {
  type ElementRange,
  type Pair,
  piecesOfRange,
  RangeComparison,
  type RangeResult,
  Workspace,
} from '../ranges.js'
import type { ComparisonRequest } from './comparison-threads.js'

// Units of a piece. A read here costs a call of the system alone, so pieces are short enough for the innermost cache
// that both sides fit into.
const UNITS = 1

const workspace = new Workspace(UNITS, 1)

answerCalls(({ files, ranges }: ComparisonRequest) => ranges.map((range) => compare(files, range)))

function compare(files: Pair<number>, range: ElementRange): RangeResult {
  const comparison = new RangeComparison(range, workspace)
  for (const { positions, lengths } of piecesOfRange(range, UNITS)) {
    const pair = workspace.pair(0, lengths)
    readAll(files[0], pair[0], positions[0])
    readAll(files[1], pair[1], positions[1])
    comparison.take(pair)
  }
  return comparison.result
}

function readAll(file: number, target: Uint8Array, position: number): void {
  for (let done = 0; done < target.byteLength; ) {
    const count = readSync(file, target, done, target.byteLength - done, position + done)
    if (count === 0) throw new Error('the file ended')
    done += count
  }
}
