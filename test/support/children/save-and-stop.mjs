/**
 * A program that saves with the built library, for tests of what it leaves: `<how> <folder> <name>`.
 * `killed` ends in the middle of the save, `thread` saves in a thread that is ended then, `waits` waits in
 * the middle until there is a file `go-on`, and `saves` saves. Prints what came of it.
 */

import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { saveCheckpoint } from '../../../dist/src/index.js'

const [how, folder, name] = workerData ?? process.argv.slice(2)

const until = async (condition) => {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5))
}

/** What the tensor's bytes are, asked for when the temporary file is there. */
const DATA = {
  saves: Float32Array.of(1),
  killed: () => process.kill(process.pid, 'SIGKILL'),
  // The first process of a container cannot kill itself.
  exits: () => process.exit(137),
  async waits() {
    writeFileSync(join(folder, 'is-at-it'), '')
    await until(() => existsSync(join(folder, 'go-on')))
    return Float32Array.of(1)
  },
  thread() {
    parentPort.postMessage('is at it')
    return new Promise(() => {})
  },
}

if (how === 'thread' && isMainThread) {
  const worker = new Worker(new URL(import.meta.url), { workerData: [how, folder, name] })
  await new Promise((resolve) => worker.once('message', resolve))
  await worker.terminate()
  console.log(await save('saves'))
} else {
  console.log(await save(how))
}

async function save(how) {
  const tensors = { w: { dtype: 'float32', shape: [1], data: DATA[how] } }
  return saveCheckpoint(join(folder, name), { stateDict: () => tensors }).then(
    ({ durability }) => durability,
    ({ message }) => message,
  )
}
