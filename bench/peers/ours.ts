/** This library. */

import { rmSync } from 'node:fs'
import { join } from 'node:path'
import type { SaveOptions } from '../../src/index.js'
import { importLibrary } from '../library.js'
import { checkRestored, type HeldState, holdState, wipe } from './held-state.js'
import { seconds, serve } from './serve.js'

const { BackgroundSaver, loadCheckpoint, restoreCheckpoint, saveCheckpoint } = await importLibrary()

let state: HeldState
/** Memory as long as the state, written before. */
let copies: Float32Array[] | undefined
let saver: InstanceType<typeof BackgroundSaver> | undefined

/** Options of a save. A version that does not know a flag ignores it. */
function saveOptions(durable: boolean): SaveOptions {
  return { epoch: 1, step: 1000, ...(durable ? {} : { durable: false }) }
}

function savers(stagingBytes?: number) {
  saver ??= new BackgroundSaver(stagingBytes === undefined ? {} : { stagingBytes })
  return saver
}

await serve({
  load({ spec }: { spec: string }) {
    state = holdState(spec)
    copies = undefined
    return state.byteLength
  },

  /** Whether a save can skip the wait for the device. */
  async knowsDurable({ folder }: { folder: string }) {
    const path = join(folder, 'probe.ckpt')
    const tiny = { stateDict: () => ({ w: { shape: [1], data: new Float32Array(1) } }) }
    const { durability } = await saveCheckpoint(path, tiny, null, saveOptions(false))
    rmSync(path)
    return durability !== 'durable'
  },

  save({ path, durable }: { path: string; durable: boolean }) {
    return seconds(() => saveCheckpoint(path, state.model, state.optimizer, saveOptions(durable)))
  },

  /** Seconds until a background save is staged, and until it is durable. */
  async stage({ path, stagingBytes }: { path: string; stagingBytes?: number }) {
    const start = performance.now()
    const save = savers(stagingBytes).save(path, state.model, state.optimizer, saveOptions(true))
    await save!.staged
    const staged = (performance.now() - start) / 1000
    await save!.durable
    return { staged, durable: (performance.now() - start) / 1000 }
  },

  /** One plain copy of every tensor, into memory that has been written before. */
  copy() {
    copies ??= state.tensors.map((data) => data.slice())
    return seconds(() => {
      for (const [i, data] of state.tensors.entries()) copies![i]!.set(data)
    })
  },

  async restore({ path, verify }: { path: string; verify: boolean }) {
    wipe(state)
    const taken = await seconds(async () => {
      const checkpoint = await loadCheckpoint(path)
      await restoreCheckpoint(checkpoint, state.model, state.optimizer, { verify })
      checkpoint.close()
    })
    checkRestored(state)
    return taken
  },

  /** Opens, and takes every tensor, verified: in place, or read into memory of its own. */
  loadAll({ path, map = true }: { path: string; map?: boolean }) {
    return seconds(async () => {
      const checkpoint = await loadCheckpoint(path, { map })
      for (const part of [checkpoint.model, checkpoint.optimizer]) {
        for (const [, tensor] of part ?? []) {
          const data = map ? tensor.data : await tensor.read()
          if (data.length !== tensor.size) throw new Error(`${tensor.name} is incomplete`)
        }
      }
      checkpoint.close()
    })
  },

  openOne({ path, name }: { path: string; name: string }) {
    return seconds(async () => {
      const checkpoint = await loadCheckpoint(path)
      if (checkpoint.model.get(name).data[0] === undefined) throw new Error('an empty tensor')
      checkpoint.close()
    })
  },
})
await saver?.close()
