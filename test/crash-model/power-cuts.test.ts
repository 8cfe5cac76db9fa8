import test from 'ava'
import {
  firstSave,
  newFolders,
  overwrite,
  PLOTS,
  swept,
  symbolicLink,
  threeSaves,
} from '../support/crash-model/plots.js'
import { PLAIN } from '../support/crash-model/scenarios.js'
import {
  judgeSound,
  LIBRARY_COMMITS,
  libraryCommit,
  libraryCommitIfAbsent,
  play,
} from '../support/crash-model/stage.js'
import { NOTHING } from '../support/crash-model/versions.js'

for (const [name, run, commit] of LIBRARY_COMMITS.flatMap((commit) =>
  PLAIN.map(({ name, run }) => [name, run, commit] as const),
)) {
  test(`${name}, ${commit.name}: after a power cut at any moment the path holds the whole old file or the whole new one`, async (t) => {
    const { violations, faults, examples, states, cuts, sampled } = await run(commit)
    t.deepEqual(examples, [])
    t.is(violations + faults, 0)
    t.false(sampled, 'not every crash state was made')
    t.true(states > cuts, `only ${states} crash states at ${cuts} moments`)
  })
}

test('nothing is lost either if a rename reaches the disk in two steps', async (t) => {
  for (const plot of PLOTS) {
    const one = await judgeSound(await play(plot, libraryCommit), plot, 1)
    const two = await judgeSound(await play(plot, libraryCommit), plot, 2)
    t.deepEqual(two.examples, [])
    t.true(two.states > one.states)
  }
})

test('the one assumption is that a name is replaced in one step', async (t) => {
  for (const plot of PLOTS) {
    const tally = await judgeSound(await play(plot, libraryCommit), plot, 3)
    // Where a name is replaced at all.
    t.is(tally.violations > 0, [overwrite, threeSaves, symbolicLink].includes(plot), plot.name)
    for (const { text } of tally.examples) t.regex(text, new RegExp(`: ${NOTHING} where`))
  }
})

test('a save that must find nothing leaves nothing or the whole new file after a power cut at any moment', async (t) => {
  for (const plot of [firstSave, newFolders, swept]) {
    const { violations, faults, examples, states, cuts } = await judgeSound(
      await play(plot, libraryCommitIfAbsent),
      plot,
    )
    t.deepEqual(examples, [])
    t.is(violations + faults, 0)
    t.true(states > cuts)
  }
  // Where there is a file, nothing is written at all.
  const { error } = await play(overwrite, libraryCommitIfAbsent)
  t.like(error, { code: 'CKPT_EXISTS' })
})
