/** Files of every format, opened in every way that a person has, in real browsers; and hostile ones, which say what they are. */

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import type { Page } from 'puppeteer-core'
import { convertCheckpoint } from '../../src/exchange/node/convert-checkpoint.js'
import { saveSafetensors } from '../../src/exchange/node/safetensors.js'
import { saveCheckpoint } from '../../src/index.js'
import { foreignBombs } from '../support/exchange/bombs.js'
import { archive, op, pickleOf, storage, tensor } from '../support/exchange/pickle.js'
import { requires } from '../support/requires.js'
import {
  choose,
  driven,
  driver,
  drop,
  dropChosen,
  goTo,
  openPage,
  shows,
} from '../support/viewer/browser.js'
import { viewerPage } from '../support/viewer/pictures.js'

// Fifty arrays of a megabyte over the same bytes, and 60 MB in 60 kB.
const BOMBS = ['overlap.npz', 'deflated.pt']

const FILE_INPUT = 'input[type=file]:not([webkitdirectory])'
const FOLDER_INPUT = 'input[webkitdirectory]'

/** A file of torch.save(): a model's state dict. */
function pytorchFile(): Uint8Array {
  const floats = new Uint8Array(Float32Array.of(0, 1, 2, 3, 4, 5).buffer)
  const six = storage('FloatStorage', '0', 6)
  return archive(
    pickleOf(
      ...[op.text('layer.weight'), tensor(six, 0, [3, 2], [1, 3])],
      ...[op.text('layer.bias'), tensor(six, 1, [2], [2])],
    ),
    { 0: floats },
  )
}

interface Files {
  /** Each with a text that only its view shows. */
  readonly good: readonly (readonly [path: string, text: string])[]
  readonly hostile: readonly (readonly [path: string, text: RegExp])[]
  /** A folder with the index of two shards. */
  readonly sharded: string
  /** A folder with three checkpoints, and a file that is none. */
  readonly run: string
}

async function makeFiles(folder: string): Promise<Files> {
  const at = (...parts: string[]): string => join(folder, ...parts)
  for (const each of ['run', 'sharded']) await mkdir(at(each))
  const wave = (by: number): Float32Array<ArrayBuffer> =>
    Float32Array.from({ length: 600 }, (_, i) => Math.sin(i + by))
  for (const step of [1, 2, 3]) {
    const tensors = { 'layer.weight': { shape: [20, 30], data: wave(step) } }
    await saveCheckpoint(at('run', `step-${step}.ckpt`), { stateDict: () => tensors }, null, {
      ...{ step, loss: 1 / step },
    })
  }
  await writeFile(at('run', 'notes.txt'), 'no checkpoint')
  await convertCheckpoint(at('run', 'step-1.ckpt'), at('arrays.npz'))
  const torch = pytorchFile()
  await writeFile(at('model.pt'), torch)
  await writeFile(at('torn.pt'), torch.subarray(0, torch.length - 40))
  await writeFile(at('empty.ckpt'), '')
  for (const { name, make } of foreignBombs) {
    if (BOMBS.includes(name)) await writeFile(at(name), make())
  }
  const shards = ['a', 'b'].map((name, i) => ({
    name,
    file: `model-0000${i + 1}-of-00002.safetensors`,
  }))
  for (const { name, file } of shards) {
    await saveSafetensors(at('sharded', file), { [name]: { shape: [20, 30], data: wave(7) } })
  }
  const weight_map = Object.fromEntries(shards.map(({ name, file }) => [name, file]))
  const index = at('sharded', 'model.safetensors.index.json')
  await writeFile(index, JSON.stringify({ metadata: { total_size: 4800 }, weight_map }))
  return {
    good: [
      [at('model.pt'), 'PyTorch files have none'],
      [at('arrays.npz'), 'NumPy files have none'],
    ],
    hostile: [
      [at('torn.pt'), /it was cut off.*CKPT_FOREIGN_FILE/s],
      [at('overlap.npz'), /reaches beyond byte 0.*CKPT_FOREIGN_FILE/s],
      [at('deflated.pt'), /has 60000000 bytes, more than.*CKPT_FOREIGN_FILE/s],
      [at('empty.ckpt'), /the file is empty.*CKPT_NOT_A_CHECKPOINT/s],
    ],
    sharded: at('sharded'),
    run: at('run'),
  }
}

const start = pathToFileURL(viewerPage).href

let files: Files
let folder: string

test.before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lightwatch-open-'))
  files = await makeFiles(folder)
})

test.after.always(() => rm(folder, { recursive: true, force: true }))

for (const browser of driven) {
  const inBrowser = requires(test.serial, {
    what: browser.needs,
    here: browser.program !== undefined,
  })
  const drive = driver(browser)
  const isChromium = browser.name === 'Chromium'
  const dropped = isChromium ? drop : dropChosen

  /** Opens the start again. */
  const again = async (t: ExecutionContext, page: Page): Promise<void> => {
    await goTo(page, '#/')
    await shows(t, page, 'Look at a checkpoint')
  }

  inBrowser(
    `${browser.name}: PyTorch's and NumPy's files open by drop and by file input`,
    async (t) => {
      t.timeout(60_000)
      const { page, complaints } = await openPage(await drive(t), start)
      for (const [path, text] of files.good) {
        for (const open of [
          dropped,
          (page: Page, path: string) => choose(page, FILE_INPUT, path),
        ]) {
          await again(t, page)
          await open(page, path)
          await shows(t, page, text)
          await shows(t, page, 'Healthy')
        }
      }
      t.deepEqual(complaints, [])
    },
  )

  inBrowser(`${browser.name}: a file that is hostile or torn says what is wrong`, async (t) => {
    t.timeout(60_000)
    const { page, complaints } = await openPage(await drive(t), start)
    for (const [path, text] of files.hostile) {
      await again(t, page)
      await choose(page, FILE_INPUT, path)
      await page.waitForSelector('[role=alert]')
      const said = await page.$eval('[role=alert]', (alert) => alert.textContent)
      t.regex(said, text)
    }
    t.deepEqual(complaints, [])
  })

  if (!isChromium) continue
  inBrowser(`${browser.name}: folders open by drop and by folder input`, async (t) => {
    t.timeout(60_000)
    const { page, complaints } = await openPage(await drive(t), start)
    for (const open of [drop, (page: Page, path: string) => choose(page, FOLDER_INPUT, path)]) {
      await again(t, page)
      await open(page, files.run)
      await shows(t, page, '3 checkpoints, step 1 to step 3')
      // The shards are parts of the file that their index is.
      await again(t, page)
      await open(page, files.sharded)
      await shows(t, page, 'model.safetensors.index.json')
      await shows(t, page, '2 tensors')
      await shows(t, page, 'Healthy')
    }
    t.deepEqual(complaints, [])
  })
}
