/**
 * A program that commits a file with the built library, for tests of what it leaves: `<how> <folder> <name>`.
 * In the middle, with its temporary file open, it is `killed` or `exits`; or it `waits` until there is a file
 * `go-on`; or it is a `thread` that is ended; or it goes on at once: `saves`. Prints what came of it.
 */

import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { FileSink } from '../../../dist/src/io/file/file-sink.js'

const [how, folder, name] = workerData ?? process.argv.slice(2)

const MIDDLE = {
  saves() {},
  killed: () => process.kill(process.pid, 'SIGKILL'),
  // The first process of a container cannot kill itself.
  exits: () => process.exit(137),
  async waits() {
    writeFileSync(join(folder, 'is-at-it'), '')
    while (!existsSync(join(folder, 'go-on'))) {
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  },
  thread() {
    parentPort.postMessage('is at it')
    // Without a timer the thread would end by itself, and say so on standard error, if that came first.
    setInterval(() => {}, 1000)
    return new Promise(() => {})
  },
}

if (how === 'thread' && isMainThread) {
  const worker = new Worker(new URL(import.meta.url), { workerData: [how, folder, name] })
  await new Promise((resolve) => worker.once('message', resolve))
  await worker.terminate()
  console.log(await save('saves'))
} else {
  console.log(await save(how).catch(({ message }) => message))
}

async function save(how) {
  const sink = new FileSink(join(folder, name))
  await sink.begin(1)
  await MIDDLE[how]()
  try {
    await sink.write(Uint8Array.of(1), 0)
    await sink.sync()
    return await sink.commit()
  } catch (error) {
    await sink.abort()
    throw error
  }
}
