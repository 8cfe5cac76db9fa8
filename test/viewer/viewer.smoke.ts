/** The viewer as a person has it: built, served by `ckpt view` or opened as a file, in real browsers. */

import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { viewedPlace } from '../../src/cli/view/places.js'
import { serveView } from '../../src/cli/view/server.js'
import { convertCheckpoint } from '../../src/exchange/node/convert-checkpoint.js'
import { saveCheckpoint } from '../../src/index.js'
import { requires } from '../support/requires.js'
import { scratchFolder } from '../support/scratch.js'
import { driven, driver, goTo, openPage, shows, violations } from '../support/viewer/browser.js'
import { viewerPage } from '../support/viewer/pictures.js'
import { servedWithJobs } from '../support/viewer/ways.js'

const HOSTILE = '<img src=x onerror=alert(1)>\u202egnp.exe'

const wave = (length: number, at: number) =>
  Float32Array.from({ length }, (_, i) => Math.sin(i * at) / 3)

/** A run of three checkpoints: the last one has NaN, and a hostile name. */
async function makeRun(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true })
  for (const [i, step] of [100, 200, 300].entries()) {
    const weight = wave(64 * 48, 1 + i)
    if (step === 300) weight[100] = Number.NaN
    const tensors = {
      'layer.0.weight': { shape: [64, 48], data: weight },
      'layer.0.bias': { shape: [48], data: wave(48, 2) },
      'conv.kernel': { shape: [3, 4, 5, 6], data: wave(360, 3 + i) },
      ...(step === 300 ? { [HOSTILE]: { shape: [2], data: wave(2, 1) } } : {}),
    }
    const buffers = {
      'exp_avg/layer.0.weight': { shape: [64, 48], data: wave(64 * 48, 5 + i) },
      step: { shape: [], data: Float64Array.of(step) },
    }
    await saveCheckpoint(
      join(folder, `step-${step}.ckpt`),
      { stateDict: () => tensors },
      { stateDict: () => ({ tensors: buffers, kind: 'AdamW', attributes: { lr: 0.001 } }) },
      { step, epoch: 1, loss: 1 / step, metrics: { accuracy: 0.5 }, config: { seed: HOSTILE } },
    )
  }
}

async function serve(t: ExecutionContext, location: string): Promise<string> {
  const page = await readFile(viewerPage, 'utf8')
  return (await servedWithJobs(t, location, page)).url
}

/** The views, each with a text that tells that it is complete. */
const VIEWS: readonly (readonly [hash: string, text: string])[] = [
  ['#/run', 'step 300'],
  ['#/file/step-300.ckpt', '1 NaN'],
  ['#/file/step-200.ckpt', 'Healthy'],
  ['#/file/step-300.ckpt/tensor/model/layer.0.weight', 'Largest by size'],
  ['#/file/step-300.ckpt/tensor/model/conv.kernel', 'Axis 1'],
  ['#/file/step-200.ckpt/bytes', 'Every byte as it was saved'],
  ['#/diff/step-100.ckpt/step-200.ckpt', 'Relative change'],
]

// Firefox takes the preference for dark from its profile.
const LOOKS = {
  Chromium: [
    [390, false],
    [1600, true],
  ],
  Firefox: [
    [390, false],
    [1600, false],
  ],
} as const

const drives = new Map(driven.map((browser) => [browser.name, driver(browser)]))

for (const browser of driven) {
  const drive = drives.get(browser.name)!
  const inBrowser = requires(test.serial, {
    what: browser.needs,
    here: browser.program !== undefined,
  })

  inBrowser(
    `${browser.name}: every view of a run is without violations and complaints`,
    async (t) => {
      t.timeout(180_000)
      const folder = join(await scratchFolder(t), 'run')
      await makeRun(folder)
      const url = await serve(t, folder)
      const context = await drive(t)
      for (const [width, dark] of LOOKS[browser.name as keyof typeof LOOKS]) {
        const { page, complaints, asked } = await openPage(context, `${url}#/run`, { width, dark })
        for (const [hash, text] of VIEWS) {
          await goTo(page, hash)
          await shows(t, page, text)
          t.deepEqual(await violations(page), [], `${hash} at ${width}`)
          t.deepEqual(complaints, [], hash)
          const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)
          t.true(over <= 0, `${hash} is ${over} pixels wider than ${width}`)
        }
        const elsewhere = asked.filter((each) => !/^(blob:|data:)/.test(each))
        t.deepEqual(
          elsewhere.filter((each) => !each.startsWith(url)),
          [],
        )
        await page.close()
      }
    },
  )

  inBrowser(`${browser.name}: names of a hostile file are text and nothing else`, async (t) => {
    t.timeout(60_000)
    const folder = join(await scratchFolder(t), 'run')
    await makeRun(folder)
    const url = await serve(t, join(folder, 'step-300.ckpt'))
    const { page, complaints } = await openPage(await drive(t), url)
    await shows(t, page, '<img src=x onerror=alert(1)>\\u{202e}gnp.exe')
    t.is(await page.$('img'), null)
    t.deepEqual(complaints, [])
  })

  inBrowser(
    `${browser.name}: the keyboard leads through the table to a tensor and back`,
    async (t) => {
      t.timeout(60_000)
      const folder = join(await scratchFolder(t), 'run')
      await makeRun(folder)
      const url = await serve(t, join(folder, 'step-200.ckpt'))
      const { page } = await openPage(await drive(t), url)
      await shows(t, page, 'Healthy')
      await page.keyboard.press('/')
      await page.keyboard.type('0.bias')
      await shows(t, page, '1 tensor\n')
      await page.focus('[role=treegrid]')
      await page.keyboard.press('End')
      await page.keyboard.press('Enter')
      await shows(t, page, 'Read it in a program')
      t.true(page.url().endsWith('#/file/step-200.ckpt/tensor/model/layer.0.bias'))
      await page.goBack()
      await shows(t, page, 'Healthy')
      // Outside of a field, it is the help.
      await page.focus('[role=treegrid]')
      await page.keyboard.press('?')
      await shows(t, page, 'Keys')
    },
  )

  inBrowser(`${browser.name}: a damaged file says so, and shows where`, async (t) => {
    t.timeout(60_000)
    const folder = join(await scratchFolder(t), 'run')
    await makeRun(folder)
    const path = join(folder, 'step-200.ckpt')
    const bytes = await readFile(path)
    bytes[bytes.length - 1]! ^= 1
    await writeFile(path, bytes)
    const torn = join(folder, 'step-100.ckpt')
    await writeFile(torn, (await readFile(torn)).subarray(0, 500))
    const url = await serve(t, folder)
    const context = await drive(t)
    const damaged = await openPage(context, `${url}#/file/step-200.ckpt`)
    await shows(t, damaged.page, 'Damaged')
    const map = await openPage(context, `${url}#/file/step-200.ckpt/bytes`)
    await shows(t, map.page, '1 damaged range')
    await shows(t, map.page, 'checksum mismatch')
    const cut = await openPage(context, `${url}#/file/step-100.ckpt`)
    await shows(t, cut.page, 'The file is damaged')
    for (const { complaints } of [damaged, map, cut]) t.deepEqual(complaints, [])
  })

  inBrowser(
    `${browser.name}: the page alone opens files that are chosen, of other formats too`,
    async (t) => {
      t.timeout(60_000)
      const folder = join(await scratchFolder(t), 'run')
      await makeRun(folder)
      const model = join(folder, 'model.safetensors')
      await convertCheckpoint(join(folder, 'step-200.ckpt'), model, { only: 'model' })
      const { page: opened, complaints } = await openPage(
        await drive(t),
        pathToFileURL(viewerPage).href,
      )
      await shows(t, opened, 'Look at a checkpoint')
      t.deepEqual(await violations(opened), [])
      const input = (await opened.$('input[type=file]:not([webkitdirectory])'))!
      await (input as unknown as { uploadFile(path: string): Promise<void> }).uploadFile(model)
      await shows(t, opened, 'safetensors files have none')
      await shows(t, opened, 'Healthy')
      t.deepEqual(complaints, [])
    },
  )
}

const chromium = driven.find(({ name }) => name === 'Chromium')!
requires(test.serial, { what: chromium.needs, here: chromium.program !== undefined })(
  'a hundred thousand tensors are a table of a hundred rows in the document',
  async (t) => {
    t.timeout(120_000)
    const path = join(await scratchFolder(t), 'many.ckpt')
    const data = new Float32Array(4)
    const tensors = Object.fromEntries(
      Array.from({ length: 100_000 }, (_, i) => [
        `layer.${i >> 4}.part.${i & 15}`,
        { shape: [4], data: data.slice() },
      ]),
    )
    await saveCheckpoint(path, { stateDict: () => tensors })
    const { page } = await openPage(await drives.get(chromium.name)!(t), await serve(t, path))
    await shows(t, page, '100,000 tensors')
    await page.focus('[role=treegrid]')
    await page.keyboard.press('End')
    await shows(t, page, '6249')
    const rows = await page.$$eval('.grid-row', (all) => all.length)
    t.true(rows < 150, `${rows}`)
  },
)

requires(test.serial, { what: chromium.needs, here: chromium.program !== undefined })(
  'what was computed of a run is found again at the next start, and not a byte of it is read',
  async (t) => {
    t.timeout(120_000)
    const folder = join(await scratchFolder(t), 'run')
    await mkdir(folder)
    const bytes = 4 * 120_000
    for (const step of [1, 2, 3]) {
      const tensors = { weight: { shape: [300, 400], data: wave(bytes / 4, step) } }
      const path = join(folder, `step-${step}.ckpt`)
      await saveCheckpoint(path, { stateDict: () => tensors }, null, { step })
    }
    const context = await drives.get(chromium.name)!(t)
    const look = async (): Promise<{ readonly port: string; readonly read: number }> => {
      const place = await viewedPlace(folder)
      let read = 0
      const open: typeof place.open = async (name) => {
        const { source, version } = (await place.open(name))!
        const { kind, size } = source
        const counted = (target: Uint8Array, position: number): Promise<void> => {
          read += target.byteLength
          return source.read(target, position)
        }
        const checkUnchanged = () => source.checkUnchanged()
        const close = () => source.close()
        return { source: { kind, size, read: counted, checkUnchanged, close }, version }
      }
      const server = await serveView({ ...place, open }, await readFile(viewerPage, 'utf8'))
      const { page: opened } = await openPage(context, server.url)
      await shows(t, opened, 'Every layer moves')
      // The facts, two differences, and the norm of the last checkpoint.
      const until = Date.now() + 20_000
      while ((await opened.evaluate(keptResults)) < 4 && Date.now() < until) {
        await new Promise((resolve) => setTimeout(resolve, 100))
      }
      await opened.close()
      await server.close()
      return { port: new URL(server.url).port, read }
    }
    const first = await look()
    const second = await look()
    t.true(first.read >= 3 * bytes, `${first.read}`)
    t.is(second.port, first.port)
    t.is(second.read, 0)
  },
)

/** Runs in the page: the number of records that it keeps. */
function keptResults(): Promise<number> {
  return new Promise((resolve, reject) => {
    const opening = indexedDB.open('lightwatch-checkpoint-viewer')
    opening.onerror = () => reject(opening.error)
    opening.onsuccess = () => {
      const database = opening.result
      const count = database.transaction('results').objectStore('results').count()
      count.onsuccess = () => {
        database.close()
        resolve(count.result)
      }
    }
  })
}
