import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import type { Attribute } from '../../src/format/attributes.js'
import { loadCheckpoint } from '../../src/index.js'
import { runChild } from '../support/child.js'
import { foreignBombs } from '../support/exchange/bombs.js'
import { catalogue } from '../support/hostile/catalogue.js'
import { dense } from '../support/hostile/dense.js'
import type { Measurement } from '../support/hostile/measure.js'
import { requires } from '../support/requires.js'
import { scratchFolder } from '../support/scratch.js'
import { canMap } from '../support/ways-to-load.js'

const MIB = 2 ** 20

// Heap of the process that loads, in MiB.
const HEAP = 64

// What Node itself takes and gives back at any moment, in bytes.
const NOISE = 6 * MIB

/** Loads files in a process of their own with little heap, and says what memory each took. */
async function measure(
  t: ExecutionContext,
  files: readonly { readonly name: string; readonly make: () => Uint8Array }[],
  ways: readonly string[] = canMap ? ['map', 'file', 'memory'] : ['file', 'memory'],
): Promise<Measurement[]> {
  const folder = await scratchFolder(t)
  for (const { name, make } of files)
    await writeFile(join(folder, encodeURIComponent(name)), make())
  const nodeArguments = [
    '--expose-gc',
    `--max-old-space-size=${HEAP}`,
    // Small, so that garbage does not pile up before it is collected.
    '--max-semi-space-size=1',
  ]
  const lines = await runChild(t, '../hostile/measure', [folder, ...ways], { nodeArguments })
  // The first file is loaded twice, and counts the second time.
  const measured = lines.slice(ways.length).map((line) => JSON.parse(line) as Measurement)
  t.is(measured.length, files.length * ways.length)
  return measured
}

const onLinux = requires(test, 'linux')

onLinux('no file that is refused takes more memory than a few times its length', async (t) => {
  t.timeout(120_000)
  const refused = catalogue.filter(({ noticed = 'open' }) => noticed === 'open')
  // By number: some names are too long for a file.
  const files = refused.map(({ make }, i) => ({ name: `${i}`, make }))
  for (const { file, length, way, outcome, growth } of await measure(t, files)) {
    const { name, code } = refused[Number(file)]!
    t.is(outcome, code, name)
    t.true(growth < 3 * length + NOISE, `${name} (${way}): ${growth} bytes for ${length}`)
  }
})

onLinux(
  'no bomb for a reader of another format takes more memory than a few times its length',
  async (t) => {
    t.timeout(120_000)
    const bombs = new Map(foreignBombs.map((bomb) => [bomb.name, bomb]))
    for (const { file, length, outcome, growth } of await measure(t, foreignBombs, ['foreign'])) {
      const { what, rule } = bombs.get(file)!
      t.is(outcome, rule, what)
      t.log(`${what}: ${(growth / MIB).toFixed(1)} MiB for ${length} bytes`)
      t.true(growth < 3 * length + NOISE, `${what}: ${growth} bytes for ${length}`)
    }
  },
)

onLinux(
  'no file that is sound takes more memory than thirty times its length, however dense',
  async (t) => {
    t.timeout(120_000)
    const files = Object.entries(dense).map(([name, make]) => ({ name, make }))
    for (const { file, length, way, growth, outcome } of await measure(t, files)) {
      const name = decodeURIComponent(file)
      t.true(outcome === 'sound' || outcome === 'CKPT_FLATBUFFER', name)
      t.true(growth < 30 * length + NOISE, `${name} (${way}): ${growth} bytes for ${length}`)
    }
  },
)

test('dense files that share only strings and shapes are valid', async (t) => {
  for (const what of ['tensors', 'states without a tensor', 'keys of one map', 'metrics']) {
    const checkpoint = await loadCheckpoint(dense[what]!())
    t.true(
      Math.max(
        checkpoint.model.size,
        checkpoint.extras.size,
        Object.keys(checkpoint.model.attributes).length,
        Object.keys(checkpoint.metrics).length,
      ) >= 60_000,
      what,
    )
  }
})

test('of the dense files, those that share values are sound up to the budget, each value where it stands', async (t) => {
  const sharedValues = async (what: string) =>
    (await loadCheckpoint(dense[what]!())).model.attributes.value as readonly Attribute[]
  t.deepEqual(await sharedValues('one list, many times'), new Array(60_000).fill([null]))
  t.deepEqual(await sharedValues('one map, many times'), new Array(60_000).fill({ k: null }))
  const texts = await sharedValues('one long text, many times')
  t.deepEqual(texts, new Array(4).fill(texts[0]))
  let level = await sharedValues('lists, each twice in the next')
  for (let depth = 15; depth > 0; depth--) {
    t.is(level.length, 2)
    level = level[depth % 2] as readonly Attribute[]
  }
  t.deepEqual(level, [null])
})
