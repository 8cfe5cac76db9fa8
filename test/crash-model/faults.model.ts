import test from 'ava'
import { isCheckpointError } from '../../src/index.js'
import type { Fault } from '../support/crash-model/model-file-system.js'
import { newFolders, overwrite } from '../support/crash-model/plots.js'
import { FAULTY } from '../support/crash-model/scenarios.js'
import { LIBRARY_COMMITS, libraryCommit, play } from '../support/crash-model/stage.js'

for (const [name, run, commit] of LIBRARY_COMMITS.flatMap((commit) =>
  FAULTY.map(({ name, run }) => [name, run, commit] as const),
)) {
  test(`${name}, ${commit.name}: the error says which checkpoint is in place, and nothing is left behind`, async (t) => {
    const { violations, faults, examples, sampled } = await run(commit)
    t.deepEqual(examples, [])
    t.is(violations + faults, 0)
    t.false(sampled)
  })
}

test('the error of the system is the cause of the one that a save ends with', async (t) => {
  for (const name of ['write', 'fsync', 'rename'] as const) {
    const { error } = await play(overwrite, libraryCommit, {
      director: (call): Fault | undefined => (call.name === name ? { error: 'EDQUOT' } : undefined),
    })
    t.true(isCheckpointError(error))
    t.like(error, { cause: { code: 'EDQUOT' } })
  }
})

test('if folders cannot be synced, a save succeeds and promises no more than it can', async (t) => {
  for (const plot of [overwrite, newFolders]) {
    for (const [name, error] of [
      ['fsync', 'EINVAL'],
      ['openFolder', 'EPERM'],
    ] as const) {
      const { model, error: failure } = await play(plot, libraryCommit, {
        director: (call): Fault | undefined =>
          call.name === name && call.on === 'folder' ? { error } : undefined,
      })
      t.is(failure, undefined)
      t.false(
        model.events.some((event) => 'note' in event),
        'it was acknowledged as durable',
      )
      t.deepEqual(model.openDescriptors, [])
    }
  }
})
