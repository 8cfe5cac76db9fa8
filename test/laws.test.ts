/** What holds of every state that there can be, and not only of those that somebody has thought of. */

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { type Attributes, sameAttributes } from '../src/format/attributes.js'
import { arrayType } from '../src/format/dtype.js'
import type { Checkpoint } from '../src/load/checkpoint.js'
import { loadCheckpoint } from '../src/load/load.js'
import { restoreCheckpoint } from '../src/restore/restore.js'
import { saveCheckpoint } from '../src/save/save.js'
import type { LoadedState, Stateful } from '../src/state.js'
import {
  type ArbitraryCheckpoint,
  type ArbitraryState,
  arbitraryCheckpoint,
  contentsOf,
  statefulOf,
} from './support/arbitrary-state.js'
import { times } from './support/effort.js'
import fc from './support/fast-check.js'
import { inMemory } from './support/saved.js'
import { scratchFolder } from './support/scratch.js'
import { loadBy, ways } from './support/ways-to-load.js'

function saved({ model, optimizer, extras, progress }: ArbitraryCheckpoint) {
  return inMemory(statefulOf(model), optimizer === null ? null : statefulOf(optimizer), {
    ...progress,
    extras: Object.fromEntries(extras.map(([name, state]) => [name, statefulOf(state)])),
  })
}

const equal = (a: Uint8Array, b: Uint8Array) => Buffer.compare(a, b) === 0

function check(holds: boolean, what: string): void {
  if (!holds) throw new Error(`it does not hold: ${what}`)
}

async function checkState(found: LoadedState, state: ArbitraryState): Promise<void> {
  check(found.kind === (state.kind ?? null), 'the kind')
  check(sameAttributes(found.attributes, state.attributes), 'the attributes')
  const keys = Object.keys(found.attributes)
  check(String(keys) === String(Object.keys(state.attributes)), 'the order of the attributes')
  const contents = contentsOf(state)
  const names = state.tensors.map(({ name }) => name)
  check(String([...found.keys()]) === String(names), 'the names and their order')
  for (const { name, dtype, shape } of state.tensors) {
    const tensor = found.get(name)
    check(tensor.dtype === dtype, 'the dtype')
    check(String(tensor.shape) === String(shape), 'the shape')
    const array = await tensor.read()
    check(array instanceof arrayType(dtype), 'the kind of array')
    const { buffer, byteOffset, byteLength } = array
    check(equal(new Uint8Array(buffer, byteOffset, byteLength), contents.get(name)!), 'the bytes')
  }
}

async function checkCheckpoint(found: Checkpoint, given: ArbitraryCheckpoint): Promise<void> {
  const { epoch = 0, step = 0, loss = null, metrics = {}, config } = given.progress
  check(found.epoch === epoch && found.step === step, 'epoch and step')
  check(Object.is(found.loss, loss), 'the loss')
  const entries = Object.entries(metrics)
  const foundEntries = Object.entries(found.metrics)
  check(foundEntries.length === entries.length, 'the number of metrics')
  for (const [i, [name, value]] of entries.entries()) {
    check(foundEntries[i]![0] === name && Object.is(foundEntries[i]![1], value), 'a metric')
  }
  check(found.configText === (config ?? null), 'the config')
  await checkState(found.model, given.model)
  check((found.optimizer === null) === (given.optimizer === null), 'whether there is an optimizer')
  if (given.optimizer !== null) await checkState(found.optimizer!, given.optimizer)
  const names = given.extras.map(([name]) => name)
  check(String([...found.extras.keys()].sort()) === String(names.sort()), 'the extras')
  for (const [name, state] of given.extras) await checkState(found.extras.get(name)!, state)
}

/** A law over everything that can be saved, tried on some of it. */
async function law(
  t: ExecutionContext,
  runs: number,
  holds: (given: ArbitraryCheckpoint, file: Uint8Array<ArrayBuffer>) => Promise<void>,
): Promise<void> {
  await fc.assert(
    fc.asyncProperty(arbitraryCheckpoint, async (given) => holds(given, await saved(given))),
    { numRuns: times(runs) },
  )
  t.pass()
}

for (const way of ways) {
  test(`save and load are the identity, bit for bit: ${way}`, async (t) => {
    const path = join(await scratchFolder(t), 'a.ckpt')
    await law(t, way === 'memory' ? 15 : 6, async (given, file) => {
      writeFileSync(path, file)
      await using checkpoint = await loadBy(way, path)
      await checkCheckpoint(checkpoint, given)
      await checkpoint.verify()
    })
  })

  test(`a loaded state that is saved again gives the same file: ${way}`, async (t) => {
    const path = join(await scratchFolder(t), 'a.ckpt')
    await law(t, 6, async (_, file) => {
      writeFileSync(path, file)
      await using checkpoint = await loadBy(way, path)
      const { model, optimizer, extras, epoch, step, loss, metrics, configText } = checkpoint
      const again = await inMemory(
        { stateDict: () => model },
        optimizer && { stateDict: () => optimizer },
        {
          ...{ epoch, step, loss, metrics },
          ...(configText !== null && { config: configText }),
          extras: Object.fromEntries(
            Array.from(extras, ([name, state]) => [name, { stateDict: () => state }]),
          ),
        },
      )
      check(equal(again, file), 'the second file is the first')
    })
  })

  test(`a restore puts in what the save took out, bit for bit: ${way}`, async (t) => {
    const path = join(await scratchFolder(t), 'a.ckpt')
    await law(t, 6, async (given, file) => {
      writeFileSync(path, file)
      await using checkpoint = await loadBy(way, path)
      const model = blank(given.model)
      const optimizer = given.optimizer === null ? null : blank(given.optimizer)
      const extras = given.extras.map(([name, state]) => [name, blank(state)] as const)
      await restoreCheckpoint(checkpoint, model.target, optimizer?.target, {
        extras: Object.fromEntries(extras.map(([name, { target }]) => [name, target])),
      })
      for (const { memory, attributes, state } of [
        model,
        ...(optimizer === null ? [] : [optimizer]),
        ...extras.map(([, extra]) => extra),
      ]) {
        check(sameAttributes(attributes(), state.attributes), 'the attributes')
        for (const [name, bytes] of contentsOf(state)) {
          check(equal(memory.get(name)!, bytes), 'the bytes')
        }
      }
    })
  })
}

/** A trainer that has the tensors of a state, and other bytes in them. */
function blank(state: ArbitraryState) {
  const memory = new Map(
    state.tensors.map(({ name, bytes }) => [name, new Uint8Array(bytes.length).fill(0xa5)]),
  )
  let attributes: Attributes = {}
  const target: Stateful = {
    stateDict: () => ({
      tensors: state.tensors.map(({ name, dtype, shape }) => {
        return [name, { dtype, shape, data: memory.get(name)! }] as const
      }),
      attributes,
    }),
    loadAttributes(loaded) {
      attributes = loaded
    },
  }
  return { state, memory, target, attributes: () => attributes }
}

test('the same state gives the same bytes, in a file and in memory', async (t) => {
  const path = join(await scratchFolder(t), 'a.ckpt')
  await law(t, 6, async ({ model, optimizer, extras, progress }, file) => {
    await saveCheckpoint(path, statefulOf(model), optimizer && statefulOf(optimizer), {
      ...progress,
      extras: Object.fromEntries(extras.map(([name, state]) => [name, statefulOf(state)])),
    })
    check(equal(readFileSync(path), file), 'the bytes')
  })
})

test('any flipped bit is a CheckpointError, and never other values', async (t) => {
  await fc.assert(
    fc.asyncProperty(arbitraryCheckpoint, fc.nat(), fc.nat(7), async (given, where, bit) => {
      const file = await saved(given)
      const damaged = file.slice()
      damaged[where % file.byteLength]! ^= 1 << bit
      const code = await loadCheckpoint(damaged)
        .then((checkpoint) => checkpoint.verify())
        .then(
          () => 'verified',
          (error) => error.code,
        )
      check(String(code).startsWith('CKPT_'), `byte ${where % file.byteLength}: ${code}`)
    }),
    { numRuns: times(15) },
  )
  t.pass()
})
