/**
 * What every environment has to do: plain JavaScript over the package as it is published. Each function
 * throws where something is not as promised.
 */

import {
  BackgroundSaver,
  CheckpointManager,
  loadCheckpoint,
  restoreCheckpoint,
  saveCheckpoint,
} from 'lightwatch-checkpoint'

const LENGTH = 300_000

/** A model and an optimizer over plain memory; what they hold follows from the step alone. */
export function training() {
  const w = new Float32Array(LENGTH)
  const m = new Float64Array(5)
  return {
    w,
    model: { stateDict: () => ({ w: { shape: [LENGTH], data: w } }) },
    optimizer: {
      stateDict: () => ({ tensors: { m: { shape: [5], data: m } }, attributes: { lr: 0.1 } }),
    },
    set(step) {
      for (let i = 0; i < LENGTH; i++) w[i] = Math.fround(step + i / LENGTH)
      m.set([step, -0, Number.NaN, Number.POSITIVE_INFINITY, 1 / 3])
    },
    /** Throws unless everything is that of the step. */
    check(step) {
      for (let i = 0; i < LENGTH; i++) {
        if (w[i] !== Math.fround(step + i / LENGTH))
          throw new Error(`w[${i}] is not of step ${step}`)
      }
      const expected = [step, -0, Number.NaN, Number.POSITIVE_INFINITY, 1 / 3]
      if (!expected.every((value, i) => Object.is(value, m[i]))) throw new Error('m is another')
    },
  }
}

/** Saves, in the foreground and in the background, loads, restores. */
export async function save(folder) {
  const { model, optimizer, set, check } = training()
  set(7)
  await saveCheckpoint(`${folder}/a.ckpt`, model, optimizer, { epoch: 1, step: 7, loss: 0.5 })
  set(0)
  const checkpoint = await loadCheckpoint(`${folder}/a.ckpt`)
  await restoreCheckpoint(checkpoint, model, optimizer)
  check(7)
  await checkpoint.verify()
  checkpoint.close()
  const saver = new BackgroundSaver()
  set(8)
  const saving = saver.save(`${folder}/b.ckpt`, model, optimizer, { step: 8 })
  await saving.staged
  set(0)
  await saving.durable
  await saver.close()
  const second = await loadCheckpoint(`${folder}/b.ckpt`, { map: false })
  await restoreCheckpoint(second, model, optimizer)
  second.close()
  check(8)
}

/** Keeps the newest two of five, and resumes from the last. */
export async function manage(folder) {
  const { model, optimizer, set, check } = training()
  const manager = new CheckpointManager(`${folder}/run`, { keep: { newest: 2 }, onWarning() {} })
  for (let step = 1; step <= 5; step++) {
    set(step)
    await manager.save(model, optimizer, { step })
  }
  await manager.flush()
  const names = await manager.list()
  if (names.length !== 2) throw new Error(`${names.length} checkpoints are kept, not 2`)
  set(0)
  await manager.restoreLatest(model, optimizer)
  await manager.close()
  check(5)
}

/** Saves until it is killed; prints each step that is durable. */
export async function train(folder) {
  const { model, optimizer, set } = training()
  const manager = new CheckpointManager(`${folder}/killed`, { keep: { newest: 2 }, onWarning() {} })
  const resumed = await manager.restoreLatest(model, optimizer)
  for (let step = (resumed?.step ?? 0) + 1; ; step++) {
    set(step)
    await manager.save(model, optimizer, { step })
    await manager.flush()
    console.log(`durable ${step}`)
  }
}

/** Resumes what was killed, prints its step. */
export async function resume(folder) {
  const { model, optimizer, check } = training()
  const manager = new CheckpointManager(`${folder}/killed`, { onWarning() {} })
  const { step } = await manager.restoreLatest(model, optimizer)
  await manager.close()
  check(step)
  console.log(`resumed ${step}`)
}
