/** The public API with its types is the one of docs/api.txt, so that a change of it shows in a diff. */

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { describeApi } from '../../scripts/declarations.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
const committed = await readFile(join(root, 'docs/api.txt'), 'utf8')

test('docs/api.txt has the API of what was built; `npm run api` renews it', (t) => {
  t.deepEqual(describeApi(root).split('\n'), committed.split('\n'))
})

test('it has the names of every entry, members and options with their types, and nothing private', (t) => {
  for (const line of [
    './jax',
    '  loadCheckpoint',
    '  class CheckpointError extends Error {',
    '    readonly strict?: boolean | undefined;',
  ]) {
    t.true(committed.split('\n').includes(line), line)
  }
  t.notRegex(committed, /#private|\bprivate\b|\/\*\*/)
})
