import test from 'ava'
import { type ForeignTarget, tryMutations } from '../support/exchange/mutated.js'
import { SEED } from '../support/seed.js'

// Enough to meet every way in which a file is refused many times over. FUZZ_INPUTS gives another number.
const INPUTS = Number(process.env.FUZZ_INPUTS ?? 10_000)

const TARGETS: { readonly [target in ForeignTarget]: number } = {
  archive: 20,
  legacy: 12,
  'model.json': 5,
  safetensors: 5,
  npy: 4,
  npz: 5,
}

for (const [target, rules] of Object.entries(TARGETS) as [ForeignTarget, number][]) {
  test.serial(
    `any mutated file (${target}) is refused with a CheckpointError, or read without harm`,
    async (t) => {
      t.timeout(3_600_000)
      const before = process.memoryUsage().rss
      const { outcomes, failures, longest } = await tryMutations(target, SEED, 0, INPUTS)
      t.log(
        `${INPUTS} inputs, longest ${longest.toFixed(0)} ms: ${[...outcomes].map(([rule, count]) => `${rule} ${count}`).join(', ')}`,
      )
      t.deepEqual(failures.slice(0, 5), [])
      t.true(longest < 2_000, `${longest} ms`)
      t.true(process.memoryUsage().rss - before < 2 ** 29)
      // It has not only scratched the surface.
      t.true(outcomes.size >= rules, [...outcomes.keys()].join())
      t.true((outcomes.get('read') ?? 0) > INPUTS / 200, String(outcomes.get('read')))
    },
  )
}
