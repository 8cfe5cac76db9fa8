/** One run, trained by several languages in turns: each goes on from the checkpoint of the one before. */

import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { loadCheckpoint } from '../../src/index.js'
import { prepare } from '../support/conformance/implementations.js'
import { buildTrainers, type Language } from '../support/handover/languages.js'

const LANGUAGES: readonly Language[] = ['C++', 'TypeScript', 'Python']

/** Each language hands over to each other one. */
const TURNS: readonly Language[] = [
  ...(['C++', 'TypeScript', 'Python', 'C++'] as const),
  ...(['Python', 'TypeScript', 'C++'] as const),
]

const STEPS = 20

test('a run that goes from C++ to TypeScript to Python and back is at every hand-over, byte for byte, the one that any of them trains alone', async (t) => {
  t.timeout(20 * 60_000)
  const { missing } = await prepare(LANGUAGES, () => {})
  t.deepEqual(missing, [])
  const folder = await mkdtemp(join(tmpdir(), 'lightwatch-handover-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const trainers = await buildTrainers(folder)

  const pairs = new Set(TURNS.slice(1).map((language, i) => `${TURNS[i]} to ${language}`))
  t.is(pairs.size, LANGUAGES.length * (LANGUAGES.length - 1))

  const losses: (number | null)[] = []
  let handed: string | null = null
  for (const [i, language] of TURNS.entries()) {
    const path = join(folder, `${i}.ckpt`)
    await trainers[language](handed, STEPS, path)
    const shared = await readFile(path)
    for (const alone of LANGUAGES) {
      // From the first step on, without a stop and without a checkpoint in between.
      const whole = join(folder, `${i}-${alone}.ckpt`)
      await trainers[alone](null, STEPS * (i + 1), whole)
      t.deepEqual(
        await readFile(whole),
        shared,
        `turn ${i + 1}, ${language}: ${alone} alone differs`,
      )
    }
    await using checkpoint = await loadCheckpoint(path)
    t.is(checkpoint.step, STEPS * (i + 1))
    losses.push(checkpoint.loss)
    handed = path
  }
  // It does learn: equal files of a training that stands still would show little.
  t.true(losses.at(-1)! < losses[0]! / 100, losses.join(' '))
})
