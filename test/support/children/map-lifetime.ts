/**
 * Prints, as JSON, how many maps of a checkpoint this process has at every stage of its life. Wants
 * `--expose-gc`, and a checkpoint with a tensor `w` in its model and in its optimizer.
 */

import { readFileSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
import { loadCheckpoint } from '../../../src/load/load.js'
import type { TypedArray } from '../../../src/state.js'

const [path = ''] = process.argv.slice(2)
const stages: { [stage: string]: unknown } = {}
const note = (stage: string, value: unknown) => {
  stages[stage] = value
}

const maps = () =>
  readFileSync('/proc/self/maps', 'utf8')
    .split('\n')
    .filter((line) => line.endsWith(` ${path}`)).length

/** Number of maps when it has become `expected`, or after ten seconds. */
async function settled(expected: number): Promise<number> {
  for (let tries = 0; tries < 500 && maps() !== expected; tries++) {
    globalThis.gc?.()
    await setTimeout(20)
  }
  return maps()
}

/** Number of maps after a time in which everything that can be collected has been. */
async function collected(): Promise<number> {
  for (let i = 0; i < 10; i++) {
    globalThis.gc?.()
    await setTimeout(20)
  }
  return maps()
}

note('before', maps())

await (async () => {
  const checkpoint = await loadCheckpoint(path)
  note('open', maps())
  note('source', checkpoint.source)
  await checkpoint.verify()
  checkpoint.close()
  // No array was handed out, so there is nothing to wait for.
  note('closed without views', maps())
})()

let views: TypedArray[] = []
await (async () => {
  const checkpoint = await loadCheckpoint(path)
  views = [checkpoint.model.get('w').data, checkpoint.optimizer!.get('w').data]
  checkpoint.close()
})()
note('closed with two views', await collected())
note(
  'values',
  views.map((view) => [view[0], view.at(-1)].map(Number)),
)
views.pop()
note('closed with one view', await collected())
note('last of its values', Number(views[0]!.at(-1)))
// A part of a view keeps the map, too.
views = [views[0]!.subarray(2, 3)]
note('closed with a part of a view', await collected())
note('value of the part', Number(views[0]![0]))
views = []
note('closed and nothing left', await settled(0))

await (async () => {
  const checkpoint = await loadCheckpoint(path)
  const { data } = checkpoint.model.get('w')
  note('dropped, before', data.length > 0 ? maps() : -1)
})()
note('dropped', await settled(0))

console.log(JSON.stringify(stages))
