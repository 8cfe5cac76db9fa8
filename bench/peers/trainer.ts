/**
 * A trainer that keeps the JavaScript thread busy. A step is a matrix product in plain JavaScript that never yields;
 * then come the save, if one is due, and one turn of the event loop.
 */

import { importLibrary } from '../library.js'
import { type HeldState, holdState } from './held-state.js'
import { seconds, serve } from './serve.js'

const { BackgroundSaver, saveCheckpoint } = await importLibrary()

const SIZE = 192
const a = new Float32Array(SIZE * SIZE).fill(0.5)
const b = new Float32Array(SIZE * SIZE).fill(0.25)
const c = new Float32Array(SIZE * SIZE)
let state: HeldState
const saver = new BackgroundSaver()

/** One step: some tens of milliseconds. */
function step(): void {
  for (let times = 0; times < 4; times++) {
    for (let i = 0; i < SIZE; i++) {
      for (let j = 0; j < SIZE; j++) {
        let sum = 0
        for (let k = 0; k < SIZE; k++) sum += a[i * SIZE + k]! * b[k * SIZE + j]!
        c[i * SIZE + j] = sum
      }
    }
  }
  a[0] = c[0]! / SIZE
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

await serve({
  load({ spec }: { spec: string }) {
    state = holdState(spec)
    return state.byteLength
  },

  /** Seconds of a save alone, and of a step. */
  async calibrate({ path }: { path: string }) {
    for (let i = 0; i < 10; i++) step()
    const steps = 20
    const perStep =
      (await seconds(async () => {
        for (let i = 0; i < steps; i++) {
          step()
          await turn()
        }
      })) / steps
    const save = await seconds(() => saveCheckpoint(path, state.model, state.optimizer))
    // The staging area exists from the first save on.
    await saver.save(path, state.model, state.optimizer)!.durable
    return { perStep, save }
  },

  /** Seconds for this many steps, with a save before every `every`th one, or none (0). */
  async train({ steps, every, path }: { steps: number; every: number; path: string }) {
    const pending: Promise<unknown>[] = []
    let blocked = 0
    const total = await seconds(async () => {
      for (let i = 0; i < steps; i++) {
        if (every > 0 && i % every === 0) {
          const start = performance.now()
          const save = saver.save(path, state.model, state.optimizer, { step: i })!
          pending.push(save.durable)
          save.durable.catch(() => {})
          await save.staged
          blocked += (performance.now() - start) / 1000
        }
        step()
        await turn()
      }
    })
    const unfinished = saver.busy
    await Promise.all(pending)
    return { total, blocked, saves: pending.length, unfinished }
  },
})
await saver.close()
