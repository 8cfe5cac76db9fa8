import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { CheckpointFolder } from '../../src/manager/checkpoint-folder.js'
import { resumeFrom } from '../../src/manager/resume.js'
import {
  damage,
  fileName,
  saveSteps,
  smallModel,
} from '../support/manager/folder-of-checkpoints.js'
import { scratchFolder } from '../support/scratch.js'

const silent = () => {}

test('where the files went after they were listed, those that came in their place are found', async (t) => {
  const path = await scratchFolder(t)
  await saveSteps(path, 1)
  // Another process saves and removes, just when the folder has been read.
  class Busy extends CheckpointFolder {
    #saved = 1

    override async newestFirst(): Promise<string[]> {
      const paths = await super.newestFirst()
      if (this.#saved < 5) {
        await saveSteps(path, ++this.#saved)
        await rm(join(path, fileName(this.#saved - 1)))
      }
      return paths
    }
  }
  const model = smallModel()
  const report = await resumeFrom(new Busy(path), model, null, {}, silent)
  t.is(report?.step, 5)
  t.is(model.data[0], 5)
})

test('a damaged file that is replaced by a whole one while it is read is restored', async (t) => {
  const path = await scratchFolder(t)
  await saveSteps(path, 1)
  await damage(path, 1)
  class Repaired extends CheckpointFolder {
    #asked = 0

    override async identify(file: string): Promise<string | undefined> {
      // The second question comes when the damage has been found.
      if (++this.#asked === 2) await saveSteps(path, 1)
      return super.identify(file)
    }
  }
  const warnings: string[] = []
  const warn = (message: string) => void warnings.push(message)
  const report = await resumeFrom(new Repaired(path), smallModel(), null, {}, warn)
  t.like(report, { step: 1, skipped: [] })
  t.deepEqual(warnings, [])
  t.deepEqual(await readdir(path), [fileName(1)])
})

test('a damaged file that cannot be renamed is skipped all the same, once', async (t) => {
  const path = await scratchFolder(t)
  await saveSteps(path, 1, 2)
  await damage(path, 2)
  class ReadOnly extends CheckpointFolder {
    override async setAside(...[file, , error]: Parameters<CheckpointFolder['setAside']>) {
      return { path: file, movedTo: null, error }
    }
  }
  const warnings: string[] = []
  const warn = (message: string) => void warnings.push(message)
  const report = await resumeFrom(new ReadOnly(path), smallModel(), null, {}, warn)
  t.is(report?.step, 1)
  t.is(report?.skipped[0]?.movedTo, null)
  t.is(warnings.length, 1)
  t.regex(warnings[0]!, /left where it is/)
})

test('a folder whose files always go before they can be read is an error, and not an empty one', async (t) => {
  const path = await scratchFolder(t)
  class Vanishing extends CheckpointFolder {
    override async newestFirst(): Promise<string[]> {
      return [this.pathOf(1)]
    }
  }
  await t.throwsAsync(resumeFrom(new Vanishing(path), smallModel(), null, {}, silent), {
    code: 'CKPT_READ',
  })
})
