/** `ckpt latest`: the newest checkpoint of a run that verifies, for scripts. */

import { withPath } from '../errors.js'
import { mapAtOnce } from '../io/concurrency.js'
import type { CheckpointStore, StoredFile } from '../io/store.js'
import { loadCheckpoint } from '../load/load.js'
import { readProgress } from '../load/metadata.js'
import { inOrder } from '../manager/retention.js'
import { fileIn } from '../path.js'
import { printable } from '../printable.js'
import type { ByteProgress } from '../progress.js'
import { inBucket, storeAt } from './locations.js'
import { ProgressBar } from './progress-bar.js'
import { EXIT_FAILURE, EXIT_OK, errorText, printStack, type Terminal } from './terminal.js'
import { formatCount } from './text.js'

// Files whose metadata is read at the same time.
const READERS = 16

/** A checkpoint by its place in the order of saves. */
interface Entry {
  readonly file: StoredFile
  readonly step: number
  readonly sequence: number | null
}

/**
 * Prints the location of the newest checkpoint of a folder, or below the prefix of a bucket, whose every byte is as it
 * was saved. Changes nothing: a damaged one is named on stderr, and the one before is tried. Returns the exit code: a
 * failure if there is none. Throws if the place cannot be listed.
 */
export async function latest(place: string, terminal: Terminal): Promise<number> {
  const store = await storeAt(place)
  const locate = ({ name }: StoredFile) =>
    inBucket(place) === undefined ? fileIn(place, name) : store.locate(name)
  let passedOver = 0
  const passOver = (file: StoredFile, error: unknown): void => {
    passedOver++
    const text = errorText(withPath(error, store.locate(file.name)))
    terminal.stderr.write(`ckpt: ${printable(locate(file))}: passed over: ${text}\n`)
    printStack(terminal, error)
  }
  const files = await store.list((name) => name.endsWith('.ckpt'))
  files.sort((a, b) => (a.name < b.name ? -1 : 1))
  const entries = await mapAtOnce(files, READERS, async (file) => {
    try {
      return await entryOf(store, file)
    } catch (error) {
      passOver(file, error)
      return undefined
    }
  })
  const newestFirst = inOrder(entries.filter((entry) => entry !== undefined)).reverse()
  for (const { file } of newestFirst) {
    const location = locate(file)
    try {
      await verify(store, file, new ProgressBar(terminal, location), terminal.gone)
      terminal.stdout.write(`${location}\n`)
      return EXIT_OK
    } catch (error) {
      if (terminal.gone.aborted) return EXIT_FAILURE
      passOver(file, error)
    }
  }
  const found =
    passedOver === 0 ? 'no checkpoint' : `no good checkpoint, of ${formatCount(passedOver)}`
  terminal.stderr.write(`ckpt: ${printable(place)}: ${found}\n`)
  return EXIT_FAILURE
}

async function entryOf(store: CheckpointStore, file: StoredFile): Promise<Entry> {
  const source = await store.open(file.name, { version: file.version })
  try {
    const { step, sequence } = await readProgress(source)
    return { file, step, sequence }
  } finally {
    source.close()
  }
}

async function verify(
  store: CheckpointStore,
  { name, version }: StoredFile,
  bar: ProgressBar,
  signal: AbortSignal,
): Promise<void> {
  // A file is not mapped: see `openAt`.
  const checkpoint = await loadCheckpoint({ store, name, version }, { map: false })
  try {
    await checkpoint.verify({
      onProgress: (progress: ByteProgress) => bar.update(progress),
      signal,
    })
  } finally {
    checkpoint.close()
    bar.clear()
  }
}
