import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, rm, symlink, truncate, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import test, { type ExecutionContext } from 'ava'
import { CheckpointError, type CheckpointErrorCode } from '../../src/errors.js'
import { loadCheckpoint } from '../../src/index.js'
import { Patch } from '../support/format/patch.js'
import { forge, state, tensor } from '../support/hostile/forge.js'
import { plainModel } from '../support/hostile/goldens.js'
import { requires } from '../support/requires.js'
import { scratchFolder } from '../support/scratch.js'

const run = promisify(execFile)
const onUnix = requires(test, 'posix')
const onLinux = requires(test, 'linux')

// Milliseconds. Nothing here has a reason to wait for anything; a FIFO would wait for ever.
const PATIENCE = 20_000

/** Asserts that what is at `path` is refused with that code, mapped and read. */
async function refused(
  t: ExecutionContext,
  path: string,
  code: CheckpointErrorCode,
  message?: RegExp,
): Promise<void> {
  t.timeout(PATIENCE)
  for (const map of [true, false]) {
    const error = await t.throwsAsync(loadCheckpoint(path, { map }), {
      instanceOf: CheckpointError,
      code,
    })
    t.is((error as CheckpointError).path, path)
    if (message !== undefined) t.regex(error!.message, message)
  }
}

test('a folder is refused', async (t) => {
  await refused(t, await scratchFolder(t), 'CKPT_READ', /a folder/)
})

test('a missing file is refused', async (t) => {
  await refused(t, join(await scratchFolder(t), 'nothing'), 'CKPT_READ')
})

onUnix('a FIFO is refused without waiting for a writer', async (t) => {
  const path = join(await scratchFolder(t), 'fifo')
  await run('mkfifo', [path])
  await refused(t, path, 'CKPT_READ', /a device, pipe or socket/)
})

onUnix('a link to a FIFO is refused without waiting', async (t) => {
  const folder = await scratchFolder(t)
  await run('mkfifo', [join(folder, 'fifo')])
  await symlink('fifo', join(folder, 'link'))
  await refused(t, join(folder, 'link'), 'CKPT_READ', /a device, pipe or socket/)
})

onUnix('a socket is refused', async (t) => {
  const path = join(await scratchFolder(t), 'socket')
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(path, resolve))
  t.teardown(() => server.close())
  await refused(t, path, 'CKPT_READ')
})

for (const device of ['/dev/zero', '/dev/full', '/dev/null', '/dev/random', '/dev/urandom']) {
  requires(test, `file:${device}`)(`the device ${device} is refused`, async (t) => {
    await refused(t, device, 'CKPT_READ', /a device, pipe or socket/)
  })
}

onUnix('links that form a circle are refused', async (t) => {
  const folder = await scratchFolder(t)
  await symlink('b', join(folder, 'a'))
  await symlink('a', join(folder, 'b'))
  await refused(t, join(folder, 'a'), 'CKPT_READ')
})

onUnix(
  'a link that leads nowhere is refused, and one that leads to a file is followed',
  async (t) => {
    const folder = await scratchFolder(t)
    const link = join(folder, 'link')
    await symlink('file', link)
    await refused(t, link, 'CKPT_READ')
    await writeFile(join(folder, 'file'), plainModel.bytes)
    await using checkpoint = await loadCheckpoint(link)
    t.is(checkpoint.model.size, 2)
  },
)

// Files as far as the system says, without a length, or with one that is made up. Not every kernel has all.
const proc = ['/proc/self/status', '/proc/self/mem', '/proc/kmsg', '/proc/kcore']
for (const path of proc.filter(existsSync)) {
  onLinux(`${path} is refused without being read`, async (t) => {
    t.timeout(PATIENCE)
    for (const map of [true, false]) {
      const error = await t.throwsAsync(loadCheckpoint(path, { map }), {
        instanceOf: CheckpointError,
      })
      t.regex((error as CheckpointError).code, /^CKPT_(NOT_A_CHECKPOINT|READ)$/)
    }
  })
}

// Said to be a page long.
const SHORT = '/sys/kernel/mm/transparent_hugepage/enabled'
requires(test, `file:${SHORT}`)(
  'a file that is shorter than the system says is refused',
  async (t) => {
    await refused(t, SHORT, 'CKPT_FILE_CHANGED')
  },
)

/**
 * A sparse file that begins with `start`, as long as the file system takes of these lengths. The
 * memory file system takes the longest.
 */
async function sparseFile(
  t: ExecutionContext,
  make: (length: number) => Uint8Array,
  lengths: readonly number[],
): Promise<{ path: string; length: number }> {
  const folders = [await scratchFolder(t)]
  if (existsSync('/dev/shm')) {
    const shared = join('/dev/shm', `lightwatch-test-${process.pid}-${Math.random()}`)
    await mkdir(shared)
    t.teardown(() => rm(shared, { recursive: true, force: true }))
    folders.unshift(shared)
  }
  for (const length of lengths) {
    for (const folder of folders) {
      const path = join(folder, `${length}.ckpt`)
      await writeFile(path, make(length))
      try {
        await truncate(path, length)
        return { path, length }
      } catch {
        await rm(path)
      }
    }
  }
  throw new Error('no file system here takes a sparse file')
}

const LENGTHS = [2 ** 50, 2 ** 43, 2 ** 40, 2 ** 33]

/** Metadata of a file of that length that is one tensor. */
function oneHugeTensor(length: number): Uint8Array {
  const huge = (offset: number): Uint8Array => {
    const byteLength = length - offset
    const forged = { name: 'huge', dtype: 20, shape: [byteLength], offset, byteLength }
    return forge((b) => ({ model: state(b, 'model', [tensor(b, forged, false)]) }), length)
  }
  const metadataLength = huge(0).length
  return huge(Math.ceil((metadataLength + 4) / 64) * 64)
}

test('a sparse file of a pebibyte of zeros is refused at once', async (t) => {
  const { path } = await sparseFile(t, () => new Uint8Array(0), LENGTHS)
  await refused(t, path, 'CKPT_NOT_A_CHECKPOINT')
})

test('a checkpoint that was made a pebibyte longer is refused at once', async (t) => {
  const { path } = await sparseFile(t, () => plainModel.bytes, LENGTHS)
  await refused(t, path, 'CKPT_FILE_LENGTH')
})

test('a sparse file of a pebibyte with 2^31 - 1 bytes of metadata is refused at once', async (t) => {
  const lying = (length: number): Uint8Array => {
    const patch = new Patch(plainModel.bytes)
    patch.root.set('file_length', length)
    patch.root.set('metadata_length', 2 ** 31 - 1)
    return patch.bytes
  }
  const { path } = await sparseFile(t, lying, LENGTHS)
  await refused(t, path, 'CKPT_FORMAT')
})

test('a sparse file whose one tensor has a pebibyte is opened, and its tensor is too large', async (t) => {
  t.timeout(PATIENCE)
  const { path, length } = await sparseFile(t, oneHugeTensor, LENGTHS)
  for (const map of [true, false]) {
    await using checkpoint = await loadCheckpoint(path, { map })
    t.is(checkpoint.byteLength, length)
    const tensor = checkpoint.model.get('huge')
    const tooLarge = { instanceOf: CheckpointError, code: 'CKPT_TENSOR_TOO_LARGE' }
    if (length > 2 ** 40) {
      t.throws(() => tensor.data, tooLarge)
      await t.throwsAsync(tensor.read(), tooLarge)
    }
    // Reading all of it would take days; it can be stopped.
    const reason = new Error('enough')
    const signal = AbortSignal.abort(reason)
    t.is(await t.throwsAsync(checkpoint.verify({ signal })), reason)
  }
})
