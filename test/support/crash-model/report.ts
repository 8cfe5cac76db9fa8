/**
 * Prints what the model was tried on, as tables in Markdown: `npx tsx test/support/crash-model/report.ts`.
 * Takes a few minutes, as every wrong commit is put through everything.
 */

import type { RenameSteps } from './crash-states.js'
import { MUTANTS } from './mutants.js'
import { PLOTS } from './plots.js'
import { SCENARIOS } from './scenarios.js'
import { judgeSound, libraryCommit, play } from './stage.js'
import { addTally, newTally, type Tally } from './verdict.js'

// Orders of two savers' calls that a wrong commit is put through, per scenario.
const ORDERS_FOR_MUTANTS = 100

const count = (number: number) => number.toLocaleString('en')

const findings = ({ violations, faults }: Tally) => violations + faults

async function main(): Promise<void> {
  await scenarios()
  await renames()
  await mutants()
}

async function scenarios(): Promise<void> {
  print('| Scenario | Runs | Power cuts | Crash states | Violations |', '|---|--:|--:|--:|--:|')
  const sum = newTally()
  for (const { name, run } of SCENARIOS) {
    const tally = await run(libraryCommit)
    addTally(sum, tally)
    print(row(tally.sampled ? `${name} (a sample)` : name, tally))
  }
  print(row('**All**', sum))
}

function row(name: string, tally: Tally): string {
  const { runs, cuts, states } = tally
  return `| ${[name, ...[runs, cuts, states, findings(tally)].map(count)].join(' | ')} |`
}

async function renames(): Promise<void> {
  print('', '| A rename reaches the disk | Crash states | Violations |', '|---|--:|--:|')
  const ways: readonly [name: string, steps: RenameSteps][] = [
    ['in one step', 1],
    ['as two, the new name and the loss of the old one', 2],
    ['as three, with a moment at which neither name is there', 3],
  ]
  for (const [name, steps] of ways) {
    const sum = newTally()
    for (const plot of PLOTS) {
      addTally(sum, await judgeSound(await play(plot, libraryCommit), plot, steps))
    }
    print(`| ${name} | ${count(sum.states)} | ${count(findings(sum))} |`)
  }
}

async function mutants(): Promise<void> {
  print(
    '',
    '| Planted bug | Crash states | Wrong ones | Wrong without a power cut | Found by scenarios |',
    '|---|--:|--:|--:|--:|',
  )
  let accepted = 0
  for (const mutant of MUTANTS) {
    const sum = newTally()
    let found = 0
    for (const { run } of SCENARIOS) {
      const tally = await run(mutant, ORDERS_FOR_MUTANTS)
      addTally(sum, tally)
      if (findings(tally) > 0) found++
    }
    accepted += sum.accepted
    const counts = [sum.states, sum.violations, sum.faults].map(count)
    print(`| ${[mutant.name, ...counts, `${found} of ${SCENARIOS.length}`].join(' | ')} |`)
  }
  print('', `Damaged files among these that the reader took for whole: ${count(accepted)}.`)
}

function print(...lines: string[]): void {
  for (const line of lines) console.log(line)
}

await main()
