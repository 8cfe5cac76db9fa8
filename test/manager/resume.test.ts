import { mkdir, readdir, rename, rm, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { FolderStore } from '../../src/io/file/folder-store.js'
import { resumeFrom } from '../../src/manager/resume.js'
import { RunCheckpoints } from '../../src/manager/run-checkpoints.js'
import { saveCheckpoint } from '../../src/save/save.js'
import {
  damage,
  fileName,
  saveSteps,
  smallModel,
} from '../support/manager/folder-of-checkpoints.js'
import { scratchFolder } from '../support/scratch.js'

/** Resumes a small model; what was warned of is in `warnings`. */
function resuming(folder: RunCheckpoints, model = smallModel(77)) {
  const warnings: string[] = []
  const onWarning = (message: string) => void warnings.push(message)
  const resumed = resumeFrom({ own: folder }, model, null, { onWarning })
  return { model, warnings, report: resumed.then((restored) => restored?.report ?? null) }
}

test('where the files went after they were listed, those that came in their place are found', async (t) => {
  const path = await scratchFolder(t)
  await saveSteps(path, 1)
  // Another process saves and removes, just when the folder has been read.
  class Busy extends RunCheckpoints {
    #saved = 1

    override async read() {
      const entries = await super.read()
      if (this.#saved < 5) {
        await saveSteps(path, ++this.#saved)
        await rm(join(path, fileName(this.#saved - 1)))
      }
      return entries
    }
  }
  const { model, report } = resuming(new Busy(new FolderStore(path)))
  t.is((await report)?.step, 5)
  t.is(model.data[0], 5)
})

test('a damaged file that is replaced by a valid one while it is read is restored', async (t) => {
  const path = await scratchFolder(t)
  await saveSteps(path, 1)
  await damage(path, 1)
  class Repaired extends FolderStore {
    #asked = 0

    override async stat(name: string) {
      // The first three questions are of the listing, the attempt and the load. The next one follows the damage.
      if (++this.#asked === 4) await saveSteps(path, 1)
      return super.stat(name)
    }
  }
  const { warnings, report } = resuming(new RunCheckpoints(new Repaired(path)))
  t.like(await report, { step: 1, skipped: [] })
  t.deepEqual(warnings, [])
  t.deepEqual(await readdir(path), [fileName(1)])
})

test('a damaged file that cannot be renamed is skipped all the same, once', async (t) => {
  const path = await scratchFolder(t)
  await saveSteps(path, 1, 2)
  await damage(path, 2)
  class ReadOnly extends RunCheckpoints {
    override async setAside(...[file, , error]: Parameters<RunCheckpoints['setAside']>) {
      return { path: file, movedTo: null, error }
    }
  }
  const { warnings, report } = resuming(new ReadOnly(new FolderStore(path)))
  t.is((await report)?.step, 1)
  t.is((await report)?.skipped[0]?.movedTo, null)
  t.is(warnings.length, 1)
  t.regex(warnings[0]!, /left where it is/)
})

test('a folder whose files always go before they can be read is an error, and not an empty one', async (t) => {
  const path = await scratchFolder(t)
  class Vanishing extends RunCheckpoints {
    override async read() {
      await saveSteps(path, 1)
      const entries = await super.read()
      await rm(join(path, fileName(1)))
      return entries
    }
  }
  await t.throwsAsync(resuming(new Vanishing(new FolderStore(path))).report, { code: 'CKPT_READ' })
})

for (const what of ['tensor', 'metadata'] as const) {
  test(`a folder whose checkpoints are all damaged is not a new run, now and the next time (${what})`, async (t) => {
    const path = await scratchFolder(t)
    await saveSteps(path, 1, 2)
    for (const step of [1, 2]) await damage(path, step, what)
    for (let time = 1; time <= 2; time++) {
      const { model, warnings, report } = resuming(new RunCheckpoints(new FolderStore(path)))
      const error = await t.throwsAsync(report, {
        code: what === 'tensor' ? 'CKPT_TENSOR_CHECKSUM' : 'CKPT_METADATA_CHECKSUM',
        message: /none of the 2 checkpoints .* can be restored; .*step-0+2\.ckpt/,
      })
      t.is((error as { path?: string }).path, join(path, fileName(2)))
      t.is(model.data[0], 77)
      t.deepEqual(warnings, [])
      t.deepEqual(await readdir(path), [1, 2].map(fileName))
    }
  })
}

test('a folder in which everything was set aside is a new run, and says what it has', async (t) => {
  const path = await scratchFolder(t)
  await saveSteps(path, 1)
  await rename(join(path, fileName(1)), join(path, `${fileName(1)}.damaged`))
  const { warnings, report } = resuming(new RunCheckpoints(new FolderStore(path)))
  t.is(await report, null)
  t.is(warnings.length, 1)
  t.regex(warnings[0]!, /no checkpoint but 1 that were set aside .*step-0+1\.ckpt\.damaged/)
})

test('a link to a checkpoint is restored, and a damaged one is set aside without its target', async (t) => {
  const path = join(await scratchFolder(t), 'run')
  const blobs = join(path, '../blobs')
  await mkdir(path)
  await saveSteps(blobs, 7, 8)
  await damage(blobs, 8)
  for (const step of [7, 8]) await symlink(`../blobs/${fileName(step)}`, join(path, fileName(step)))
  const { model, report } = resuming(new RunCheckpoints(new FolderStore(path)))
  t.is((await report)?.step, 7)
  t.is(model.data[0], 7)
  t.deepEqual(await readdir(path), [fileName(7), `${fileName(8)}.damaged`])
  t.deepEqual(await readdir(blobs), [7, 8].map(fileName))
})

test('a link to nothing is skipped with a warning, and is not a new run', async (t) => {
  const path = await scratchFolder(t)
  await symlink('nowhere', join(path, fileName(9)))
  const alone = resuming(new RunCheckpoints(new FolderStore(path)))
  await t.throwsAsync(alone.report, { code: 'CKPT_READ', message: /none of the 1 / })
  await saveSteps(path, 1)
  const { warnings, report } = resuming(new RunCheckpoints(new FolderStore(path)))
  t.is((await report)?.step, 1)
  t.is(warnings.length, 1)
  t.regex(warnings[0]!, /was left alone: it is a link to a missing file/)
})

test('a checkpoint with another step than its name is not a new run', async (t) => {
  const path = await scratchFolder(t)
  await saveCheckpoint(join(path, fileName(9)), smallModel(9), null, { step: 3 })
  await t.throwsAsync(resuming(new RunCheckpoints(new FolderStore(path))).report, {
    code: 'CKPT_READ',
    message: /expected step 9 by its name, found step 3/,
  })
})
