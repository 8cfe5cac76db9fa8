import { readdirSync, readlinkSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { CheckpointError } from '../../src/errors.js'
import type { Checkpoint } from '../../src/index.js'
import { ruleNames } from '../support/format/rule-names.js'
import { checkMessage } from '../support/fuzz/examine.js'
import { catalogue } from '../support/hostile/catalogue.js'
import type { Fixture } from '../support/hostile/fixture.js'
import { scratchFolder } from '../support/scratch.js'
import { loadBy, type Way, ways } from '../support/ways-to-load.js'

// Milliseconds of the processor's time, for the best of a few tries: the machine may have other work.
const LIMIT = 100
const TRIES = 6

/** What this process has used so far. */
function processorTime(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

/** Opens a file, and goes on to where the fault is noticed. */
async function loadFully(fixture: Fixture, way: Way, path: string): Promise<void> {
  const checkpoint = await loadBy(way, path)
  try {
    if (fixture.noticed === 'read') await readEverything(checkpoint)
    if (fixture.noticed === 'config') void checkpoint.config
  } finally {
    checkpoint.close()
  }
}

async function readEverything(checkpoint: Checkpoint): Promise<void> {
  for (const state of checkpoint.states) for (const [, tensor] of state) await tensor.read()
}

// One after the other: each is timed.
for (const fixture of catalogue) {
  const { name, code, rule, noticed = 'open' } = fixture
  test.serial(`${name}: refused as ${rule ?? code}`, async (t) => {
    const path = join(await scratchFolder(t), 'hostile.ckpt')
    await writeFile(path, fixture.make())
    for (const way of ways) {
      let best = Number.POSITIVE_INFINITY
      for (let i = 0; i < TRIES && (i === 0 || (best > LIMIT && way !== 'http')); i++) {
        const start = processorTime()
        const error = await t.throwsAsync(
          loadFully(fixture, way, path),
          { instanceOf: CheckpointError, code },
          way,
        )
        best = Math.min(best, processorTime() - start)
        if (rule !== undefined) t.is(error?.rule, rule, way)
        checkMessage(error!)
      }
      // The server of the tests is in this process, and reads the whole file for each request.
      if (way !== 'http') t.true(best < LIMIT, `${way} takes ${best} ms`)
    }
    t.deepEqual(openFilesAt(path), [], 'the file is closed')
  })

  if (noticed === 'read') {
    test.serial(`${name}: found by verify() as well`, async (t) => {
      const path = join(await scratchFolder(t), 'hostile.ckpt')
      await writeFile(path, fixture.make())
      for (const way of ways) {
        await using checkpoint = await loadBy(way, path)
        const error = await t.throwsAsync(checkpoint.verify(), { code }, way)
        t.is((error as CheckpointError).rule, rule, way)
      }
    })
  }
}

/** The descriptors of this process that lead to a file. */
function openFilesAt(path: string): string[] {
  if (process.platform !== 'linux') return []
  return readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`) === path
    } catch {
      return false
    }
  })
}

test('every fixture has a name of its own', (t) => {
  const names = catalogue.map(({ name }) => name)
  t.deepEqual([...new Set(names)], names)
})

test('every rule that a file can break is broken by one of them', async (t) => {
  const named: string[] = ['gap']
  for (const file of ['head', 'decode', 'tensor-table', 'text', 'rules', 'config']) {
    named.push(...(await ruleNames(`${file}.ts`)))
  }
  for (const rule of await ruleNames('flatbuffer-verifier.ts')) {
    // An identifier is what the head tells first.
    if (rule !== 'identifier') named.push(`flatbuffer.${rule}`)
  }
  const broken = new Set(catalogue.flatMap(({ rule }) => rule ?? []))
  t.deepEqual([...broken].sort(), [...new Set(named)].sort())
})
